/* SPDX-License-Identifier: MIT */
/*
 * RSA keys for tests. To make one takes longer than most tests, so there are
 * three in a file that make has written, $(B)/tests/rsa.pem.
 */
#ifndef TESTS_RSA_KEY_H
#define TESTS_RSA_KEY_H

#include <stdio.h>
#include <stdlib.h>

#include <openssl/pem.h>

/* @n: 0, 1 or 2; 2048 bits, the caller's to free */
static inline EVP_PKEY *rsa_key(int n)
{
	const char *b = getenv("B");
	EVP_PKEY *key = NULL;
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/rsa.pem", b ? b : "build");
	f = fopen(path, "r");
	do {
		EVP_PKEY_free(key);
		key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
	} while (key && n-- > 0);
	if (!key) {
		fprintf(stderr, "%s: no such key\n", path);
		abort();
	}
	fclose(f);
	return key;
}

#endif
