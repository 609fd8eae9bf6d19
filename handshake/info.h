/* SPDX-License-Identifier: MIT */
/* What a finished handshake has agreed on. */
#ifndef HANDSHAKE_INFO_H
#define HANDSHAKE_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
 * What was agreed; the strings live as long as @hs, "" where absent. key_alg
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
 * hs_ja4 - the client's fingerprint: 36 characters; "" without hs_config's ja4,
 * before the first ClientHello, and for one that is far from any client's. Lives
 * as long as @hs, which need not be done
 */
const char *hs_ja4(const struct hs *hs);

#endif
