// SPDX-License-Identifier: MIT
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client.h"
#include "group.h"
#include "stats.h"
#include "util.h"

#define PROCESSES_MAX 64

/*
 * struct load_run
 * @ready: a byte of each process comes there; @go: its end says go
 * @size:  of a part, in bytes
 */
struct load_run {
	const struct load *l;
	const char *name;
	unsigned int n, index;
	pid_t pids[PROCESSES_MAX];
	struct client_part *parts[PROCESSES_MAX];
	size_t size;
	int ready[2], go[2];
};

/* Of @total, the share of process @i of @n. */
static unsigned int share(unsigned int total, unsigned int i, unsigned int n)
{
	return total / n + (i < total % n);
}

static void await_go(void *arg)
{
	const struct load_run *run = arg;
	char byte = 0;

	if (write(run->ready[1], &byte, 1) != 1 ||
	    read(run->go[0], &byte, 1) != 0)
		exit(EXIT_SYSTEM);
}

static void become_client(void *arg)
{
	struct load_run *run = arg;
	const struct load *l = run->l;
	struct client_part *part = run->parts[run->index];
	struct client_task task = l->task, once = l->task;
	struct client *c = client_new(&l->talk, l->port);

	close(run->go[1]);
	once.count = once.parallel = 1;
	client_run(c, &once, part);
	if (!part->done)
		die("%s does not serve: %s", run->name, part->error);
	task.count = share(l->task.count, run->index, run->n);
	task.parallel = share(l->task.parallel, run->index, run->n);
	if (task.request) {
		task.gate = await_go;
		task.gate_arg = run;
	} else {
		await_go(run);
	}
	client_run(c, &task, part);
	client_free(c);
}

static void await_ready(struct load_run *run)
{
	unsigned int i;
	char byte;

	close(run->ready[1]);
	for (i = 0; i < run->n; i++) {
		wait_readable(run->ready[0]);
		if (read(run->ready[0], &byte, 1) != 1)
			die("a client ended before it began");
	}
	close(run->ready[0]);
}

struct load_run *load_start(const struct load *l, const char *name)
{
	struct load_run *run = zalloc(sizeof(*run));

	run->l = l;
	run->name = name;
	run->n = l->processes < PROCESSES_MAX ? l->processes : PROCESSES_MAX;
	if (run->n > l->task.parallel)
		run->n = l->task.parallel;
	if (run->n > l->task.count)
		run->n = l->task.count;
	run->size = sizeof(struct client_part) +
		    (l->task.count / run->n + 1) * sizeof(uint64_t);
	if (pipe2(run->ready, O_CLOEXEC) || pipe2(run->go, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	for (; run->index < run->n; run->index++) {
		run->parts[run->index] = shared_alloc(run->size);
		run->pids[run->index] =
			group_fork(become_client, run, &l->cpus);
	}
	close(run->go[0]);
	await_ready(run);
	return run;
}

static void add_part(struct load_outcome *out, const struct client_part *p,
		     unsigned int *tickets, uint64_t *begin, uint64_t *end)
{
	const double wall = p->end_ns - p->begin_ns;
	const double busy = (p->cpu_ns + p->wait_ns) / (wall ? wall : 1);

	memcpy(out->latency_ns + out->done, p->latency_ns,
	       p->done * sizeof(uint64_t));
	if (p->failed && !out->failed)
		memcpy(out->error, p->error, sizeof(out->error));
	out->done += p->done;
	out->failed += p->failed;
	out->resumed += p->resumed;
	out->cpu_ns += p->cpu_ns;
	out->busy = busy > out->busy ? busy : out->busy;
	*tickets += p->tickets;
	*begin = p->begin_ns < *begin ? p->begin_ns : *begin;
	*end = p->end_ns > *end ? p->end_ns : *end;
}

void load_finish(struct load_run *run, struct load_outcome *out)
{
	uint64_t begin = UINT64_MAX, end = 0;
	unsigned int i, tickets = 0;

	*out = (struct load_outcome){.done = 0};
	out->latency_ns = zalloc(run->l->task.count * sizeof(uint64_t));
	close(run->go[1]);
	for (i = 0; i < run->n; i++)
		if (group_wait(run->pids[i]))
			die("a client of %s ended", run->name);
	for (i = 0; i < run->n; i++) {
		add_part(out, run->parts[i], &tickets, &begin, &end);
		munmap(run->parts[i], run->size);
	}
	out->wall_ns = end - begin;
	out->tickets = out->done ? (double)tickets / out->done : 0;
	stats_sort(out->latency_ns, out->done);
	free(run);
}

/* --- connections that are held --------------------------------------------------- */

/*
 * struct load_hold - @ask: a byte each, HOLD_MORE or HOLD_LOOK; @answer: a byte
 * says that .state has what HOLD_LOOK has found
 */
enum { HOLD_LOOK, HOLD_MORE };
struct load_hold {
	const struct load *l;
	const char *name;
	pid_t pid;
	struct hold_state *state;
	int ask[2], answer[2];
};

static void hold_more(struct load_hold *h, struct client *c,
		      struct client_part *part)
{
	struct client_task task = h->l->task;
	struct hold_state *s = h->state;

	task.hold = true;
	client_run(c, &task, part);
	s->opened += part->done;
	if (part->failed && !s->failed)
		memcpy(s->error, part->error, sizeof(s->error));
	s->failed += part->failed;
}

static void become_holder(void *arg)
{
	struct load_hold *h = arg;
	struct client *c = client_new(&h->l->talk, h->l->port);
	struct client_part *part = zalloc(
		sizeof(*part) + h->l->task.count * sizeof(uint64_t));
	char byte = HOLD_MORE;

	close(h->ask[1]);
	do {
		if (byte == HOLD_MORE) {
			hold_more(h, c, part);
			continue;
		}
		h->state->dropped = client_dropped(c);
		if (write(h->answer[1], &byte, 1) != 1)
			break;
	} while (read(h->ask[0], &byte, 1) == 1);
	free(part);
	client_free(c);
}

static void tell(struct load_hold *h, char byte)
{
	if (write(h->ask[1], &byte, 1) != 1)
		die("a client of %s ended", h->name);
}

struct hold_state load_hold_state(struct load_hold *h)
{
	char byte;

	tell(h, HOLD_LOOK);
	wait_readable(h->answer[0]);
	if (read(h->answer[0], &byte, 1) != 1)
		die("a client of %s ended", h->name);
	return *h->state;
}

struct load_hold *load_hold(const struct load *l, const char *name)
{
	struct load_hold *h = zalloc(sizeof(*h));

	h->l = l;
	h->name = name;
	h->state = shared_alloc(sizeof(*h->state));
	if (pipe2(h->ask, O_CLOEXEC) || pipe2(h->answer, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	h->pid = group_fork(become_holder, h, &l->cpus);
	close(h->ask[0]);
	close(h->answer[1]);
	load_hold_state(h);
	return h;
}

void load_hold_more(struct load_hold *h)
{
	tell(h, HOLD_MORE);
}

void load_release(struct load_hold *h)
{
	close(h->ask[1]);
	group_wait(h->pid);
	close(h->answer[0]);
	munmap(h->state, sizeof(*h->state));
	free(h);
}

bool load_limits(double client, double server)
{
	return client > 0.9 && server < 0.9;
}
