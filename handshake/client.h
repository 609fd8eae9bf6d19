/* SPDX-License-Identifier: MIT */
/* Which client certificates are accepted. */
#ifndef HANDSHAKE_CLIENT_H
#define HANDSHAKE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hs_client;

/*
 * struct hs_client_config - borrowed for hs_client_new()
 * @ca_file:  PEM: whom to trust, each by itself, roots or not; their names are
 *            sent to clients
 * @required: a client without a certificate is refused (TLS 1.3:
 *            certificate_required, 1.2: handshake_failure), HS_F_CLIENT
 * @depth:    intermediate CAs between a client and a trusted one
 * @crls:     PEM or DER files, no delta lists; with any of them each CA that
 *            issued one of a chain must have one, or the client is refused
 *            (unknown status must not pass)
 * @crl_expired_warn: a list past its nextUpdate counts as if it were not, and
 *            hs_peer says so; else the client is refused
 * @allow:    "dns:api.example.com", "dns:*.example.com" (one label),
 *            "uri:spiffe://a/b", the same with "*" behind its last "/" or ":"
 *            (any tail, but none with "." or ".." as a segment), "email:…",
 *            "cn:…" (the first, exactly), neither with "*",
 *            "spki-sha256:" and 64 hexadecimal digits. One must fit, or the
 *            client gets access_denied, HS_F_DENIED. None: all may come
 * Names compare as RFC 5280 7 says: without case in DNS names, hosts and schemes,
 * with it elsewhere.
 */
struct hs_client_config {
	const char *ca_file;
	bool required;
	unsigned int depth;
	const char *const *crls;
	size_t n_crls;
	bool crl_expired_warn;
	const char *const *allow;
	size_t n_allow;
};

/*
 * hs_client_new - read what is named
 * @error: gets one sentence that names the file or entry, when NULL is returned.
 * An expired list is no error here: it is the clients' who need it. One of a CA
 * in @ca_file that this CA has not signed is.
 * Made before the workers are forked. One reference.
 */
struct hs_client *hs_client_new(const struct hs_client_config *config,
				char *error, size_t error_len);
struct hs_client *hs_client_get(struct hs_client *client); /* one more; NULL ok */
void hs_client_free(struct hs_client *client);	/* one less; takes NULL */

/* hs_client_check_allow - for the configuration: 0, -EINVAL or -ENOMEM */
int hs_client_check_allow(const char *entry);

#endif
