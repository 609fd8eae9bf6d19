/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: PEM files, each fault as one sentence naming the file. */
#ifndef HANDSHAKE_PEM_H
#define HANDSHAKE_PEM_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

/* Where a sentence goes. */
struct hs_report {
	const char *file;
	char *error;
	size_t len;
};

/* hs_report - "FILE: sentence"; returns -EINVAL */
int hs_report(const struct hs_report *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* hs_ssl_reason - libcrypto's own word for its last error; never NULL */
const char *hs_ssl_reason(void);

/* The file's certificates in order, at least one; NULL: reported. */
STACK_OF(X509) *hs_read_chain(const struct hs_report *r);
/*
 * hs_read_key - the first private key of the file, whatever stands around it
 * @password_file: its first line is the key's passphrase; NULL: it needs none
 * NULL: reported.
 */
EVP_PKEY *hs_read_key(const struct hs_report *r, const char *password_file);
/* hs_has_key - is there one, readable or not? */
bool hs_has_key(const char *file);

#endif
