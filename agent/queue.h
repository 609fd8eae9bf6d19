/* SPDX-License-Identifier: MIT */
/*
 * A worker's side of a route's accept queue: connections go out in order, as
 * messages with a descriptor; what finds no room waits here.
 */
#ifndef AGENT_QUEUE_H
#define AGENT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics.h"

/* Queues that one route may have at a time; more than a few mean a mistake. */
#define QUEUE_ENDS 8

/*
 * struct handoff - one connection on its way to a consumer
 * @fd, @msg: stay the owner's, and as they are, until @done
 * @done: called once, possibly inside queue_push(): 0; -ETIMEDOUT when it
 *        waited for longer than the route's hold_timeout; -ENOSPC: queue_drop()
 */
struct handoff {
	struct handoff *next;
	int fd;
	const uint8_t *msg;
	size_t msg_len;
	uint64_t give_up_ms;
	void (*done)(struct handoff *handoff, int result);
};

struct queue {
	struct {
		int fd;
		uint64_t id;	/* the read end's inode number */
	} end[QUEUE_ENDS];
	unsigned int n_ends, turn;
	uint64_t hold_ms;
	struct metrics *metrics;
	/* Called when somebody has shut queue @id down, after its removal. */
	void (*broken)(struct queue *q, uint64_t id);
	struct handoff *first, **last;	/* waiting, oldest first */
	unsigned int n_waiting;
};

/* queue_init - an empty set; hold_ms, metrics and broken are the caller's */
void queue_init(struct queue *q);
/* Takes @fd, a write end; refuses (-ENOSPC) and closes it over QUEUE_ENDS. */
int queue_add(struct queue *q, uint64_t id, int fd);
void queue_remove(struct queue *q, uint64_t id);

/* queue_push - send @handoff, or let it wait behind the others */
void queue_push(struct queue *q, struct handoff *handoff, uint64_t now_ms);

/*
 * queue_flush - send what waits and give up what waited too long
 * Returns when to be called again, or UINT64_MAX. There is no event for room
 * in a socket that several processes write to, and POLLOUT comes only when three
 * quarters are free: so time it is, QUEUE_RETRY_MS.
 */
#define QUEUE_RETRY_MS 5
uint64_t queue_flush(struct queue *q, uint64_t now_ms);

/* queue_drop - give up the one that has waited the longest; there is one */
void queue_drop(struct queue *q);

#endif
