/* SPDX-License-Identifier: MIT */
/*
 * The queues of a route, as master holds them: both ends of each, so that a
 * queue outlives its consumers. Usually there is one.
 */
#ifndef AGENT_ROUTE_QUEUE_H
#define AGENT_ROUTE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"

struct route;
struct route_events;

/*
 * struct route_queue - one of them
 * @id:            the read end's inode number
 * @registrations: live ones; 0: it is idle
 * @retired_ms:    when the workers were told to send to others instead
 */
struct route_queue {
	struct route_queue *next;
	uint64_t id;
	int read_fd, write_fd;
	unsigned int registrations;
	bool announced;
	uint64_t retired_ms;
};

struct route_queues {
	struct route_queue *first;
	unsigned int n;
	const struct route *route;	/* for the events */
	const struct config_route *config;
	const struct route_events *events;
};

/* Whether QUEUE_ENDS have a registration: workers send to no more. */
bool route_queues_full(const struct route_queues *set);

/* Takes both descriptors, also on failure: NULL when out of memory. */
struct route_queue *route_queue_new(struct route_queues *set, int read_fd,
				    int write_fd);
void route_queue_free(struct route_queues *set, struct route_queue *q);

/* route_queues_update - go by another configuration of the same route */
void route_queues_update(struct route_queues *set,
			 const struct config_route *config);

/* Each returns NULL when there is none. */
struct route_queue *route_queue_find(struct route_queues *set, uint64_t id);
struct route_queue *route_queue_live(struct route_queues *set);
/* An idle one that can be given out again; drops those that are shut down. */
struct route_queue *route_queue_idle(struct route_queues *set);

/*
 * route_queues_choose - tell the workers which queues to send to
 * Those with a registration, or, while there is none, whatever there is. What
 * waits in the others moves over, and they go: not at once, for a worker that
 * has not heard of it yet may still send there.
 */
void route_queues_choose(struct route_queues *set);

/*
 * route_queues_tend - what time brings to idle queues
 * Closes connections that wait longer than hold_timeout, and goes on with
 * route_queues_choose(). Returns in how many ms to be called again, or 0 when
 * no queue is idle.
 */
unsigned int route_queues_tend(struct route_queues *set);

#endif
