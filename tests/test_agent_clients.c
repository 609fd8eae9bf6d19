// SPDX-License-Identifier: MIT
#include "agent/clients.h"

#include "agent_case.h"

TestSuite(clients, .timeout = 20);

#define MOST 64

static struct clients clients;

static void start(void)
{
	cr_assert_eq(clients_init(&clients, MOST), 0);
}

static void stop(void)
{
	clients_fini(&clients);
}

static const uint8_t *prefix(unsigned int i)
{
	static uint8_t bytes[PREFIX_LEN];

	memset(bytes, 0, sizeof(bytes));
	bytes[0] = 0x20;
	bytes[6] = (uint8_t)(i >> 8);
	bytes[7] = (uint8_t)i;
	return bytes;
}

Test(clients, are_counted_one_by_one, .init = start, .fini = stop)
{
	cr_assert_eq(clients_count(&clients, prefix(1)), 0);
	clients_add(&clients, prefix(1));
	clients_add(&clients, prefix(1));
	clients_add(&clients, prefix(2));
	cr_assert_eq(clients_count(&clients, prefix(1)), 2);
	cr_assert_eq(clients_count(&clients, prefix(2)), 1);
	clients_remove(&clients, prefix(1));
	cr_assert_eq(clients_count(&clients, prefix(1)), 1);
	clients_remove(&clients, prefix(1));
	clients_remove(&clients, prefix(2));
	cr_assert_eq(clients_count(&clients, prefix(1)), 0);
	cr_assert_eq(clients_count(&clients, prefix(2)), 0);
}

static size_t counted(void)
{
	size_t i, n = 0;

	for (i = 0; i <= clients.mask; i++)
		n += clients.table[i].n;
	return n;
}

/* As many as there can be, coming and going; the same in a plain array. */
Test(clients, are_found_wherever_the_table_put_them, .init = start,
     .fini = stop)
{
	unsigned int want[200] = { 0 }, i, who, n = 0;

	srand(4711);
	for (i = 0; i < 200000; i++) {
		who = (unsigned int)rand() % COUNT(want);
		if (n < MOST && rand() % 2) {
			clients_add(&clients, prefix(who));
			want[who]++;
			n++;
		} else if (want[who]) {
			clients_remove(&clients, prefix(who));
			want[who]--;
			n--;
		}
		who = (unsigned int)rand() % COUNT(want);
		cr_assert_eq(clients_count(&clients, prefix(who)), want[who],
			     "step %u", i);
	}
	cr_assert_eq(counted(), n);
	for (i = 0; i < COUNT(want); i++)
		for (; want[i]; want[i]--)
			clients_remove(&clients, prefix(i));
	cr_assert_eq(counted(), 0);
}

/* All at one place: searches go on to the table's end and its beginning. */
Test(clients, that_fall_together_are_kept_apart, .init = start, .fini = stop)
{
	unsigned int same[8], n = 0, i, j;

	for (i = 0; n < COUNT(same); i++)
		if ((clients_hash(clients.key, prefix(i)) & clients.mask) ==
		    clients.mask)
			same[n++] = i;
	for (i = 0; i < COUNT(same); i++)
		clients_add(&clients, prefix(same[i]));
	cr_assert(clients.table[clients.mask].n && clients.table[0].n);
	for (i = 0; i < COUNT(same); i++) {
		clients_remove(&clients, prefix(same[i]));
		for (j = 0; j < COUNT(same); j++)
			cr_expect_eq(clients_count(&clients, prefix(same[j])),
				     j > i ? 1 : 0);
	}
}

Test(clients, are_put_where_nobody_can_foresee)
{
	struct clients other;

	start();
	cr_assert_eq(clients_init(&other, MOST), 0);
	cr_assert_neq(clients.key[0], other.key[0]);
	cr_assert_neq(clients_hash(clients.key, prefix(1)),
		      clients_hash(other.key, prefix(1)));
	clients_fini(&other);
	stop();
}

/* Addresses in a row, as one who owns a large range would use them. */
Test(clients, are_spread_over_the_table)
{
	unsigned int i, longest = 0, length = 0;

	cr_assert_eq(clients_init(&clients, 16384), 0);
	cr_assert_eq(clients.mask, 32767);
	for (i = 0; i < 16384; i++)
		clients_add(&clients, prefix(i));
	for (i = 0; i <= clients.mask; i++) {
		length = clients.table[i].n ? length + 1 : 0;
		longest = length > longest ? length : longest;
	}
	/* Of 1,000 tables filled so, the longest row had 60. */
	cr_assert_lt(longest, 200);
	stop();
}
