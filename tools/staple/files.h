/* SPDX-License-Identifier: MIT */
/* Files in and out. Faults are said on standard error, naming the file. */
#ifndef STAPLE_FILES_H
#define STAPLE_FILES_H

#include <stdbool.h>

#include <openssl/x509.h>

#include "ocsp/ocsp.h"

struct staple_cert {
	struct ocsp_bytes der;
	X509 *x509;
};

/* Certificates in the file's order; all zero is none. */
struct staple_certs {
	struct staple_cert *certs;
	size_t n;
	uint8_t *file, *decoded;
};

/* staple_read_certs - true: at least one. Other things in PEM are passed over. */
bool staple_read_certs(const char *path, struct staple_certs *certs);

/* staple_add_cert - a reference to @x509, its bytes encoded anew */
bool staple_add_cert(struct staple_certs *certs, X509 *x509);

void staple_free_certs(struct staple_certs *certs);

/* staple_find_issuer - the one of @certs that issued @leaf, or NULL */
const struct staple_cert *staple_find_issuer(const struct staple_cert *leaf,
					     const struct staple_certs *certs);

/*
 * staple_read_response - the bytes of a response, decoded if that is possible
 * @der: within @file, @decoded; to be freed by the caller, whatever is returned
 * Any readable file is one; what it is worth is for ocsp_check() to say.
 */
bool staple_read_response(const char *path, struct ocsp_bytes *der,
			  uint8_t **file, uint8_t **decoded);

/*
 * staple_write - at any moment the file is the old one or the new one, whole
 * What is not a file itself, a link, a pipe or a device, is written to.
 */
bool staple_write(const char *path, struct ocsp_bytes der);

#endif
