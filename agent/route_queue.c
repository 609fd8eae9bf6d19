/* SPDX-License-Identifier: MIT */
#include "route_queue.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "local.h"
#include "log.h"
#include "loop.h"
#include "queue.h"
#include "route.h"
#include "waiting.h"

/* How often queues that nobody reads are looked through. */
#define DRAIN_MS 500
/* How often what waits in them is moved, once there is another. */
#define MOVE_MS 20
/* Queues of a route, those included that are given up. */
#define QUEUES_MAX 64
/* A worker has heard of a queue's end by then. */
#define RETIRE_MS 1000
/*
 * What one connection in a queue costs of the socket's send buffer, in bytes:
 * a message of up to 600 bytes with its bookkeeping, halved because the kernel
 * doubles what is asked for.
 */
#define MESSAGE_COST (1280 / 2)

static void announce(struct route_queues *set, struct route_queue *q,
		     bool live)
{
	const struct route_events *ev = set->events;

	if (q->announced == live)
		return;
	q->announced = live;
	if (live) {
		ev->added(ev->arg, set->route, q->id, q->write_fd);
		return;
	}
	q->retired_ms = loop_now_ms();
	ev->removed(ev->arg, set->route, q->id);
}

static void set_size(const struct config_route *config, int write_fd)
{
	int size = (int)config->queue * MESSAGE_COST, got = 0;
	socklen_t len = sizeof(got);

	if (!setsockopt(write_fd, SOL_SOCKET, SO_SNDBUFFORCE, &size,
			sizeof(size)))
		return;
	setsockopt(write_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	getsockopt(write_fd, SOL_SOCKET, SO_SNDBUF, &got, &len);
	if (got < 2 * size)
		log_warn("event=queue_small route=%s queue=%u connections=%d "
			 "remedy=\"start as root, or raise "
			 "net.core.wmem_max\"", config->name, config->queue,
			 got / 2 / MESSAGE_COST);
}

void route_queues_update(struct route_queues *set,
			 const struct config_route *config)
{
	bool resize = config->queue != set->config->queue;
	const struct route_queue *q;

	set->config = config;
	for (q = set->first; q && resize; q = q->next)
		set_size(config, q->write_fd);
}

bool route_queues_full(const struct route_queues *set)
{
	const struct route_queue *q;
	unsigned int live = 0;

	for (q = set->first; q; q = q->next)
		live += q->registrations > 0;
	return live >= QUEUE_ENDS;
}

/* Only somebody who offers one queue after the other gets as far as this. */
static void drop_oldest_idle(struct route_queues *set)
{
	struct route_queue *q, *oldest = NULL;

	for (q = set->first; q; q = q->next)
		if (!q->registrations)
			oldest = q;
	if (oldest)
		route_queue_free(set, oldest);
}

struct route_queue *route_queue_new(struct route_queues *set, int read_fd,
				    int write_fd)
{
	struct route_queue *q = calloc(1, sizeof(*q));
	struct stat st;

	if (!q || fstat(read_fd, &st)) {
		close(read_fd);
		close(write_fd);
		free(q);
		return NULL;
	}
	q->id = st.st_ino;
	q->read_fd = read_fd;
	q->write_fd = write_fd;
	set_size(set->config, write_fd);
	if (set->n == QUEUES_MAX)
		drop_oldest_idle(set);
	q->next = set->first;
	set->first = q;
	set->n++;
	return q;
}

void route_queue_free(struct route_queues *set, struct route_queue *q)
{
	struct route_queue **p = &set->first;

	announce(set, q, false);
	while (*p != q)
		p = &(*p)->next;
	*p = q->next;
	set->n--;
	close(q->read_fd);
	close(q->write_fd);
	free(q);
}

struct route_queue *route_queue_find(struct route_queues *set, uint64_t id)
{
	struct route_queue *q;

	for (q = set->first; q && q->id != id; q = q->next)
		;
	return q;
}

struct route_queue *route_queue_live(struct route_queues *set)
{
	struct route_queue *q;

	for (q = set->first; q && !q->registrations; q = q->next)
		;
	return q;
}

struct route_queue *route_queue_idle(struct route_queues *set)
{
	struct route_queue *q, *next;
	char error[128];

	for (q = set->first; q; q = next) {
		next = q->next;
		if (q->registrations)
			continue;
		if (!local_check_pair(q->read_fd, q->write_fd, error,
				      sizeof(error)))
			return q;
		log_warn("event=queue_dropped route=%s queue=%llu "
			 "error=\"%s\"", set->config->name,
			 (unsigned long long)q->id, error);
		route_queue_free(set, q);
	}
	return NULL;
}

void route_queues_choose(struct route_queues *set)
{
	struct route_queue *live = route_queue_live(set), *q, *next;

	/* First what goes: the workers have room for QUEUE_ENDS. */
	for (q = set->first; q && live; q = q->next)
		if (!q->registrations)
			announce(set, q, false);
	for (q = set->first; q; q = q->next)
		if (!live || q->registrations)
			announce(set, q, true);
	if (!live)
		return;
	for (q = set->first; q; q = next) {
		next = q->next;
		if (!q->registrations &&
		    waiting_move(q->read_fd, live->write_fd) &&
		    loop_now_ms() >= q->retired_ms + RETIRE_MS)
			route_queue_free(set, q);
	}
}

static void drop_old(const struct route_queues *set,
		     const struct route_queue *q)
{
	const struct config_route *config = set->config;
	unsigned int n = waiting_drop(q->read_fd, config->hold_timeout_ms);

	if (!n)
		return;
	metrics_add(set->events->metrics, METRIC_QUEUE_EXPIRED, n);
	log_warn("event=queue_expired route=%s connections=%u "
		 "remedy=\"start a consumer, or raise hold_timeout\"",
		 config->name, n);
}

unsigned int route_queues_tend(struct route_queues *set)
{
	unsigned int n_idle = 0;
	struct route_queue *q;

	for (q = set->first; q; q = q->next)
		if (!q->registrations) {
			drop_old(set, q);
			n_idle++;
		}
	if (!n_idle)
		return 0;
	route_queues_choose(set);
	return route_queue_live(set) ? MOVE_MS : DRAIN_MS;
}
