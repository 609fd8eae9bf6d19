/* SPDX-License-Identifier: MIT */
/* What the parts of a proxy share. */
#ifndef AGENT_PROXY_STATE_H
#define AGENT_PROXY_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "agent/deadline.h"
#include "agent/proxy_board.h"
#include "agent/proxy_msg.h"
#include "agent/ring.h"
#include "backends.h"
#include "ktls/ktls.h"
#include "pipes.h"

struct proxy;
struct tunnel;
TAILQ_HEAD(tunnel_list, tunnel);

/*
 * struct intake - a route: its queue, and where its connections go
 * @reg, @queue_fd: -1: not there (yet); @queue with @queue_fd
 * @left: takes no more
 */
struct intake {
	struct proxy *proxy;
	struct proxy_order order;
	struct backends backends;
	struct proxy_counts *counts;
	struct ring_op reg_op, queue_op;
	int reg, queue_fd;
	struct ktls_queue *queue;
	bool registered, armed, leaving, left;
	struct deadline_list connects;
};

/*
 * struct proxy
 * @places:   connections at a time
 * @full:     takes none until one ends, or until @retry_ms
 * @files:    descriptors
 * @again:    that have more to do than their share of a round
 * @starved:  that wait for a pipe
 * @retries, @halves: see tunnel.c
 */
struct proxy {
	struct ring ring;
	struct ring_op master_op;
	int master;
	struct proxy_board board;
	struct proxy_options options;
	struct intake *intakes;
	uint32_t n_intakes, n_registered;
	bool configured, ready, accepting, stopping, over, full;
	int status;
	uint64_t now_ms, stop_by_ms, retry_ms;
	struct pipes pipes;
	struct deadline_list retries, halves;
	struct tunnel_list tunnels, again, starved;
	unsigned int n_tunnels, places, files;
};

static inline void proxy_count(struct intake *in, enum proxy_counter id,
			       uint64_t n)
{
	__atomic_store_n(&in->counts->value[id], in->counts->value[id] + n,
			 __ATOMIC_RELAXED);
}

#endif
