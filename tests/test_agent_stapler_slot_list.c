// SPDX-License-Identifier: MIT
#include "agent/stapler/slot_list.h"

#include "agent_case.h"

TestSuite(slot_list, .timeout = 10);

static struct slot_list list;
static struct slot_link links[3];

static void expect_next(const struct slot_link *link)
{
	cr_assert_eq(list.first, link);
	cr_assert(link->in);
	slot_list_drop(&list);
	cr_assert_not(link->in);
}

Test(slot_list, keeps_the_order_and_holds_each_once)
{
	static const unsigned int order[] = { 1, 0, 1, 2, 0, 2 };
	unsigned int i;

	for (i = 0; i < COUNT(order); i++)
		slot_list_add(&list, &links[order[i]]);
	expect_next(&links[1]);
	expect_next(&links[0]);
	slot_list_add(&list, &links[1]);
	expect_next(&links[2]);
	expect_next(&links[1]);
	cr_assert_null(list.first);
	slot_list_add(&list, &links[0]);
	expect_next(&links[0]);
	cr_assert_null(list.first);
}
