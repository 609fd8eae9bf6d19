/* SPDX-License-Identifier: MIT */
/* What a listener needs for handshakes: certificates, protocols, ciphers. */
#ifndef HANDSHAKE_CTX_H
#define HANDSHAKE_CTX_H

#include <stddef.h>
#include <stdint.h>

#include "handshake/cert.h"

struct hs_ctx;

/*
 * struct hs_config - what a listener offers; borrowed for hs_ctx_new() but for
 * the certificates themselves
 * @certs:   at least one; chosen by the client's server_name (RFC 6066 3) among
 *           their DNS names, exact before wildcard (RFC 6125 6.4.3: "*" as the
 *           whole first label), of two the earlier; else the first. They outlive
 *           the context
 * @alpn:    protocols in wire format (RFC 7301 3.1), by preference; NULL: none. A
 *           client that offers others only gets the alert
 *           no_application_protocol (3.2); one that offers none goes on
 * @pairs:   set of KTLS_PAIR() that may be negotiated
 * @tickets: tickets sent after a full TLS 1.3 handshake; 0: no resumption in any
 *           version
 */
struct hs_config {
	struct hs_cert *const *certs;
	size_t n_certs;
	const uint8_t *alpn;
	size_t alpn_len;
	unsigned int pairs;
	unsigned int tickets;
};

/*
 * hs_ctx_new - prepare for handshakes
 * @error: gets one sentence when NULL is returned
 * Made before the workers are forked: they share its memory and ticket keys.
 * It outlives each of its struct hs, and is for one thread.
 */
struct hs_ctx *hs_ctx_new(const struct hs_config *config, char *error,
			  size_t error_len);
void hs_ctx_free(struct hs_ctx *ctx);	/* takes NULL */

#endif
