/* SPDX-License-Identifier: MIT */
/* What a listener needs for handshakes: its certificate, key, and staple. */
#ifndef HANDSHAKE_CTX_H
#define HANDSHAKE_CTX_H

#include <stddef.h>
#include <stdint.h>

#include "ocsp/ocsp.h"

struct hs_ctx;

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

#endif
