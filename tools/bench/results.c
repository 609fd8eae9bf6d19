// SPDX-License-Identifier: MIT
#include "results.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "stats.h"
#include "util.h"

struct results {
	const char *bench, *what;
	const char *const *rows;
	const struct metric *metrics;
	size_t n_rows, n_metrics;
	unsigned int rounds;
	char **notes;
	double *values; /* by row, then metric, then round */
};

struct results *results_new(const char *bench, const char *what,
			    const char *const *rows, size_t n_rows,
			    const struct metric *metrics, size_t n_metrics,
			    unsigned int rounds)
{
	struct results *r = zalloc(sizeof(*r));
	size_t i, n = n_rows * n_metrics * rounds;

	*r = (struct results){bench, what, rows, metrics, n_rows, n_metrics,
			      rounds, NULL, NULL};
	r->notes = zalloc(n_rows * sizeof(*r->notes));
	r->values = zalloc(n * sizeof(*r->values));
	for (i = 0; i < n; i++)
		r->values[i] = NAN;
	return r;
}

void results_free(struct results *r)
{
	size_t i;

	for (i = 0; i < r->n_rows; i++)
		free(r->notes[i]);
	free(r->notes);
	free(r->values);
	free(r);
}

static double *values_of(const struct results *r, size_t row, size_t metric)
{
	return r->values + (row * r->n_metrics + metric) * r->rounds;
}

void results_set(struct results *r, size_t row, size_t metric,
		 unsigned int round, double value)
{
	values_of(r, row, metric)[round] = value;
}

double results_get(const struct results *r, size_t row, size_t metric,
		   unsigned int round)
{
	return values_of(r, row, metric)[round];
}

void results_note(struct results *r, size_t row, const char *format, ...)
{
	char *before = r->notes[row], *more;
	va_list args;

	va_start(args, format);
	if (vasprintf(&more, format, args) < 0)
		die("out of memory");
	va_end(args);
	r->notes[row] = before ? text("%s; %s", before, more) : more;
	if (before)
		free(more);
	free(before);
}

static struct spread ratios(const struct results *r, size_t row, size_t metric,
			    const char *baseline)
{
	double *out = zalloc(r->rounds * sizeof(*out));
	struct spread s = {NAN, NAN, NAN};
	size_t base = 0;

	while (base < r->n_rows && strcmp(r->rows[base], baseline))
		base++;
	if (base < r->n_rows) {
		stats_ratios(values_of(r, row, metric),
			     values_of(r, base, metric), r->rounds, out);
		s = stats_spread(out, r->rounds);
	}
	free(out);
	return s;
}

/* --- the table ------------------------------------------------------------------ */

#define FIRST 10
/* And a blank before it, also where it takes more. */
#define CELL 17

static void head(const struct results *r, FILE *out)
{
	char title[64];
	size_t i;

	fprintf(out, "\n%s %s\n%-*s", r->bench, r->what, FIRST, "");
	for (i = 0; i < r->n_metrics; i++) {
		if (!r->metrics[i].shown)
			continue;
		snprintf(title, sizeof(title), "%s%s%s", r->metrics[i].name,
			 *r->metrics[i].unit ? " " : "", r->metrics[i].unit);
		fprintf(out, " %*s", CELL, title);
	}
	fputc('\n', out);
}

static void cell(const struct results *r, size_t row, size_t metric,
		 const char *baseline, FILE *out)
{
	struct spread s =
		stats_spread(values_of(r, row, metric), r->rounds);
	const double ratio = ratios(r, row, metric, baseline).median;
	char buf[64], end[16] = "    -";

	if (isnan(s.median)) {
		fprintf(out, " %*s", CELL, "-");
		return;
	}
	if (!isnan(ratio))
		snprintf(end, sizeof(end), "%5.2f", ratio);
	snprintf(buf, sizeof(buf), "%.*f ±%.0f%% %s",
		 r->metrics[metric].decimals, s.median,
		 s.median != 0 ? 50 * (s.high - s.low) / fabs(s.median) : 0,
		 end);
	/* One character of it has two bytes. */
	fprintf(out, " %*s", CELL + 1, buf);
}

void results_table(const struct results *r, const char *baseline, FILE *out)
{
	size_t row, metric;

	head(r, out);
	for (row = 0; row < r->n_rows; row++) {
		fprintf(out, "%-*s", FIRST, r->rows[row]);
		for (metric = 0; metric < r->n_metrics; metric++)
			if (r->metrics[metric].shown)
				cell(r, row, metric, baseline, out);
		fputc('\n', out);
	}
	for (row = 0; row < r->n_rows; row++)
		if (r->notes[row])
			fprintf(out, "  %s: %s\n", r->rows[row],
				r->notes[row]);
	fflush(out);
}

/* --- CSV ------------------------------------------------------------------------ */

/* The program never calls setlocale(3): printf(3) has a point. */
static void number(double value, FILE *out)
{
	if (isnan(value))
		fputc(',', out);
	else
		fprintf(out, ",%.6g", value);
}

static void quoted(const char *s, FILE *out)
{
	fputs(",\"", out);
	for (; s && *s; s++) {
		if (*s == '"')
			fputc('"', out);
		fputc(*s == '\n' ? ' ' : *s, out);
	}
	fputs("\"\n", out);
}

void results_csv_head(FILE *out)
{
	fputs("bench,case,server,metric,unit,baseline,rounds,median,low,high,"
	      "ratio,ratio_low,ratio_high,values,note\n",
	      out);
	fflush(out);
}

static void line(const struct results *r, size_t row, size_t metric,
		 const char *baseline, FILE *out)
{
	const double *values = values_of(r, row, metric);
	const struct spread s = stats_spread(values, r->rounds);
	const struct spread ratio = ratios(r, row, metric, baseline);
	unsigned int i;

	if (isnan(s.median))
		return;
	fprintf(out, "%s,%s,%s,%s,%s,%s,%u", r->bench, r->what, r->rows[row],
		r->metrics[metric].name, r->metrics[metric].unit, baseline,
		r->rounds);
	number(s.median, out);
	number(s.low, out);
	number(s.high, out);
	number(ratio.median, out);
	number(ratio.low, out);
	number(ratio.high, out);
	for (i = 0; i < r->rounds; i++)
		fprintf(out, "%c%.6g", i ? ' ' : ',', values[i]);
	quoted(r->notes[row], out);
}

void results_csv(const struct results *r, const char *baseline, FILE *out)
{
	size_t row, metric;

	for (row = 0; row < r->n_rows; row++)
		for (metric = 0; metric < r->n_metrics; metric++)
			line(r, row, metric, baseline, out);
	fflush(out);
}
