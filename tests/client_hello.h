/* SPDX-License-Identifier: MIT */
/* ClientHellos made by hand, for what no library would say. */
#ifndef TESTS_CLIENT_HELLO_H
#define TESTS_CLIENT_HELLO_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HELLO_MAX 16384

/* The handshake message (RFC 8446 4.1.2), its header included. */
struct hello {
	uint8_t data[HELLO_MAX];
	size_t len;
	size_t extensions;	/* where their length is */
};

static inline void hello_put(struct hello *h, const void *data, size_t len)
{
	if (len > sizeof(h->data) - h->len)
		abort();
	memcpy(h->data + h->len, data, len);
	h->len += len;
}

static inline void hello_put16(struct hello *h, size_t value)
{
	uint8_t p[2] = { value >> 8, value };

	hello_put(h, p, 2);
}

static inline void hello_put8(struct hello *h, uint8_t value)
{
	hello_put(h, &value, 1);
}

static inline void hello_put_list(struct hello *h, const uint16_t *list,
				  size_t n)
{
	hello_put16(h, 2 * n);
	for (size_t i = 0; i < n; i++)
		hello_put16(h, list[i]);
}

/* Lengths are right after each of the following. */
static inline void hello_fix(struct hello *h)
{
	size_t len = h->len - 4;

	h->data[1] = len >> 16;
	h->data[2] = len >> 8;
	h->data[3] = len;
	len = h->len - h->extensions - 2;
	h->data[h->extensions] = len >> 8;
	h->data[h->extensions + 1] = len;
}

static inline void hello_begin(struct hello *h, uint16_t version,
			       const uint16_t *ciphers, size_t n)
{
	static const uint8_t head[4] = { 1 };
	uint8_t random[32];

	h->len = 0;
	memset(random, 0x5a, sizeof(random));
	hello_put(h, head, sizeof(head));
	hello_put16(h, version);
	hello_put(h, random, sizeof(random));
	hello_put8(h, sizeof(random));
	hello_put(h, random, sizeof(random));	/* session id */
	hello_put_list(h, ciphers, n);
	hello_put16(h, 0x0100);			/* compression: null */
	h->extensions = h->len;
	hello_put16(h, 0);
	hello_fix(h);
}

static inline void hello_extend(struct hello *h, uint16_t type,
				const void *data, size_t len)
{
	hello_put16(h, type);
	hello_put16(h, len);
	hello_put(h, data, len);
	hello_fix(h);
}

/* An extension that is a list of 16-bit values, with its length before it. */
static inline void hello_extend_list(struct hello *h, uint16_t type,
				     const uint16_t *list, size_t n)
{
	hello_put16(h, type);
	hello_put16(h, 2 * n + 2);
	hello_put_list(h, list, n);
	hello_fix(h);
}

/* supported_versions, whose length has one byte */
static inline void hello_extend_versions(struct hello *h, const uint16_t *list,
					 size_t n)
{
	hello_put16(h, 43);
	hello_put16(h, 2 * n + 1);
	hello_put8(h, 2 * n);
	for (size_t i = 0; i < n; i++)
		hello_put16(h, list[i]);
	hello_fix(h);
}

/* As records of at most @max bytes. Returns their length. */
static inline size_t hello_records(const struct hello *h, size_t max,
				   uint8_t *wire)
{
	size_t len = 0;

	for (size_t at = 0; at < h->len; at += max) {
		size_t n = h->len - at < max ? h->len - at : max;
		uint8_t head[5] = { 22, 3, 1, n >> 8, n };

		memcpy(wire + len, head, 5);
		memcpy(wire + len + 5, h->data + at, n);
		len += 5 + n;
	}
	return len;
}

#endif
