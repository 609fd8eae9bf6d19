/* SPDX-License-Identifier: MIT */
/* Certificates and keys in files; whatever fails ends the program. */
#ifndef PEM_H
#define PEM_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>

/* The first of a PEM file. */
X509 *read_cert(const char *file);
EVP_PKEY *read_key(const char *file);
/* "DIR/NAME" and an ending, for file names; the caller frees it. */
__attribute__((format(printf, 1, 2))) char *text(const char *fmt, ...);
/* fopen() that does not fail. */
FILE *must_open(const char *file, const char *mode);
void must_close(FILE *f, const char *file);

#endif
