/* SPDX-License-Identifier: MIT */
/* What a listener needs for handshakes: certificates, protocols, ciphers. */
#ifndef HANDSHAKE_CTX_H
#define HANDSHAKE_CTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handshake/cert.h"

struct hs_client;	/* handshake/client.h */
struct hs_tickets;	/* handshake/tickets.h */
struct hs_tls;		/* handshake/tls.h */

/*
 * struct hs_site - a certificate, and what is particular to clients that ask
 * for one of its names
 * @alpn:        protocols in wire format (RFC 7301 3.1), by preference; none
 * @client:      whom to let in; NULL: nobody is asked for a certificate
 * @min_version: KTLS_TLS12 or KTLS_TLS13, where it is higher than the context's;
 *               0: that one
 */
struct hs_site {
	struct hs_cert *cert;
	const uint8_t *alpn;
	size_t alpn_len;
	struct hs_client *client;
	uint16_t min_version;
};

/*
 * struct hs_config - what a listener offers; borrowed for hs_ctx_new(), which
 * takes references to certificates and clients
 * @sites:   at least one; chosen by the client's server_name (RFC 6066 3), a dot
 *           at its end aside, among their DNS names, exact before wildcard (RFC
 *           6125 6.4.3: "*" as the whole first label). Of several for one name
 *           the first says what is particular, and of each type of key (RSA,
 *           ECDSA, Ed25519) the first certificate is offered; OpenSSL chooses
 *           among them by the client's signature algorithms. No name, or an
 *           unknown one: the first site, and the certificates for its names
 * @strict:  no name, or an unknown one: the alert unrecognized_name, HS_F_NAME
 * @alpn_ignore: a client that offers only other protocols goes on without one;
 *           else it gets the alert no_application_protocol (RFC 7301 3.2),
 *           HS_F_ALPN. One that offers none goes on
 * @pairs:   set of KTLS_PAIR() that may be negotiated
 * @tickets: tickets sent after a full TLS 1.3 handshake; 0: no resumption in any
 *           version
 * @keys:    of these tickets; shared, outlives the context; NULL: of this
 *           context alone
 * @lifetime_s: how long after its full handshake a session can be resumed, at
 *           most 7 days; 0: 2 hours
 * @max_hello: longest ClientHello, bytes; longer: the alert illegal_parameter
 *           and HS_F_HELLO, before memory is spent on it. 0: OpenSSL's own limit
 * @tls:     versions, ciphers, groups; NULL: the defaults
 * @ja4:     fingerprint clients, for hs_ja4()
 * @keylog:  gets each secret as a line of an NSS key log, without its newline,
 *           borrowed for the call; costs a twentieth of a handshake. NULL: none,
 *           as should be but for debugging
 */
struct hs_config {
	const struct hs_site *sites;
	size_t n_sites;
	bool strict, alpn_ignore;
	unsigned int pairs;
	unsigned int tickets;
	struct hs_tickets *keys;
	unsigned int lifetime_s;
	unsigned int max_hello;
	const struct hs_tls *tls;
	bool ja4;
	void (*keylog)(const char *line);
};

struct hs_ctx;

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
