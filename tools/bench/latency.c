// SPDX-License-Identifier: MIT
/*
 * ktls-bench latency: how long a client waits for a server that has nothing else
 * to do: one connection at a time, each behind a pause.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "group.h"
#include "memory.h"
#include "stats.h"
#include "util.h"

#define PAUSE_MS 2
#define PATIENCE_MS 10000
/* Not counted: the first has nothing to resume, nothing is in caches yet. */
#define WARM_UP 5

enum { P50, P90, P99, SHAKEN, METRICS };
static const struct metric metrics[METRICS] = {
	[P50] = {"p50", "us", 1, true},
	[P90] = {"p90", "us", 1, true},
	[P99] = {"p99", "us", 1, true},
	[SHAKEN] = {"shaken", "us", 1, true},
};

static const char *const own[] = {"openssl", "round-trip", "floor"};

/*
 * struct visit - one server's turn, or what is compared with; shared
 * @taken_ns:  until what is behind it has the connection, of @count each
 * @shaken_ns: until the client's handshake is complete; 0, as of @taken_ns:
 *             there is no such thing
 * @fresh:     were to be resumed, and were not
 */
struct visit {
	const struct server *s;
	const struct shake *shake;
	unsigned int count, fresh;
	int fd;
	uint64_t *taken_ns, *shaken_ns;
};

/* Does it give its connections to somebody, who says when? */
static bool gives(const struct server *s)
{
	return s->peer->behind == BEHIND_QUEUE ||
	       s->peer->behind == BEHIND_PORT;
}

/* --- what is measured, in processes of their own ------------------------------------ */

/* One that the client has ended may still be on its way. */
static void await_taken(const struct server *s, unsigned long want)
{
	unsigned int ms;

	for (ms = 0; s->seen->taken < want; ms++) {
		if (ms == PATIENCE_MS)
			die("a connection of %s does not come out", s->name);
		sleep_ms(1);
	}
}

static void visit_once(struct visit *v, struct client *c,
		       struct client_part *part, uint64_t *taken_ns)
{
	const struct client_task once = {.count = 1, .parallel = 1};
	const struct server *s = v->s;
	const unsigned long taken = gives(s) ? s->seen->taken : 0;

	sleep_ms(PAUSE_MS);
	client_run(c, &once, part);
	if (!part->done)
		die("%s does not serve: %s", s->name, part->error);
	if (!gives(s))
		return;
	await_taken(s, taken + 1);
	*taken_ns = s->seen->taken_ns - part->since_ns;
}

static void become_client(void *arg)
{
	struct visit *v = arg;
	struct client_part *part = zalloc(sizeof(*part) + sizeof(uint64_t));
	struct client *c = client_new(&v->shake->plan, v->s->port);
	unsigned int i;

	for (i = 0; i < WARM_UP; i++)
		visit_once(v, c, part, v->taken_ns);
	for (i = 0; i < v->count; i++) {
		visit_once(v, c, part, &v->taken_ns[i]);
		v->shaken_ns[i] = part->latency_ns[0];
		v->fresh += v->shake->plan.resume && !part->resumed;
	}
	client_free(c);
	free(part);
}

static void become_memory(void *arg)
{
	const struct visit *v = arg;
	struct memory_lap *laps = zalloc(v->count * sizeof(*laps));
	unsigned int i;

	memory_laps(&v->shake->plan, v->shake->key, v->count, PAUSE_MS, laps);
	for (i = 0; i < v->count; i++) {
		v->taken_ns[i] = laps[i].taken_ns;
		v->shaken_ns[i] = laps[i].shaken_ns;
	}
	free(laps);
}

static void no_delay(int fd)
{
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void become_echo(void *arg)
{
	const struct visit *v = arg;
	int fd = accept4(v->fd, NULL, NULL, SOCK_CLOEXEC);
	char byte;

	if (fd < 0)
		die("accept: %s", strerror(errno));
	no_delay(fd);
	while (recv(fd, &byte, 1, 0) == 1 &&
	       send(fd, &byte, 1, MSG_NOSIGNAL) == 1)
		;
}

static void become_caller(void *arg)
{
	const struct visit *v = arg;
	struct sockaddr_in at;
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte = 0;
	unsigned int i;
	uint64_t since;

	if (getsockname(v->fd, (struct sockaddr *)&at, &len) ||
	    connect(fd, (struct sockaddr *)&at, len))
		die("connect: %s", strerror(errno));
	no_delay(fd);
	for (i = 0; i < v->count; i++) {
		sleep_ms(PAUSE_MS);
		since = now_ns();
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 ||
		    recv(fd, &byte, 1, 0) != 1)
			die("an echo: %s", strerror(errno));
		v->taken_ns[i] = now_ns() - since;
	}
}

/* --- a turn --------------------------------------------------------------------------- */

static void run(void (*become)(void *), struct visit *v, const cpu_set_t *cpus)
{
	if (group_wait(group_fork(become, v, cpus)))
		die("a process of %s ended", v->s->name);
}

static void run_round_trip(struct visit *v, const struct cpus *cpus)
{
	pid_t echo;

	v->fd = behind_listen(0);
	echo = group_fork(become_echo, v, &cpus->server);
	run(become_caller, v, &cpus->client);
	group_wait(echo);
	close(v->fd);
}

static void book(struct results *r, size_t row, unsigned int round,
		 const struct visit *v)
{
	static const double percent[] = {50, 90, 99};
	int i;

	stats_sort(v->taken_ns, v->count);
	stats_sort(v->shaken_ns, v->count);
	for (i = 0; v->taken_ns[0] && i < 3; i++)
		results_set(r, row, P50 + i, round,
			    stats_percentile(v->taken_ns, v->count,
					     percent[i]) /
				    1e3);
	if (v->shaken_ns[0])
		results_set(r, row, SHAKEN, round,
			    stats_percentile(v->shaken_ns, v->count, 50) / 1e3);
	if (v->fresh)
		results_note(r, row, "%u sessions were not resumed", v->fresh);
}

static void measure_row(const struct bench_run *b, struct results *r,
			size_t row, unsigned int round, const struct server *s,
			const struct shake *shake)
{
	const unsigned int count = b->o.count ? b->o.count : 1000;
	const size_t size = sizeof(struct visit) + 2 * count * sizeof(uint64_t);
	struct visit *v = shared_alloc(size);
	const unsigned long relayed = s->seen ? s->seen->relayed : 0;

	*v = (struct visit){.s = s,
			    .shake = shake,
			    .count = count,
			    .taken_ns = (uint64_t *)(v + 1),
			    .shaken_ns = (uint64_t *)(v + 1) + count};
	if (s->peer)
		run(become_client, v, &b->cpus.client);
	else if (!strcmp(s->name, "openssl"))
		run(become_memory, v, &b->cpus.server);
	else if (!strcmp(s->name, "round-trip"))
		run_round_trip(v, &b->cpus);
	book(r, row, round, v);
	if (!round && s->seen && s->seen->relayed > relayed)
		results_note(r, row, "connections were relayed in user space");
	munmap(v, size);
}

/* Both ends' OpenSSL, and one way there and back. */
static void add_floor(const struct cast *cast, struct results *r,
		      unsigned int rounds)
{
	const size_t openssl = cast_row(cast, "openssl");
	const size_t trip = cast_row(cast, "round-trip");
	const size_t row = cast_row(cast, "floor");
	unsigned int i;

	if (openssl == cast->n || trip == cast->n || row == cast->n)
		return;
	for (i = 0; i < rounds; i++) {
		const double trip_us = results_get(r, trip, P50, i);

		results_set(r, row, P50, i,
			    results_get(r, openssl, P50, i) + trip_us);
		results_set(r, row, SHAKEN, i,
			    results_get(r, openssl, SHAKEN, i) + trip_us);
	}
}

static void measure_case(struct cast *cast, const struct bench_run *b,
			 const struct shake *shake)
{
	struct results *r = results_new("latency", shake->what, cast->names,
					cast->n, metrics, METRICS, b->o.rounds);
	unsigned int round;
	size_t row;

	for (round = 0; round < b->o.rounds; round++) {
		say("latency %s: round %u of %u", shake->what, round + 1,
		    b->o.rounds);
		for (row = 0; row < cast->n; row++)
			measure_row(b, r, row, round, &cast->servers[row],
				    shake);
	}
	add_floor(cast, r, b->o.rounds);
	bench_report(b, r);
	results_free(r);
}

void bench_latency(struct bench_run *b)
{
	bench_shakes(b, own, sizeof(own) / sizeof(own[0]), measure_case);
}
