// SPDX-License-Identifier: MIT
#include "handshake/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

/*
 * What is shorter has no room for a secret, and is a third of all. What is longer
 * is for records, which are long: in a relay one is freed with each of them.
 */
#define WIPE_MIN 32
#define WIPE_MAX 16383

static void *make(size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	return len ? malloc(len) : NULL;
}

static void unmake(void *p, const char *file, int line)
{
	size_t len = p ? malloc_usable_size(p) : 0;

	(void)file;
	(void)line;
	if (len >= WIPE_MIN && len <= WIPE_MAX)
		explicit_bzero(p, len);
	free(p);
}

/* Where it held a secret, they do not call this (OPENSSL_clear_realloc()). */
static void *change(void *p, size_t len, const char *file, int line)
{
	if (len)
		return realloc(p, len);
	unmake(p, file, line);
	return NULL;
}

bool hs_memory_wipe(void)
{
	return CRYPTO_set_mem_functions(make, change, unmake);
}
