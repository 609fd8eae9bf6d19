// SPDX-License-Identifier: MIT
#define OPENSSL_SUPPRESS_DEPRECATED

#include "handshake/random.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <openssl/rand.h>

/*
 * A page of its own, which a child finds filled with zeros: nothing is left.
 */
struct pool {
	size_t left;		/* of data, at its end */
	uint8_t data[4096 - sizeof(size_t)];
};
_Static_assert(sizeof(struct pool) == 4096, "a page");

/* Each thread's; it lives as long as the process. */
static _Thread_local struct pool *pool;

/* NULL: there is no memory that is good enough. */
static struct pool *pool_new(void)
{
	struct pool *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (!madvise(p, sizeof(*p), MADV_WIPEONFORK) &&
	    !madvise(p, sizeof(*p), MADV_DONTDUMP))
		return p;
	munmap(p, sizeof(*p));
	return NULL;
}

static int fill(uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = getrandom(data, len, 0);

		if (n < 0 && errno != EINTR)
			return 0;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 1;
}

/* RAND_METHOD's: 1, or 0 on failure */
static int bytes(unsigned char *out, int n)
{
	size_t len = n > 0 ? (size_t)n : 0;
	uint8_t *end;

	if (!pool)
		pool = pool_new();
	if (n < 0)
		return 0;
	if (!pool || len > sizeof(pool->data) / 8)
		return fill(out, len);
	if (len > pool->left) {
		pool->left = 0;
		if (!fill(pool->data, sizeof(pool->data)))
			return 0;
		pool->left = sizeof(pool->data);
	}
	end = pool->data + pool->left;
	memcpy(out, end - len, len);
	explicit_bzero(end - len, len);
	pool->left -= len;
	return 1;
}

static int seed(const void *data, int len)
{
	(void)data;
	(void)len;
	return 1;
}

static int add(const void *data, int len, double entropy)
{
	(void)entropy;
	return seed(data, len);
}

static int status(void)
{
	return 1;
}

void hs_random_use(void)
{
	static const RAND_METHOD method = {
		.seed = seed,
		.bytes = bytes,
		.add = add,
		.pseudorand = bytes,
		.status = status,
	};

	RAND_set_rand_method(&method);
}
