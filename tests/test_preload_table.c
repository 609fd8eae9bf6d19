// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <pthread.h>

#include "ktls/preload/table.h"

TestSuite(preload_table, .timeout = 30);

Test(preload_table, is_empty_before_it_is_made)
{
	cr_assert_null(table_get(3));
	cr_assert_eq(table_init(), 0);
	cr_assert_null(table_get(3));
	cr_assert_null(table_get(-1));
	cr_assert_null(table_get(TABLE_FDS));
}

Test(preload_table, tells_kinds_apart)
{
	cr_assert_eq(table_init(), 0);
	table_set(5, table_new(ENTRY_CONN));
	table_set(6, table_new(ENTRY_LISTENER));
	table_set(7, table_new(ENTRY_IDLE));
	table_set(8, table_new(ENTRY_OWN));
	cr_assert_not_null(table_conn(5));
	cr_assert_null(table_listener(5));
	cr_assert_not_null(table_listener(6));
	cr_assert_not_null(table_listener(7));
	cr_assert_null(table_conn(8));
	cr_assert_null(table_listener(8));
	cr_assert_eq(table_end, 9);
}

Test(preload_table, copies_share_an_entry_until_the_last_one_goes)
{
	struct entry *e;

	cr_assert_eq(table_init(), 0);
	e = table_new(ENTRY_CONN);
	table_set(5, e);
	table_share(5, 9);
	cr_assert_eq(table_get(9), e);
	cr_assert_not(table_unref(e));
	cr_assert(table_unref(e));
	table_share(100, 101);
	cr_assert_null(table_get(101));
}

Test(preload_table, an_entry_is_used_again_and_is_new_then)
{
	struct entry *e;

	cr_assert_eq(table_init(), 0);
	e = table_new(ENTRY_CONN);
	e->got_close = true;
	e->error = 5;
	table_unref(e);
	cr_assert_eq(table_new(ENTRY_CONN), e);
	cr_assert_not(e->got_close);
	cr_assert_eq(e->error, 0);
	cr_assert_eq(e->epoll, -1);
}

Test(preload_table, what_was_closed_behind_our_back_makes_room)
{
	struct entry *old;

	cr_assert_eq(table_init(), 0);
	old = table_new(ENTRY_CONN);
	table_set(5, old);
	table_set(5, table_new(ENTRY_CONN));
	cr_assert_neq(table_get(5), old);
	cr_assert_eq(table_new(ENTRY_CONN), old);
	table_set(5, NULL);
	cr_assert_null(table_get(5));
}

static _Atomic int clashes;

static void *take_and_give(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50000; i++) {
		struct entry *e = table_new(ENTRY_CONN);

		/* Nobody else has it meanwhile. */
		if (e->queue)
			clashes++;
		e->queue = 1;
		e->queue = 0;
		table_unref(e);
	}
	return NULL;
}

Test(preload_table, threads_never_get_the_same_entry)
{
	pthread_t threads[4];

	cr_assert_eq(table_init(), 0);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, take_and_give, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(clashes, 0);
	cr_assert_leq((int)(table_new(ENTRY_CONN) - table_entries), 5);
}
