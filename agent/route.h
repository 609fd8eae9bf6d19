/* SPDX-License-Identifier: MIT */
/*
 * master's side of a route: who is registered, and with which queue. See
 * handoff(7) for the protocol and its reasons.
 */
#ifndef AGENT_ROUTE_H
#define AGENT_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "loop.h"
#include "metrics.h"

struct route;

/*
 * struct route_events - what master does about a route's queues
 * @added:   the workers are to send to this queue; @write_fd borrowed
 * @removed: they are not to any more
 * @metrics: master's slot, for connections dropped in a queue that nobody reads
 */
struct route_events {
	void (*added)(void *arg, unsigned int route, uint64_t id,
		      int write_fd);
	void (*removed)(void *arg, unsigned int route, uint64_t id);
	struct metrics *metrics;
	void *arg;
};

/*
 * route_open - listen for consumers
 * @index: the route's in the configuration, given back in events
 * Returns NULL with a sentence in @error.
 */
struct route *route_open(const struct config_route *config,
			 unsigned int index, int loop,
			 const struct route_events *events, char *error,
			 size_t error_len);
void route_close(struct route *route);

/* route_announce - say @events->added for every queue, to a new worker */
void route_announce(const struct route *route,
		    void (*added)(void *arg, unsigned int route, uint64_t id,
				  int write_fd),
		    void *arg);

/* route_broken - a worker found this queue shut down */
void route_broken(struct route *route, uint64_t id);

/*
 * route_tick - what time brings: registrations that waited for an offer, and
 * connections that waited too long in a queue that nobody reads
 * Returns when to be called again, in loop_now_ms() terms, or UINT64_MAX.
 */
uint64_t route_tick(struct route *route, uint64_t now_ms);

/* Consumers registered now. */
unsigned int route_registrations(const struct route *route);

#endif
