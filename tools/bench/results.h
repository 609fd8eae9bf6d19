/* SPDX-License-Identifier: MIT */
/* What was measured, round by round, as a table and as CSV. */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * struct metric
 * @decimals: in the table
 * @shown:    there; all are in the CSV
 */
struct metric {
	const char *name, *unit;
	int decimals;
	bool shown;
};

/*
 * results_new - for one case, as "tls1.3-p256-full"
 * The strings and @metrics stay the caller's; @rows are servers by name.
 * Values are NAN until they are set.
 */
struct results;
struct results *results_new(const char *bench, const char *what,
			    const char *const *rows, size_t n_rows,
			    const struct metric *metrics, size_t n_metrics,
			    unsigned int rounds);
void results_free(struct results *r);

void results_set(struct results *r, size_t row, size_t metric,
		 unsigned int round, double value);
double results_get(const struct results *r, size_t row, size_t metric,
		   unsigned int round);
/* One more thing to be said about a row. */
__attribute__((format(printf, 3, 4))) void
results_note(struct results *r, size_t row, const char *format, ...);

/*
 * results_table - for people: median, half of the range in per cent, and the
 * ratio to @baseline, in each round, its median
 */
void results_table(const struct results *r, const char *baseline, FILE *out);

/*
 * results_csv - a line for each row and metric that has a value; the columns are
 * in ktls-bench(1). Numbers have a point, whatever the locale.
 */
void results_csv_head(FILE *out);
void results_csv(const struct results *r, const char *baseline, FILE *out);

#endif
