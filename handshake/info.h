/* SPDX-License-Identifier: MIT */
/* What a finished handshake has agreed on. */
#ifndef HANDSHAKE_INFO_H
#define HANDSHAKE_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ocsp/ocsp.h"

struct hs;

/*
 * What became of the leaf's staple. _NOT_ASKED: in resumptions too. _EXPIRED:
 * there is one, past its nextUpdate; _NOT_YET: the clock is before its
 * thisUpdate. _REFUSED: it is required and there is none, so that the handshake
 * has failed with HS_F_STAPLE.
 */
enum hs_staple { HS_STAPLE_NOT_ASKED, HS_STAPLE_SENT, HS_STAPLE_EXPIRED,
		 HS_STAPLE_NOT_YET, HS_STAPLE_NONE, HS_STAPLE_REFUSED };

/*
 * What was agreed; the strings live as long as @hs, "" where absent. server_name
 * is the one that the choice was made by, as in struct hs_hello. key_alg
 * and cert_sig_alg are of the certificate that was sent; of a resumed session of
 * the one for the client's name, absent where there are several.
 */
struct hs_info {
	uint16_t version;		/* KTLS_TLS12 or KTLS_TLS13 */
	uint16_t max_fragment;		/* bytes, 0: not negotiated */
	bool resumed;
	enum hs_staple staple;
	const char *version_name, *cipher, *group, *server_name;
	const char *key_alg, *cert_sig_alg, *sig_scheme;
	const uint8_t *alpn;
	size_t alpn_len;
};
void hs_get_info(const struct hs *hs, struct hs_info *info);

/*
 * hs_exporter - the channel binding tls-exporter (RFC 9266), after HS_DONE and
 * before hs_keys()
 * Returns 0; -ENOTSUP: the client does TLS 1.2 without extended_master_secret
 * (RFC 7627), so that it would bind nothing; -EIO: not done, or libssl fails.
 */
int hs_exporter(struct hs *hs, uint8_t out[static 32]);

#define HS_END_POINT_MAX 64
/*
 * hs_end_point - the channel binding tls-server-end-point (RFC 5929 4.1), after
 * HS_DONE: a digest of the certificate that was sent; in a resumed session of the
 * one that was sent in its full handshake
 * @len: gets its length, bytes
 * Returns 0; -ENOTSUP: it is not defined for that certificate's signature, by
 * Ed25519; -ENODATA: the session's ticket does not say; -EIO: not done.
 */
int hs_end_point(struct hs *hs, uint8_t out[static HS_END_POINT_MAX],
		 size_t *len);

/*
 * hs_ja4 - the client's fingerprint: 36 characters; "" without hs_config's ja4,
 * before the first ClientHello, and for one that is far from any client's. Lives
 * as long as @hs, which need not be done
 */
const char *hs_ja4(const struct hs *hs);

/* hs_openssl - the version of the one that does the handshakes: "3.0.15" */
const char *hs_openssl(void);

/*
 * struct hs_peer - a client's verified certificate, in text what a log or another
 * process can take
 * @der:     the certificate
 * @cn:      the subject's first common name, UTF-8, a NUL behind it; empty: none,
 *           or one with control characters
 * @subject: RFC 4514, in ASCII
 * @sans:    "dns:a", "uri:b", "email:c", "ip:192.0.2.1" as in the certificate,
 *           a NUL behind each; without those that hold other than printable ASCII
 * @crl_expired: see crl_expired_warn
 */
struct hs_peer {
	struct ocsp_bytes der, cn, subject, sans;
	uint8_t sha256[32], spki_sha256[32];
	bool crl_expired;
};
/*
 * hs_get_peer - of a handshake that is done, resumed ones too
 * Returns 0 and *@peer, as long as @hs lives, NULL: the client has none; or
 * -ENOMEM.
 */
int hs_get_peer(struct hs *hs, const struct hs_peer **peer);

#endif
