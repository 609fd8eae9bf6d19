/* SPDX-License-Identifier: MIT */
/* The command line; see ktls-bench(1). */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum bench {
	BENCH_HANDSHAKE, BENCH_LATENCY, BENCH_QUEUE, BENCH_IDLE, BENCH_BULK,
	BENCH_RELOAD, BENCHES,
};
extern const char *const bench_names[BENCHES];

#define OPTIONS_MAX 16 /* items of a list, and --with */

/*
 * struct list - words between commas, in the order that they were given in
 * None: whatever there is.
 */
struct list {
	size_t n;
	const char *items[OPTIONS_MAX];
};

/*
 * struct options - the strings are those of argv, or its parts
 * Numbers but @rounds are 0 where not given: each bench has its own then.
 * @csv:  NULL: none
 * @with: "NAME=PATH"
 */
struct options {
	enum bench bench;
	unsigned int rounds, count, parallel, clients, writers, readers, mib,
		reloads;
	const char *csv, *baseline, *ktls;
	struct list servers, with, versions, keys, kinds, ways,
		records;
};

/*
 * options_parse - read argv, from the subcommand on
 * @error: gets a sentence when it is wrong; argv is cut up
 * Returns 0 or -EINVAL.
 */
int options_parse(struct options *o, int argc, char **argv, char *error,
		  size_t error_len);

/* Is it in the list, or the list empty? */
bool list_has(const struct list *list, const char *item);
/* The PATH of a "NAME=PATH", or NULL. */
const char *list_value(const struct list *list, const char *name);

#endif
