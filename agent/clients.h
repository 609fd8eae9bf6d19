/* SPDX-License-Identifier: MIT */
/*
 * How many of its connections each client has: a table as large as there can be
 * connections, so that counting allocates nothing and never fails. Its hash is
 * keyed by random bytes: nobody can choose addresses that fall together.
 */
#ifndef AGENT_CLIENTS_H
#define AGENT_CLIENTS_H

#include <stddef.h>
#include <stdint.h>

#include "prefix.h"

struct client {
	uint8_t prefix[PREFIX_LEN];
	unsigned int n;		/* 0: nobody is here */
};

struct clients {
	struct client *table;	/* NULL: nobody is counted */
	size_t mask;		/* places - 1, a power of two */
	uint64_t key[2];
};

/*
 * clients_init - room for @most connections, of as many clients
 * Returns 0, -ENOMEM, or -errno of getrandom(2).
 */
int clients_init(struct clients *c, unsigned int most);
void clients_fini(struct clients *c);	/* also of zeros */

/* clients_count - how many it has */
unsigned int clients_count(const struct clients *c,
			   const uint8_t prefix[static PREFIX_LEN]);
/* clients_add - one more; there are fewer than @most in all */
void clients_add(struct clients *c, const uint8_t prefix[static PREFIX_LEN]);
/* clients_remove - one less, of one that was added */
void clients_remove(struct clients *c, const uint8_t prefix[static PREFIX_LEN]);

/* clients_hash - SipHash-1-3 of a prefix, for the table's test */
uint64_t clients_hash(const uint64_t key[static 2],
		      const uint8_t prefix[static PREFIX_LEN]);

#endif
