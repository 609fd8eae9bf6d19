/* SPDX-License-Identifier: MIT */
/* What the subcommands share: the run, and the servers that take part in it. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdio.h>

#include "cpus.h"
#include "load.h"
#include "options.h"
#include "results.h"
#include "server.h"

/* struct bench - @csv: NULL: none was asked for */
struct bench_run {
	struct options o;
	struct cpus cpus;
	FILE *csv;
};

/* A server is set up for so many more than there will be. */
#define SPARE_CONNECTIONS 200
/* A setup for a bench, of its options; .connections to spare for @count. */
struct setup bench_setup(const struct bench_run *b, enum bench_key key,
			 bool keep, unsigned int count);

/* Each measures, and prints; die() when it cannot. */
void bench_handshake(struct bench_run *b);
void bench_latency(struct bench_run *b);
void bench_queue(struct bench_run *b);
void bench_idle(struct bench_run *b);
void bench_bulk(struct bench_run *b);
void bench_reload(struct bench_run *b);

#define SERVERS_MAX 16
/*
 * struct cast - who takes part, in the order in which they come in a round
 * @names: for results_new()
 */
struct cast {
	size_t n;
	struct server servers[SERVERS_MAX];
	const char *names[SERVERS_MAX];
};

/*
 * cast_fill - those of --servers, or all
 * @own: what is part of this program, behind the first of the servers; of them
 *       relay is ktlsd without kTLS, plain, openssl, ktls-tx and ktls are
 *       serve_run()
 * Servers that are not installed are named on standard output, and left out;
 * so is what the kernel has no kTLS for. die() for a name that nobody has.
 */
void cast_fill(struct cast *cast, const struct bench_run *b,
	       const char *const *own, size_t n_own);
/* cast_start - start one, and print its configuration if it has one */
void cast_start(struct cast *cast, size_t i, const struct setup *setup);
void cast_stop(struct cast *cast);
void cast_free(struct cast *cast);
/* The row of that name; cast->n: there is none. */
size_t cast_row(const struct cast *cast, const char *name);

/* struct shake - a case of handshakes; @what: as "tls1.3-p256-full" */
struct shake {
	enum bench_key key;
	struct talk_plan plan;
	const char *what;
};
typedef void shake_measure(struct cast *cast, const struct bench_run *b,
			   const struct shake *shake);

/*
 * bench_shakes - each case of --versions, --keys and --kinds
 * Servers are started for each key, what is part of this program is not.
 * @own: see cast_fill()
 */
void bench_shakes(const struct bench_run *b, const char *const *own,
		  size_t n_own, shake_measure *measure);

/*
 * bench_hold - open @count connections, @parallel at a time, and keep them open
 * Waits until they are where they belong. Each with TLS 1.3, a server without
 * it in the clear. @l: gets what load_hold() has to have.
 */
struct load_hold *bench_hold(const struct bench_run *b, const struct server *s,
			     unsigned int count, unsigned int parallel,
			     struct load *l);
/*
 * bench_count - how many connections: --count, or @want, or as many as there
 * are descriptors for, with a line that says so; die() for too large a --count
 */
unsigned int bench_count(const struct bench_run *b, unsigned int want);

/* A table on standard output, and lines of CSV. */
void bench_report(const struct bench_run *b, const struct results *r);

#endif
