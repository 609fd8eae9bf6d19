/* SPDX-License-Identifier: MIT */
/*
 * A certificate with its chain, its key and its staples. Several listeners may
 * offer the same one.
 */
#ifndef HANDSHAKE_CERT_H
#define HANDSHAKE_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ocsp/ocsp.h"

struct hs_cert;

/*
 * struct hs_cert_files - where a certificate is; borrowed
 * @chain: PEM, leaf first; but where the key is in it, too, in any order
 * @keys:  PEM, @n_keys of them, at least one: the first that there is counts,
 *         and @chain itself among them when a key is in it. A single one must be
 *         there
 * @password_file: its first line is the key's passphrase; NULL: it has none
 */
struct hs_cert_files {
	const char *chain;
	const char *const *keys;
	size_t n_keys;
	const char *password_file;
};

/*
 * hs_cert_read - certificate, chain and key from files
 * @error: gets one sentence that names the file, when NULL is returned
 * Made before the workers are forked: they share its memory. An expired
 * certificate is not refused. One reference.
 */
struct hs_cert *hs_cert_read(const struct hs_cert_files *files, char *error,
			     size_t error_len);
/* hs_cert_key_file - which one its key was in; lives as long as @cert */
const char *hs_cert_key_file(const struct hs_cert *cert);

/*
 * A certificate has one reference to begin with, and goes with the last: so what
 * is set of it, its staples above all, holds for all who have one.
 */
struct hs_cert *hs_cert_get(struct hs_cert *cert);	/* one more */
void hs_cert_free(struct hs_cert *cert);	/* one less; takes NULL */

/*
 * hs_cert_name - for people: the first DNS name, else the common name, else
 * "unnamed"; lives as long as @cert, holds no control characters or quotes
 */
const char *hs_cert_name(const struct hs_cert *cert);

/*
 * hs_cert_depths - positions of the chain that can be stapled, from the leaf, 0
 * More than the leaf with OpenSSL 3.6 and newer only, and then sent in TLS 1.3
 * (RFC 8446 4.4.2.1).
 */
unsigned int hs_cert_depths(const struct hs_cert *cert);

/*
 * The certificate at a position, and its issuer's from the chain (empty when the
 * chain has none), DER; they live as long as @cert.
 */
struct ocsp_bytes hs_cert_der(const struct hs_cert *cert, unsigned int depth);
struct ocsp_bytes hs_cert_issuer(const struct hs_cert *cert,
				 unsigned int depth);
/*
 * hs_read_issuer - the issuer's certificate from a PEM file of candidates, for
 * chains that have none
 * Returns malloc'ed DER, to be freed; data NULL and a sentence in @error that
 * names the file.
 */
struct ocsp_bytes hs_read_issuer(const struct hs_cert *cert,
				 unsigned int depth, const char *file,
				 char *error, size_t error_len);

/*
 * hs_check_cas - can connections be verified by the CAs of a PEM file?
 * Returns 0, or -EINVAL with a sentence in @error that names the file.
 */
int hs_check_cas(const char *file, char *error, size_t error_len);

/*
 * hs_cert_set_staple - the response to send to clients that ask (RFC 6066 8)
 * @der:   copied; empty: none
 * @times: never sent when ocsp_holds() of these says no, nor in the last second,
 *         in which it could arrive too late
 * Returns 0 or -ENOMEM (the old one stays).
 */
int hs_cert_set_staple(struct hs_cert *cert, unsigned int depth,
		       struct ocsp_bytes der, const struct ocsp_times *times);

/* hs_cert_staple_times - of the one that is set; false and nothing without one */
bool hs_cert_staple_times(const struct hs_cert *cert, unsigned int depth,
			  struct ocsp_times *times);

/*
 * hs_cert_require_staple - without a leaf's staple that holds, a client that asks
 * for it is refused with the alert internal_error, HS_F_STAPLE
 */
void hs_cert_require_staple(struct hs_cert *cert, bool required);

#endif
