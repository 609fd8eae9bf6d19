// SPDX-License-Identifier: MIT
/*
 * ktls-bench handshake: what a handshake takes. Each server in turn gets the
 * same connections; then all again, as often as there are rounds.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "group.h"
#include "load.h"
#include "memory.h"
#include "stats.h"
#include "util.h"

enum { RATE, CPU, FRONT, P50, P99, P999, USER, SYSTEM, FAILED, TICKETS, CLIENT,
       SERVER, METRICS };
static const struct metric metrics[METRICS] = {
	[RATE] = {"rate", "/s", 0, true},
	[CPU] = {"cpu", "us", 1, true},
	[FRONT] = {"front", "us", 1, true},
	[P50] = {"p50", "ms", 2, true},
	[P99] = {"p99", "ms", 2, true},
	[P999] = {"p99.9", "ms", 2, true},
	[USER] = {"user", "us", 1, false},
	[SYSTEM] = {"system", "us", 1, false},
	[FAILED] = {"failed", "connections", 0, false},
	[TICKETS] = {"tickets", "each", 2, false},
	[CLIENT] = {"client-busy", "of-time", 2, false},
	[SERVER] = {"server-busy", "of-time", 2, false},
};

static const char *const own[] = {"openssl", "bare", "floor"};

/*
 * struct tally - what is to be said of a server, over all rounds
 * @limited: rounds in which the client could do no more
 * @lost:    connections that did not come out behind it
 * @fresh:   that were to be resumed, and were not
 */
struct tally {
	unsigned int limited, failed, lost, relayed, fresh;
	char error[200];
};

/* struct window - one server's turn */
struct window {
	const struct bench_run *b;
	struct results *r;
	size_t row;
	unsigned int round;
	enum bench_key key;
	const struct talk_plan *plan;
	struct tally *tally;
};

static unsigned int count_of(const struct options *o)
{
	return o->count ? o->count : 1000;
}

static void set(const struct window *w, int metric, double value)
{
	results_set(w->r, w->row, metric, w->round, value);
}

/* --- OpenSSL alone -------------------------------------------------------------- */

struct memory_task {
	const struct window *w;
	struct memory_outcome *out;
};

static void become_memory(void *arg)
{
	const struct memory_task *t = arg;

	memory_run(t->w->plan, t->w->key, count_of(&t->w->b->o), t->out);
}

/* In a process of its own, where servers run. */
static void measure_memory(const struct window *w)
{
	struct memory_outcome *out = shared_alloc(sizeof(*out));
	struct memory_task task = {w, out};

	if (group_wait(group_fork(become_memory, &task, &w->b->cpus.server)))
		die("OpenSSL alone ended");
	set(w, CPU, out->server_ns / 1e3 / out->done);
	set(w, FRONT, out->server_ns / 1e3 / out->done);
	set(w, TICKETS, (double)out->tickets / out->done);
	munmap(out, sizeof(*out));
}

/* --- servers ---------------------------------------------------------------------- */

static void book_cpu(const struct window *w, const struct server_usage *used,
		     const struct load_outcome *out)
{
	const struct usage *front = &used->front, *behind = &used->behind;
	const double busy = server_busy(used, out->wall_ns);
	const double us = 1e-3 / out->done;

	set(w, CPU, (front->cpu_ns + behind->cpu_ns) * us);
	set(w, FRONT, front->cpu_ns * us);
	set(w, USER, (front->user_ns + behind->user_ns) * us);
	set(w, SYSTEM, (front->system_ns + behind->system_ns) * us);
	set(w, SERVER, busy);
	w->tally->limited += w->b->cpus.apart && load_limits(out->busy, busy);
}

static void book_latency(const struct window *w, const struct load_outcome *out)
{
	static const double percent[] = {50, 99, 99.9};
	int i;

	for (i = 0; i < 3; i++)
		set(w, P50 + i,
		    stats_percentile(out->latency_ns, out->done, percent[i]) /
			    1e6);
}

static void book(const struct window *w, const struct server_usage *used,
		 const struct load_outcome *out)
{
	set(w, FAILED, out->failed);
	set(w, CLIENT, out->busy);
	w->tally->failed += out->failed;
	if (out->failed)
		memcpy(w->tally->error, out->error, sizeof(out->error));
	if (w->plan->resume)
		w->tally->fresh += out->done - out->resumed;
	/* Another thing was measured then, or nothing. */
	if (!out->done || w->tally->fresh)
		return;
	set(w, RATE, out->done * 1e9 / out->wall_ns);
	if (w->plan->version)
		set(w, TICKETS, out->tickets);
	book_latency(w, out);
	book_cpu(w, used, out);
}

static void measure_server(const struct window *w, const struct server *s)
{
	const struct options *o = &w->b->o;
	const struct load l = {
		.talk = *w->plan,
		.port = s->port,
		.task = {
			.count = count_of(o),
			.parallel = o->parallel ? o->parallel : 16,
		},
		.processes = o->clients ? o->clients :
					  CPU_COUNT(&w->b->cpus.client),
		.cpus = w->b->cpus.client,
	};
	struct load_run *run = load_start(&l, s->name);
	struct behind_seen seen = {0};
	struct server_usage before, used;
	struct load_outcome out;

	if (s->seen)
		seen = *s->seen;
	before = server_usage(s);
	load_finish(run, &out);
	used = server_usage_since(s, &before);
	book(w, &used, &out);
	if (s->seen && (!s->peer || s->peer->behind != BEHIND_ASKED)) {
		w->tally->lost += out.done - (s->seen->taken - seen.taken);
		w->tally->relayed += s->seen->relayed - seen.relayed;
	}
	free(out.latency_ns);
}

/* --- a case -------------------------------------------------------------------------- */

/* What OpenSSL and the bare loop take together: nobody can do with less. */
static void add_floor(const struct cast *cast, struct results *r,
		      unsigned int rounds)
{
	const size_t openssl = cast_row(cast, "openssl");
	const size_t bare = cast_row(cast, "bare");
	const size_t row = cast_row(cast, "floor");
	unsigned int i;
	int m;

	if (openssl == cast->n || bare == cast->n || row == cast->n)
		return;
	for (i = 0; i < rounds; i++)
		for (m = CPU; m <= FRONT; m++)
			results_set(r, row, m, i,
				    results_get(r, openssl, m, i) +
					    results_get(r, bare, m, i));
}

static void note(struct results *r, size_t row, const struct tally *t)
{
	const double tickets = results_get(r, row, TICKETS, 0);

	if (t->failed)
		results_note(r, row, "%u connections failed, one as: %s",
			     t->failed, t->error);
	if (t->lost)
		results_note(r, row, "%u connections did not come out",
			     t->lost);
	if (t->fresh)
		results_note(r, row, "%u sessions were not resumed", t->fresh);
	if (t->relayed)
		results_note(r, row, "%u connections were relayed in user "
			     "space, not in kTLS", t->relayed);
	if (t->limited)
		results_note(r, row, "the client was the bottleneck in %u "
			     "rounds: rate and latency are its own",
			     t->limited);
	if (fabs(tickets - results_get(r, 0, TICKETS, 0)) > 0.01)
		results_note(r, row, "tickets for each connection: %.3g",
			     tickets);
}

static void measure_row(struct window *w, const struct server *s,
			const struct talk_plan *tls,
			const struct talk_plan *script)
{
	w->plan = s->peer || !strcmp(s->name, "openssl") ? tls : script;
	if (!strcmp(s->name, "openssl"))
		measure_memory(w);
	else if (s->port)
		measure_server(w, s);
}

static void start_bare(struct cast *cast, const struct bench_run *b,
		       const struct shake *shake, struct talk_plan *script)
{
	const size_t row = cast_row(cast, "bare");
	struct memory_outcome out;

	if (row == cast->n)
		return;
	memory_run(&shake->plan, shake->key, 1, &out);
	script->script = out.flights;
	server_start_bare(&cast->servers[row], &out.flights, &b->cpus);
}

static void measure_case(struct cast *cast, const struct bench_run *b,
			 const struct shake *shake)
{
	struct talk_plan script = {.version = 0};
	struct tally tallies[SERVERS_MAX] = {{0}};
	struct window w = {.b = b, .key = shake->key};
	const size_t bare = cast_row(cast, "bare");

	w.r = results_new("handshake", shake->what, cast->names, cast->n,
			  metrics, METRICS, b->o.rounds);
	start_bare(cast, b, shake, &script);
	for (w.round = 0; w.round < b->o.rounds; w.round++) {
		say("handshake %s: round %u of %u", shake->what, w.round + 1,
		    b->o.rounds);
		for (w.row = 0; w.row < cast->n; w.row++) {
			w.tally = &tallies[w.row];
			measure_row(&w, &cast->servers[w.row], &shake->plan,
				    &script);
		}
	}
	if (bare < cast->n)
		server_stop(&cast->servers[bare]);
	add_floor(cast, w.r, b->o.rounds);
	for (w.row = 0; w.row < cast->n; w.row++)
		note(w.r, w.row, &tallies[w.row]);
	bench_report(b, w.r);
	results_free(w.r);
}

void bench_handshake(struct bench_run *b)
{
	bench_shakes(b, own, sizeof(own) / sizeof(own[0]), measure_case);
}
