/* SPDX-License-Identifier: MIT */
/*
 * A worker: one process, one ring, a slab of connections. Its parts (listener,
 * conn, relay, queue) share this object and nothing else.
 */
#ifndef AGENT_WORKER_H
#define AGENT_WORKER_H

#include <stdbool.h>

#include "certs.h"
#include "config/config.h"
#include "conn_slab.h"
#include "deadline.h"
#include "keylog.h"
#include "ktls/install.h"
#include "ktls/ktls.h"
#include "limits.h"
#include "listener.h"
#include "metrics.h"
#include "queue.h"
#include "ring.h"

/* How long a closing connection's last bytes may take to arrive. */
#define WORKER_LINGER_MS 2000

/* struct worker_route - a route's queue, and what names it to master */
struct worker_route {
	struct queue queue;
	struct worker *worker;
	unsigned int index;
	bool down;		/* master says that nobody is registered */
	unsigned int n_expired;	/* that waited in vain, and are not logged */
	uint64_t warn_ms;	/* when they may be */
};

struct worker {
	const struct config *config;
	struct certs *certs;
	struct hs_tickets *tickets;
	struct ktls_support support;	/* pairs 0: relay everything */
	struct metrics *metrics;	/* this worker's slot */
	struct ring ring;
	struct ring_op channel_op;
	int channel;
	uint64_t now_ms;		/* CLOCK_MONOTONIC, twice a round */
	uint64_t heard_ms;		/* what came before is dealt with */

	struct listener *listeners;
	struct worker_route *routes;
	struct conn_slab slab;
	struct limits limits;
	struct deadline_list handshakes, closing;

	uint8_t unique_id[16];
	bool accepting;
	uint64_t accepted_ms;		/* when accept(2) last had a result */
	uint64_t next_check_ms;		/* when to look after the listeners */
	bool stopping;
	bool left;			/* master knows that it accepts no more */
	uint64_t stop_by_ms;		/* but for handshakes, all ends here */
};

/*
 * struct worker_setup - what master gives a worker; borrowed for its life
 * @certs:        with a context per listener
 * @tickets:      the contexts' keys, which change as master says; NULL: they have
 *                their own
 * @listener_fds: one per listener
 * @keylog:       NULL: none
 * @slots:        connections at a time
 */
struct worker_setup {
	const struct config *config;
	struct certs *certs;
	struct hs_tickets *tickets;
	const int *listener_fds;
	struct ktls_support support;
	struct metrics *metrics;
	const struct keylog *keylog;
	unsigned int slots;
	int channel;
};

/*
 * worker_run - a worker's whole life, in its own process
 * It says when it is ready, and accepts once it is told to. Returns the
 * process's exit status: 0 after an orderly stop.
 */
int worker_run(const struct worker_setup *setup);

/*
 * worker_unique_id - an identifier for a connection, unlike any other's
 * 16 bytes: random ones of this process, then a count. They stay until the
 * next call.
 */
struct ktls_bytes worker_unique_id(struct worker *w);

#endif
