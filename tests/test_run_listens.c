// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <sys/socket.h>

#include "tools/run/listens.h"

TestSuite(run_listens, .timeout = 10);

#define NOW 1000000
#define DUE (NOW + RUN_LISTENS_MS)

Test(run_listens, ipv4_alone_is_ended_when_its_time_is_over)
{
	struct run_listens l = {.strict = true};

	cr_assert_eq(run_listens_judge(&l, true, NOW), RUN_FINE);
	run_listens_note(&l, AF_INET, 443, NOW);
	cr_assert_eq(l.port, 443);
	cr_assert_eq(l.due_ms, DUE);
	cr_assert_eq(run_listens_judge(&l, true, DUE - 1), RUN_FINE);
	cr_assert_eq(run_listens_judge(&l, true, DUE), RUN_END);
	cr_assert_eq(run_listens_judge(&l, true, DUE + 1), RUN_FINE, "once");
}

/* What the library was told at the start is what it goes by. */
Test(run_listens, it_is_ended_even_if_ktlsd_says_something_else_by_now)
{
	struct run_listens l = {.strict = true};

	run_listens_note(&l, AF_INET, 443, NOW);
	cr_assert_eq(run_listens_judge(&l, false, DUE), RUN_END);
}

Test(run_listens, time_does_not_begin_anew)
{
	struct run_listens l = {.strict = true};

	run_listens_note(&l, AF_INET, 443, NOW);
	run_listens_note(&l, AF_INET, 443, NOW + 1000);
	run_listens_again(&l, NOW + 1000);
	cr_assert_eq(l.due_ms, DUE);
}

Test(run_listens, both_families_are_right_in_both_orders)
{
	static const int orders[][2] = {
		{AF_INET, AF_INET6},
		{AF_INET6, AF_INET},
		{AF_INET6, AF_INET6},
		{0, AF_UNIX},
	};

	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		struct run_listens l = {.strict = true};

		run_listens_note(&l, orders[i][0], 443, NOW);
		run_listens_note(&l, orders[i][1], 443, NOW + 1);
		run_listens_again(&l, NOW + 2);
		cr_expect_eq(l.due_ms, 0);
		cr_expect_eq(run_listens_judge(&l, true, DUE + 1), RUN_FINE);
	}
}

Test(run_listens, ipv4_alone_is_right_where_no_others_may_come)
{
	struct run_listens l = {.strict = false};

	run_listens_note(&l, AF_INET, 443, NOW);
	cr_assert_eq(run_listens_judge(&l, false, DUE), RUN_FINE);
	run_listens_again(&l, DUE + 1);
	cr_assert_eq(run_listens_judge(&l, false, DUE + 1), RUN_FINE);
}

Test(run_listens, it_goes_on_with_a_warning_when_others_may_come_later)
{
	struct run_listens l = {.strict = false};

	run_listens_note(&l, AF_INET, 443, NOW);
	cr_assert_eq(run_listens_judge(&l, false, DUE), RUN_FINE);
	run_listens_again(&l, DUE + 7);
	cr_assert_eq(run_listens_judge(&l, true, DUE + 7), RUN_WARN);
	cr_assert_eq(run_listens_judge(&l, true, DUE + 8), RUN_FINE, "once");
	run_listens_again(&l, DUE + 9);
	cr_assert_eq(run_listens_judge(&l, true, DUE + 9), RUN_WARN,
		     "at each registration");
}
