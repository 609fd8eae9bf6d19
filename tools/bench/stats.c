// SPDX-License-Identifier: MIT
#include "stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_doubles(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int compare_integers(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct spread stats_spread(const double *values, size_t n)
{
	struct spread s = {NAN, NAN, NAN};
	double *sorted = malloc(n * sizeof(*sorted));
	size_t i, k = 0;

	for (i = 0; sorted && i < n; i++)
		if (!isnan(values[i]))
			sorted[k++] = values[i];
	if (k) {
		qsort(sorted, k, sizeof(*sorted), compare_doubles);
		s.median = (sorted[(k - 1) / 2] + sorted[k / 2]) / 2;
		s.low = sorted[0];
		s.high = sorted[k - 1];
	}
	free(sorted);
	return s;
}

void stats_ratios(const double *values, const double *baseline, size_t n,
		  double *out)
{
	size_t i;

	for (i = 0; i < n; i++)
		out[i] = baseline[i] != 0 ? values[i] / baseline[i] : NAN;
}

void stats_sort(uint64_t *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare_integers);
}

uint64_t stats_percentile(const uint64_t *sorted, size_t n, double percent)
{
	size_t rank;

	if (!n)
		return 0;
	/* Not what binary fractions make of 99.9 % of 1000. */
	rank = (size_t)ceil(percent / 100 * n - 1e-9);
	return sorted[rank ? rank - 1 : 0];
}
