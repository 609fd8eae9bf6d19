// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <math.h>

#include "tools/bench/load.h"
#include "tools/bench/stats.h"

TestSuite(bench_stats, .timeout = 10);

#define N(values) (sizeof(values) / sizeof((values)[0]))

Test(bench_stats, median_of_an_odd_number_is_the_middle_one)
{
	const double values[] = {9, 1, 5};
	struct spread s = stats_spread(values, N(values));

	cr_assert_eq(s.median, 5);
	cr_assert_eq(s.low, 1);
	cr_assert_eq(s.high, 9);
	cr_assert_eq(values[0], 9, "the values were put in another order");
}

Test(bench_stats, median_of_an_even_number_lies_between_two)
{
	const double values[] = {4, 1, 2, 100};

	cr_assert_eq(stats_spread(values, N(values)).median, 3);
}

Test(bench_stats, what_is_no_number_is_left_out)
{
	const double values[] = {NAN, 7, NAN, 3};
	const double none[] = {NAN, NAN};
	struct spread s = stats_spread(values, N(values));

	cr_assert_eq(s.median, 5);
	cr_assert_eq(s.low, 3);
	cr_assert(isnan(stats_spread(none, N(none)).median));
	cr_assert(isnan(stats_spread(none, 0).high));
}

Test(bench_stats, ratios_are_of_the_same_round)
{
	const double values[] = {10, 30, 5, NAN}, base[] = {10, 10, 0, 1};
	double out[4];

	stats_ratios(values, base, 4, out);
	cr_assert_eq(out[0], 1);
	cr_assert_eq(out[1], 3);
	cr_assert(isnan(out[2]), "nothing is a multiple of 0");
	cr_assert(isnan(out[3]));
}

Test(bench_stats, percentiles_are_values_by_nearest_rank)
{
	uint64_t values[1000];
	size_t i;

	for (i = 0; i < 1000; i++)
		values[i] = 1000 - i;
	stats_sort(values, 1000);
	cr_assert_eq(values[0], 1);
	cr_assert_eq(stats_percentile(values, 1000, 50), 500);
	cr_assert_eq(stats_percentile(values, 1000, 99), 990);
	cr_assert_eq(stats_percentile(values, 1000, 99.9), 999);
	cr_assert_eq(stats_percentile(values, 1000, 100), 1000);
	cr_assert_eq(stats_percentile(values, 1000, 0.01), 1);
	cr_assert_eq(stats_percentile(values, 3, 50), 2);
	cr_assert_eq(stats_percentile(values, 1, 99.9), 1);
	cr_assert_eq(stats_percentile(values, 0, 50), 0);
}

Test(bench_stats, a_busy_client_is_the_limit_if_the_server_is_not_busy)
{
	cr_assert(load_limits(0.95, 0.7));
	cr_assert_not(load_limits(0.95, 0.95));
	cr_assert_not(load_limits(0.5, 0.7));
}
