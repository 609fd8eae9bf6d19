/* SPDX-License-Identifier: MIT */
/* A server that runs, with what is behind it. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "behind.h"
#include "cpus.h"
#include "peers.h"
#include "proc.h"
#include "scratch.h"

/*
 * struct server
 * @peer:    NULL: part of this program
 * @ktls:    of ktlsd, other than --ktls; or NULL
 * @tls:     of what is part of this program
 * @front, @behind: process groups; 0: none
 * @seen:    by what is behind it; NULL: nothing is
 * @config:  as it was written; @shown: it has been
 */
struct server {
	const char *name;
	const struct peer *peer;
	char *program;
	const char *ktls;
	enum own_tls tls;
	pid_t front, behind;
	uint16_t port;
	volatile struct behind_seen *seen;
	char *config;
	bool shown;
};

/*
 * struct setup - how servers are to be started
 * @ktls: see struct place; .ktls of a server stands before it
 * @keep: of what is behind them, see struct behind
 * @connections: that they must be able to have at a time
 */
struct setup {
	enum bench_key key;
	const char *ktls;
	bool keep;
	unsigned int connections;
	const struct cpus *cpus;
};

/*
 * server_start - and wait until it listens
 * What is part of this program is serve_run(), which keeps its clients. die()
 * with what it has printed when it ends instead.
 */
void server_start(struct server *s, const struct setup *setup);
/* server_start_bare - the bare loop, which hands off to a process of its own */
void server_start_bare(struct server *s, const struct flights *flights,
		       const struct cpus *cpus);
void server_stop(struct server *s);

/* struct server_usage - so far; what is behind it apart */
struct server_usage {
	struct usage front, behind;
};
struct server_usage server_usage(const struct server *s);
/* What has been used since then. */
struct server_usage server_usage_since(const struct server *s,
				       const struct server_usage *before);
/* The part of @wall_ns in which it ran, or wanted a CPU and did not get one. */
double server_busy(const struct server_usage *used, uint64_t wall_ns);

#endif
