/* SPDX-License-Identifier: MIT */
#include "clients.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* --- SipHash (Aumasson and Bernstein, 2012), one round and three ------- */

static uint64_t rotate(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[static 4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

uint64_t clients_hash(const uint64_t key[static 2],
		      const uint8_t prefix[static PREFIX_LEN])
{
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573,
	};
	uint64_t word[2];
	unsigned int i;

	/* On the byte order the hash depends, but nothing on the hash. */
	memcpy(word, prefix, sizeof(word));
	sip_word(v, word[0]);
	sip_word(v, word[1]);
	sip_word(v, (uint64_t)PREFIX_LEN << 56);
	v[2] ^= 0xff;
	for (i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- the table --------------------------------------------------------- */

int clients_init(struct clients *c, unsigned int most)
{
	size_t places = 2;

	/* Half of it stays empty, so that searches are short. */
	while (places < (size_t)most * 2)
		places *= 2;
	*c = (struct clients){ .mask = places - 1 };
	if (getrandom(c->key, sizeof(c->key), 0) != sizeof(c->key))
		return -errno;
	c->table = calloc(places, sizeof(*c->table));
	return c->table ? 0 : -ENOMEM;
}

void clients_fini(struct clients *c)
{
	free(c->table);
	c->table = NULL;
}

static size_t home(const struct clients *c,
		   const uint8_t prefix[static PREFIX_LEN])
{
	return clients_hash(c->key, prefix) & c->mask;
}

/* Where the client is, or the empty place where it would be. */
static size_t find(const struct clients *c,
		   const uint8_t prefix[static PREFIX_LEN])
{
	size_t i = home(c, prefix);

	while (c->table[i].n && memcmp(c->table[i].prefix, prefix, PREFIX_LEN))
		i = (i + 1) & c->mask;
	return i;
}

unsigned int clients_count(const struct clients *c,
			   const uint8_t prefix[static PREFIX_LEN])
{
	return c->table[find(c, prefix)].n;
}

void clients_add(struct clients *c, const uint8_t prefix[static PREFIX_LEN])
{
	struct client *client = &c->table[find(c, prefix)];

	memcpy(client->prefix, prefix, PREFIX_LEN);
	client->n++;
}

/* Those behind an empty place move up to it, unless they are at home before. */
static void close_gap(struct clients *c, size_t gap)
{
	size_t i = gap, from_home;

	for (;;) {
		i = (i + 1) & c->mask;
		if (!c->table[i].n)
			return;
		from_home = (i - home(c, c->table[i].prefix)) & c->mask;
		if (from_home < ((i - gap) & c->mask))
			continue;
		c->table[gap] = c->table[i];
		c->table[i].n = 0;
		gap = i;
	}
}

void clients_remove(struct clients *c, const uint8_t prefix[static PREFIX_LEN])
{
	size_t i = find(c, prefix);

	assert(c->table[i].n);
	if (!--c->table[i].n)
		close_gap(c, i);
}
