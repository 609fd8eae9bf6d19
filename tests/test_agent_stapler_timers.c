// SPDX-License-Identifier: MIT
#include "agent/stapler/timers.h"

#include "agent_case.h"

TestSuite(timers, .timeout = 20);

static struct timers timers;
static struct timer some[500];

static void start(void)
{
	cr_assert_eq(timers_reserve(&timers, COUNT(some)), 0);
}

static void stop(void)
{
	timers_fini(&timers);
}

/* The same numbers in every run, in no order. */
static uint64_t odd_number(void)
{
	static uint64_t x = 1;

	x = x * 6364136223846793005u + 1442695040888963407u;
	return x >> 54;
}

static unsigned int count_due(uint64_t now)
{
	uint64_t before = 0;
	unsigned int n = 0;
	struct timer *t;

	while ((t = timers_due(&timers, now))) {
		cr_assert_geq(t->at_ms, before);
		cr_assert_leq(t->at_ms, now);
		cr_assert_eq(t->place, 0);
		before = t->at_ms;
		n++;
	}
	return n;
}

Test(timers, are_due_in_the_order_of_their_times, .init = start, .fini = stop)
{
	unsigned int i, early = 0;

	for (i = 0; i < COUNT(some); i++) {
		timer_set(&timers, &some[i], odd_number());
		early += some[i].at_ms <= 500;
	}
	cr_assert_eq(count_due(500), early);
	cr_assert_gt(timers_next(&timers), 500);
	cr_assert_eq(count_due(UINT64_MAX), COUNT(some) - early);
	cr_assert_eq(timers_next(&timers), UINT64_MAX);
}

Test(timers, move_when_set_again_and_go_when_cleared, .init = start,
     .fini = stop)
{
	unsigned int i, left = COUNT(some);

	for (i = 0; i < COUNT(some); i++)
		timer_set(&timers, &some[i], odd_number());
	for (i = 0; i < COUNT(some); i += 2)
		timer_set(&timers, &some[i], odd_number());
	for (i = 0; i < COUNT(some); i += 3, left--)
		timer_clear(&timers, &some[i]);
	timer_clear(&timers, &some[0]);
	cr_assert_eq(count_due(UINT64_MAX), left);
}

Test(timers, one_that_never_ends_is_due_like_any_other, .init = start,
     .fini = stop)
{
	cr_assert_null(timers_due(&timers, UINT64_MAX));
	timer_set(&timers, &some[0], UINT64_MAX);
	cr_assert_null(timers_due(&timers, UINT64_MAX - 1));
	cr_assert_eq(timers_due(&timers, UINT64_MAX), &some[0]);
	cr_assert_null(timers_due(&timers, UINT64_MAX));
}

Test(timers, grow_while_some_are_set)
{
	unsigned int i;

	for (i = 0; i < COUNT(some); i++) {
		cr_assert_eq(timers_reserve(&timers, i + 1), 0);
		timer_set(&timers, &some[i], odd_number());
	}
	cr_assert_eq(count_due(UINT64_MAX), COUNT(some));
	timers_fini(&timers);
}
