/* SPDX-License-Identifier: MIT */
/* What repeated measurements come to. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

/* struct spread - of some values: the middle one, the lowest, the highest */
struct spread {
	double median, low, high;
};

/*
 * stats_spread - of @n values, which stay as they are
 * Of an even number the median is the mean of the two in the middle. Values that
 * are no number (NAN) are left out; of none at all everything is NAN.
 */
struct spread stats_spread(const double *values, size_t n);

/*
 * stats_ratios - each value by its counterpart of the baseline
 * What was measured side by side is compared pair by pair, so that what slowed
 * both down is no difference. @out: gets @n; NAN where the baseline is 0 or NAN.
 */
void stats_ratios(const double *values, const double *baseline, size_t n,
		  double *out);

/* stats_sort - in place, in rising order */
void stats_sort(uint64_t *values, size_t n);
/*
 * stats_percentile - the value that @percent of @n sorted ones do not exceed
 * Nearest rank: always one of the values; 0 when there is none.
 * @percent: above 0, 100 at most
 */
uint64_t stats_percentile(const uint64_t *sorted, size_t n, double percent);

#endif
