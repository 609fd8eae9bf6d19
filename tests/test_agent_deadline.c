// SPDX-License-Identifier: MIT
#include "agent/deadline.h"

#include "agent_case.h"

TestSuite(deadline, .timeout = 10);

static struct deadline_list list;
static struct deadline items[4];
static char order[16];

static void note(struct deadline *d)
{
	char name[] = { (char)('a' + (d - items)), 0 };

	cr_assert_null(d->next, "it is called with the deadline taken out");
	strcat(order, name);
}

static void set(unsigned int i, uint64_t now_ms)
{
	deadline_set(&list, &items[i], now_ms);
}

static void start(void)
{
	deadline_list_init(&list, 10, note);
}

Test(deadline, an_empty_list_never_falls_due)
{
	start();
	cr_assert_eq(deadline_run(&list, 1000), UINT64_MAX);
}

Test(deadline, calls_what_is_due_in_order_and_names_the_next)
{
	start();
	set(0, 100);
	set(1, 101);
	set(2, 105);
	cr_assert_eq(deadline_run(&list, 109), 110);
	cr_assert_str_eq(order, "");
	cr_assert_eq(deadline_run(&list, 111), 115);
	cr_assert_str_eq(order, "ab");
	cr_assert_eq(deadline_run(&list, 200), UINT64_MAX);
	cr_assert_str_eq(order, "abc");
}

Test(deadline, knows_the_oldest)
{
	start();
	cr_assert_null(deadline_oldest(&list));
	set(1, 100);
	set(0, 100);
	cr_assert_eq(deadline_oldest(&list), &items[1]);
	set(1, 101);
	cr_assert_eq(deadline_oldest(&list), &items[0]);
	deadline_clear(&items[0]);
	cr_assert_eq(deadline_oldest(&list), &items[1]);
}

Test(deadline, setting_again_moves_to_the_end)
{
	start();
	set(0, 100);
	set(1, 101);
	set(0, 105);
	cr_assert_eq(deadline_run(&list, 111), 115);
	cr_assert_str_eq(order, "b");
}

Test(deadline, moves_between_lists)
{
	struct deadline_list other;

	start();
	deadline_list_init(&other, 1000, note);
	set(0, 100);
	deadline_set(&other, &items[0], 100);
	cr_assert_eq(deadline_run(&list, 500), UINT64_MAX);
	cr_assert_eq(deadline_run(&other, 500), 1100);
}

Test(deadline, clearing_takes_out_and_may_be_repeated)
{
	start();
	deadline_clear(&items[0]);
	set(0, 100);
	set(1, 100);
	set(2, 100);
	deadline_clear(&items[1]);
	deadline_clear(&items[1]);
	deadline_run(&list, 500);
	cr_assert_str_eq(order, "ac");
}

static void clear_all(struct deadline *d)
{
	unsigned int i;

	note(d);
	for (i = 0; i < COUNT(items); i++)
		deadline_clear(&items[i]);
}

Test(deadline, a_callback_may_clear_the_others)
{
	deadline_list_init(&list, 10, clear_all);
	set(0, 100);
	set(1, 100);
	set(2, 100);
	cr_assert_eq(deadline_run(&list, 500), UINT64_MAX);
	cr_assert_str_eq(order, "a");
}
