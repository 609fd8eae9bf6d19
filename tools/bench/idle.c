// SPDX-License-Identifier: MIT
/*
 * ktls-bench idle: the memory of connections in which nothing happens. Each
 * server is started anew in each round: memory that was freed is not new.
 */
#include <stdlib.h>

#include "bench.h"
#include "util.h"

#define WARM_UP 20
#define SETTLE_MS 300

enum { USER, FRONT, BEHIND, KERNEL, ALL, METRICS };
static const struct metric metrics[METRICS] = {
	[USER] = {"user", "KiB", 2, true},
	[FRONT] = {"front", "KiB", 2, true},
	[BEHIND] = {"behind", "KiB", 2, true},
	[KERNEL] = {"kernel", "KiB", 2, true},
	[ALL] = {"all", "KiB", 2, true},
};

static const char *const own[] = {"relay", "plain", "openssl", "ktls-tx",
				  "ktls"};

/* KiB so far. */
struct memory_use {
	double front, behind, kernel;
};

static struct memory_use look(const struct server *s)
{
	return (struct memory_use){
		.front = s->front ? proc_group_kib(s->front, false) : 0,
		.behind = s->behind ? proc_group_kib(s->behind, false) : 0,
		.kernel = proc_kernel_kib(),
	};
}

/*
 * What the first ones take, one after another, is not each one's. Nor is what
 * more than one handshake at a time takes: there is one at a time.
 */
static void warm_up(const struct bench_run *b, const struct server *s)
{
	const struct load l = {
		.talk.version = s->peer || s->tls ? TLS1_3_VERSION : 0,
		.task = {.count = WARM_UP, .parallel = 1},
		.port = s->port,
		.processes = 1,
		.cpus = b->cpus.client,
	};
	struct load_outcome out;

	load_finish(load_start(&l, s->name), &out);
	free(out.latency_ns);
	sleep_ms(SETTLE_MS);
}

static void measure(struct cast *cast, const struct bench_run *b,
		    struct results *r, size_t row, unsigned int round,
		    unsigned int count)
{
	const struct setup setup = bench_setup(b, KEY_P256, true, count);
	struct server *s = &cast->servers[row];
	struct memory_use before, after;
	unsigned long relayed = 0;
	struct load_hold *hold;
	struct hold_state state;
	struct load l;
	double each[METRICS];
	int m;

	cast_start(cast, row, &setup);
	warm_up(b, s);
	if (s->seen)
		relayed = s->seen->relayed;
	before = look(s);
	hold = bench_hold(b, s, count, 1, &l);
	after = look(s);
	each[FRONT] = (after.front - before.front) / count;
	each[BEHIND] = (after.behind - before.behind) / count;
	each[USER] = each[FRONT] + each[BEHIND];
	each[KERNEL] = (after.kernel - before.kernel) / count;
	each[ALL] = each[USER] + each[KERNEL];
	for (m = 0; m < METRICS; m++)
		results_set(r, row, m, round, each[m]);
	if (!round && s->seen && s->seen->relayed > relayed)
		results_note(r, row, "connections are relayed in user space");
	state = load_hold_state(hold);
	if (state.dropped)
		results_note(r, row, "%u were closed", state.dropped);
	load_release(hold);
	server_stop(s);
}

void bench_idle(struct bench_run *b)
{
	const unsigned int count = bench_count(b, 2000);
	struct results *r;
	struct cast cast;
	unsigned int round;
	size_t row;

	cast_fill(&cast, b, own, sizeof(own) / sizeof(own[0]));
	scratch_certificate(KEY_P256);
	r = results_new("idle", "tls1.3-p256", cast.names, cast.n, metrics,
			METRICS, b->o.rounds);
	for (round = 0; round < b->o.rounds; round++) {
		say("idle: round %u of %u", round + 1, b->o.rounds);
		for (row = 0; row < cast.n; row++)
			measure(&cast, b, r, row, round, count);
	}
	bench_report(b, r);
	results_free(r);
	cast_free(&cast);
}
