// SPDX-License-Identifier: MIT
/*
 * HMAC on the digests' own functions. libcrypto calls them deprecated in favour
 * of objects: to make, look up and lock these costs more than to digest the few
 * bytes that a key schedule does.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "handshake/hmac.h"

#include <string.h>
#include <strings.h>


#define BLOCK_MAX SHA512_CBLOCK

static const struct {
	const char *names[3];
	uint8_t len, block;
	uint8_t empty[HS_HMAC_MAX];
} digests[HS_DIGESTS] = {
	[HS_SHA256] = {
		{ "SHA2-256", "SHA256", "SHA-256" },
		SHA256_DIGEST_LENGTH, SHA256_CBLOCK,
		"\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9"
		"\x24\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52"
		"\xb8\x55",
	},
	[HS_SHA384] = {
		{ "SHA2-384", "SHA384", "SHA-384" },
		SHA384_DIGEST_LENGTH, SHA512_CBLOCK,
		"\x38\xb0\x60\xa7\x51\xac\x96\x38\x4c\xd9\x32\x7e\xb1\xb1\xe3"
		"\x6a\x21\xfd\xb7\x11\x14\xbe\x07\x43\x4c\x0c\xc7\xbf\x63\xf6"
		"\xe1\xda\x27\x4e\xde\xbf\xe7\x6f\x65\xfb\xd5\x1a\xd2\xf1\x48"
		"\x98\xb9\x5b",
	},
};

bool hs_digest_find(const char *name, enum hs_digest *digest)
{
	for (int i = 0; i < HS_DIGESTS; i++)
		for (int j = 0; j < 3; j++)
			if (!strcasecmp(name, digests[i].names[j])) {
				*digest = i;
				return true;
			}
	return false;
}

size_t hs_digest_len(enum hs_digest digest)
{
	return digests[digest].len;
}

const uint8_t *hs_digest_empty(enum hs_digest digest)
{
	return digests[digest].empty;
}

static void begin(enum hs_digest digest, union hs_digest_state *s)
{
	if (digest == HS_SHA256)
		SHA256_Init(&s->sha256);
	else
		SHA384_Init(&s->sha512);
}

static void add(enum hs_digest digest, union hs_digest_state *s,
		const void *data, size_t len)
{
	if (digest == HS_SHA256)
		SHA256_Update(&s->sha256, data, len);
	else
		SHA384_Update(&s->sha512, data, len);
}

static void end(enum hs_digest digest, union hs_digest_state *s, uint8_t *out)
{
	if (digest == HS_SHA256)
		SHA256_Final(out, &s->sha256);
	else
		SHA384_Final(out, &s->sha512);
}

/* A digest's state behind the block of @key, each byte changed by @with */
static void begin_padded(enum hs_digest digest, union hs_digest_state *s,
			 const uint8_t *key, size_t len, uint8_t with)
{
	uint8_t block[BLOCK_MAX];

	memset(block, with, digests[digest].block);
	for (size_t i = 0; i < len; i++)
		block[i] ^= key[i];
	begin(digest, s);
	add(digest, s, block, digests[digest].block);
	explicit_bzero(block, sizeof(block));
}

void hs_hmac_init(struct hs_hmac *h, enum hs_digest digest, const void *key,
		  size_t len)
{
	uint8_t shorter[HS_HMAC_MAX];

	h->digest = digest;
	if (len > digests[digest].block) {
		begin(digest, &h->now);
		add(digest, &h->now, key, len);
		end(digest, &h->now, shorter);
		key = shorter;
		len = digests[digest].len;
	}
	begin_padded(digest, &h->inner, key, len, 0x36);
	begin_padded(digest, &h->outer, key, len, 0x5c);
	explicit_bzero(shorter, sizeof(shorter));
	hs_hmac_again(h);
}

void hs_hmac_again(struct hs_hmac *h)
{
	h->now = h->inner;
}

void hs_hmac_add(struct hs_hmac *h, const void *data, size_t len)
{
	if (len)
		add(h->digest, &h->now, data, len);
}

void hs_hmac_end(struct hs_hmac *h, uint8_t *out)
{
	uint8_t inner[HS_HMAC_MAX];

	end(h->digest, &h->now, inner);
	h->now = h->outer;
	add(h->digest, &h->now, inner, digests[h->digest].len);
	end(h->digest, &h->now, out);
	explicit_bzero(inner, sizeof(inner));
}

void hs_hmac_wipe(struct hs_hmac *h)
{
	explicit_bzero(h, sizeof(*h));
}
