// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/results.h"

TestSuite(bench_results, .timeout = 10);

static const char *const rows[] = {"ktlsd", "other", "silent"};
static const struct metric metrics[] = {
	{"rate", "/s", 0, true},
	{"inner", "us", 1, false},
};

static struct results *example(void)
{
	struct results *r = results_new("b", "c", rows, 3, metrics, 2, 3);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		results_set(r, 0, 0, i, 100 + i);
		results_set(r, 1, 0, i, 2 * (100 + i));
	}
	results_set(r, 1, 1, 0, 0.5);
	return r;
}

static char *printed(void (*print)(const struct results *r, const char *base,
				   FILE *out),
		     const struct results *r, const char *base)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	print(r, base, out);
	fclose(out);
	return text;
}

Test(bench_results, csv_has_every_value_and_what_it_comes_to)
{
	struct results *r = example();
	char *text;

	results_note(r, 1, "it said \"no\"");
	results_note(r, 1, "%d times", 2);
	text = printed(results_csv, r, "ktlsd");
	cr_assert_str_eq(
		text,
		"b,c,ktlsd,rate,/s,ktlsd,3,101,100,102,1,1,1,100 101 102,\"\"\n"
		"b,c,other,rate,/s,ktlsd,3,202,200,204,2,2,2,200 202 204,"
		"\"it said \"\"no\"\"; 2 times\"\n"
		"b,c,other,inner,us,ktlsd,3,0.5,0.5,0.5,,,,0.5 nan nan,"
		"\"it said \"\"no\"\"; 2 times\"\n");
	free(text);
	results_free(r);
}

Test(bench_results, without_the_baseline_there_is_no_ratio)
{
	struct results *r = example();
	char *text = printed(results_csv, r, "missing");

	cr_assert(strstr(text, ",3,101,100,102,,,,100 101 102,"), "%s", text);
	free(text);
	results_free(r);
}

Test(bench_results, a_table_shows_what_is_shown)
{
	struct results *r = example();
	char *text;

	results_note(r, 2, "it was asleep");
	text = printed(results_table, r, "ktlsd");
	cr_assert(strstr(text, "202 ±1%  2.00"), "%s", text);
	cr_assert(strstr(text, "silent"));
	free(text);
	/* What is a difference. */
	for (unsigned int i = 0; i < 3; i++)
		results_set(r, 0, 0, i, -100.0 - i);
	text = printed(results_table, r, "ktlsd");
	cr_assert(strstr(text, "-101 ±1%  1.00"), "%s", text);
	cr_assert(strstr(text, "silent: it was asleep\n"));
	cr_assert_null(strstr(text, "inner"));
	free(text);
	results_free(r);
}
