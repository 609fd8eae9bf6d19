// SPDX-License-Identifier: MIT
/*
 * ktls-bench reload: what becomes of open connections, and of processes, when a
 * server is told again and again to read its configuration, and when it is
 * killed in the end.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "group.h"
#include "util.h"

#define PATIENCE_MS 60000
/*
 * A server that is not done with one reload may miss the next signal: there is a
 * pause between them, and a signal that nothing comes of is sent again; later
 * each time, for one that is slow begins anew with each.
 */
#define PAUSE_MS 100
#define AGAIN_MS 1000
/* Who ends does so within that, or another one does. */
#define SETTLE_MS 500

enum { DROPPED, FAILED, LINGERING, MIB, GROWTH, TAKES, KILLED, OPENED, RELOADS,
       METRICS };
static const struct metric metrics[METRICS] = {
	[DROPPED] = {"dropped", "", 0, true},
	[FAILED] = {"failed", "", 0, true},
	[LINGERING] = {"lingering", "", 0, true},
	[MIB] = {"memory", "MiB", 1, true},
	[GROWTH] = {"growth", "MiB", 1, true},
	[TAKES] = {"takes", "ms", 0, true},
	[KILLED] = {"killed", "", 0, true},
	[OPENED] = {"opened", "connections", 0, false},
	[RELOADS] = {"reloads", "", 0, false},
};

/*
 * struct generation - what a reload puts something new in the place of
 * @listener: its socket's inode; @seen: processes, the server's among them
 */
struct generation {
	uint64_t listener;
	struct proc_seen seen;
};

static unsigned int reloads_of(const struct bench_run *b)
{
	return b->o.reloads ? b->o.reloads : 100;
}

static void look(const struct server *s, struct generation *g)
{
	g->listener = proc_listener(s->port);
	memset(&g->seen, 0, sizeof(g->seen));
	proc_newcomer(s->front, &g->seen);
}

/*
 * Is there anything that was not there before? One that listens no more, or not
 * yet, is not. @now: as @before, and gets what is there now
 */
static bool is_new(const struct server *s, const struct generation *before,
		   struct proc_seen *now)
{
	const uint64_t listener = proc_listener(s->port);

	return proc_newcomer(s->front, now) ||
	       (listener && listener != before->listener);
}

/* A process that is only there to try something is gone again by then. */
static bool stays_new(const struct server *s, const struct generation *before)
{
	static struct proc_seen now;

	sleep_ms(PAUSE_MS);
	now = before->seen;
	return is_new(s, before, &now);
}

static void send_signal(const struct server *s)
{
	if (group_ended(s->front))
		die("%s ended at a reload", s->name);
	if (kill(s->front, s->peer->reload))
		die("%s: %s", s->name, strerror(errno));
}

/*
 * Waits for what a reload brings: whatever a server does, it has a new process
 * then, or has bound its port anew. Returns the time in ms, or -1: nothing came
 * of it.
 */
static double await(const struct server *s, const struct generation *before)
{
	static struct proc_seen now;
	const uint64_t since = now_ns();
	unsigned int again = AGAIN_MS;
	double ms;

	now = before->seen;
	do {
		sleep_ms(2);
		ms = (now_ns() - since) / 1e6;
		if (is_new(s, before, &now) && stays_new(s, before))
			return ms;
		if (ms > again) {
			send_signal(s);
			again *= 2;
		}
	} while (ms < PATIENCE_MS);
	return -1;
}

static double reload(const struct server *s, struct load_hold *hold)
{
	static struct generation before;
	double ms;

	look(s, &before);
	send_signal(s);
	load_hold_more(hold);
	ms = await(s, &before);
	/* Those that were begun meanwhile are there, or have failed. */
	load_hold_state(hold);
	return ms;
}

/* Old processes end, if they end. Returns how many there are then. */
static unsigned int settle(const struct server *s)
{
	unsigned int n = proc_group(s->front, NULL, 0), before;

	do {
		before = n;
		sleep_ms(SETTLE_MS);
		n = proc_group(s->front, NULL, 0);
	} while (n < before);
	return n;
}

static double memory_mib(const struct server *s)
{
	return (proc_group_kib(s->front, true) +
		(s->behind ? proc_group_kib(s->behind, true) : 0)) / 1024.0;
}

static void kill_all(const struct server *s)
{
	unsigned int ms;

	kill(-s->front, SIGKILL);
	for (ms = 0; proc_group(s->front, NULL, 0) && ms < PATIENCE_MS; ms += 5)
		sleep_ms(5);
	sleep_ms(SETTLE_MS);
}

/* Returns how many reloads there were; behind one that fails there are no more. */
static unsigned int reload_often(const struct bench_run *b, struct server *s,
				 struct load_hold *hold, double *takes)
{
	const unsigned int want = reloads_of(b);
	unsigned int n = 0;
	double ms;

	while (n < want && (ms = reload(s, hold)) >= 0) {
		*takes += ms;
		n++;
	}
	*takes /= n ? n : 1;
	return n;
}

static void book(struct results *r, size_t row, unsigned int round,
		 const double values[METRICS], const struct hold_state *state,
		 unsigned int want)
{
	int m;

	for (m = 0; m < METRICS; m++)
		results_set(r, row, m, round, values[m]);
	if (state->failed)
		results_note(r, row, "a connection failed: %s", state->error);
	if (values[RELOADS] < want)
		results_note(r, row, "a reload failed: there were no more");
}

static void measure(struct cast *cast, const struct bench_run *b,
		    struct results *r, size_t row, unsigned int round,
		    unsigned int batch)
{
	const struct setup setup =
		bench_setup(b, KEY_P256, true, batch * (reloads_of(b) + 1));
	struct server *s = &cast->servers[row];
	double values[METRICS] = {0};
	struct hold_state before, after;
	struct load_hold *hold;
	unsigned int processes;
	struct load l;

	cast_start(cast, row, &setup);
	hold = bench_hold(b, s, batch, 16, &l);
	processes = proc_group(s->front, NULL, 0);
	values[GROWTH] = -memory_mib(s);
	values[RELOADS] = reload_often(b, s, hold, &values[TAKES]);
	if (s->behind && group_ended(s->behind))
		die("what is behind %s ended", s->name);
	values[LINGERING] = (double)settle(s) - processes;
	before = load_hold_state(hold);
	values[DROPPED] = before.dropped;
	values[FAILED] = before.failed;
	values[OPENED] = before.opened;
	values[MIB] = memory_mib(s);
	values[GROWTH] += values[MIB];
	kill_all(s);
	after = load_hold_state(hold);
	values[KILLED] = after.dropped - before.dropped;
	book(r, row, round, values, &before, reloads_of(b));
	if (!round && s->seen && s->seen->relayed)
		results_note(r, row, "connections were relayed in user space");
	load_release(hold);
	server_stop(s);
}

void bench_reload(struct bench_run *b)
{
	const unsigned int reloads = reloads_of(b);
	/* Some from before the first one, and as many with each. */
	const unsigned int count = bench_count(b, 10000);
	const unsigned int batch =
		count > reloads ? count / (reloads + 1) : 1;
	struct results *r;
	struct cast cast;
	unsigned int round;
	size_t row;
	char *what;

	cast_fill(&cast, b, NULL, 0);
	scratch_certificate(KEY_P256);
	what = text("%u-connections-%u-reloads", batch * (reloads + 1),
		    reloads);
	r = results_new("reload", what, cast.names, cast.n, metrics, METRICS,
			b->o.rounds);
	for (round = 0; round < b->o.rounds; round++) {
		say("reload: round %u of %u", round + 1, b->o.rounds);
		for (row = 0; row < cast.n; row++)
			measure(&cast, b, r, row, round, batch);
	}
	bench_report(b, r);
	results_free(r);
	cast_free(&cast);
	free(what);
}
