/* SPDX-License-Identifier: MIT */
/*
 * TLS handshakes on memory: bytes in, bytes out, traffic keys at the end. No
 * sockets, no clock of its own, no logging.
 */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ktls/keys.h"
#include "ocsp/ocsp.h"

struct hs_ctx;
struct hs;

/*
 * struct hs_config - what a listener offers; all borrowed for hs_ctx_new()
 * @chain_file: PEM, leaf first
 * @key_file:   PEM
 * @alpn:       protocols in wire format (RFC 7301 3.1), by preference; NULL:
 *              none. A client that offers others only gets the alert
 *              no_application_protocol (3.2); one that offers none goes on
 * @pairs:      set of KTLS_PAIR() that may be negotiated
 * @tickets:    tickets sent after a full TLS 1.3 handshake; 0: no resumption
 *              in any version
 */
struct hs_config {
	const char *chain_file;
	const char *key_file;
	const uint8_t *alpn;
	size_t alpn_len;
	unsigned int pairs;
	unsigned int tickets;
};

/*
 * hs_ctx_new - load a certificate and prepare for handshakes
 * @error: gets one sentence that names the file, when NULL is returned
 * Made before the workers are forked: they share its memory and ticket keys.
 * A key that needs a passphrase is refused; an expired certificate is not.
 * It outlives each of its struct hs, and is for one thread.
 */
struct hs_ctx *hs_ctx_new(const struct hs_config *config, char *error,
			  size_t error_len);
void hs_ctx_free(struct hs_ctx *ctx);

/*
 * The leaf, and the issuer from the chain (empty when the chain has none), DER;
 * they live as long as @ctx.
 */
struct ocsp_bytes hs_ctx_leaf(const struct hs_ctx *ctx);
struct ocsp_bytes hs_ctx_issuer(const struct hs_ctx *ctx);
/*
 * hs_read_cert - first certificate of a PEM file, as DER
 * Returns malloc'ed bytes, to be freed; data NULL and a sentence in @error.
 */
struct ocsp_bytes hs_read_cert(const char *file, char *error,
			       size_t error_len);

/*
 * hs_ctx_set_staple - the response to send to clients that ask (RFC 6066 8)
 * @der:         copied; empty: none
 * @next_update: never sent from this second on, seconds since the epoch
 * Returns 0 or -ENOMEM (the old one stays).
 */
int hs_ctx_set_staple(struct hs_ctx *ctx, struct ocsp_bytes der,
		      int64_t next_update);

enum hs_step {
	HS_MORE,	/* send the output, then feed what arrives */
	HS_DONE,	/* send the output, then hs_keys() */
	HS_FAIL,	/* send the output (an alert, perhaps), then close */
};

/*
 * HS_F_HTTP, _SSLV2, _GARBAGE: by the first bytes. _ALERT: the peer sent one.
 * _VERSION, _CIPHER: nothing in common, groups and signatures included.
 */
enum hs_failure {
	HS_F_NONE, HS_F_HTTP, HS_F_SSLV2, HS_F_GARBAGE, HS_F_RECORD_OVERFLOW,
	HS_F_ALERT, HS_F_VERSION, HS_F_CIPHER, HS_F_PROTOCOL, HS_F_INTERNAL,
	HS_FAILURES,
};

/* hs_new - one connection's handshake; NULL when out of memory. */
struct hs *hs_new(struct hs_ctx *ctx);
/*
 * hs_free - wipes every secret, takes NULL. A finished handshake's session
 * stays resumable.
 */
void hs_free(struct hs *hs);

/*
 * hs_feed - go on with the handshake
 * @in:   what has arrived; borrowed for the call
 * @now:  seconds since the epoch, for the staple
 * @used: bytes of @in that the handshake took: never any behind the peer's
 *        Finished. The rest must be given again, with what arrives later.
 */
enum hs_step hs_feed(struct hs *hs, const uint8_t *in, size_t len, int64_t now,
		     size_t *used);

/*
 * hs_output - bytes to be sent to the peer, in order
 * They stay until the next call on @hs, hs_output_sent() included.
 */
struct ocsp_bytes hs_output(const struct hs *hs);
void hs_output_sent(struct hs *hs, size_t len);

/*
 * Why it failed, and a sentence for a log line ("the peer sent alert 48,
 * unknown CA"), as long as @hs lives.
 */
enum hs_failure hs_failure(const struct hs *hs);
const char *hs_error(const struct hs *hs);
/*
 * hs_abort - give up a handshake with the fatal alert @alert (RFC 8446 6)
 * Puts it into the output, under the key that is in use; nothing when it has
 * failed already, or after hs_keys() or the relay's first call. hs_failure()
 * stays HS_F_NONE.
 */
void hs_abort(struct hs *hs, uint8_t alert);

/*
 * hs_keys - the traffic keys and sequence numbers, once, after HS_DONE
 * Valid after all output was taken; afterwards @hs cannot read or write
 * data any more. The caller wipes @keys.
 * Returns 0, or -EIO when libcrypto fails or there are none to give; @keys is
 * wiped then.
 */
int hs_keys(struct hs *hs, struct ktls_keys *keys);

enum hs_staple { HS_STAPLE_NOT_ASKED, HS_STAPLE_SENT, HS_STAPLE_EXPIRED,
		 HS_STAPLE_NONE };

/* What was agreed; the strings live as long as @hs, "" where absent. */
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
 * The relay's record layer, after HS_DONE and instead of hs_keys().
 *
 * hs_read - decrypt
 * Takes records from @in (*@used bytes of it) and writes at most @len bytes of
 * application data to @buf. Returns bytes; -EAGAIN: more input is needed;
 * 0: the peer's close_notify; -EPROTO: a fatal alert or a broken record.
 * Output may be pending after it (an alert, a KeyUpdate's answer).
 */
ssize_t hs_read(struct hs *hs, const uint8_t *in, size_t in_len, size_t *used,
		uint8_t *buf, size_t len);
/*
 * hs_write - encrypt all of @data into the output
 * Returns 0, -EPIPE after hs_close(), -EPROTO after a failure, or -ENOMEM.
 */
int hs_write(struct hs *hs, const uint8_t *data, size_t len);
/* hs_close - put a close_notify into the output, once; reading goes on. */
void hs_close(struct hs *hs);

#endif
