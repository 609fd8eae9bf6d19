/* SPDX-License-Identifier: MIT */
/*
 * master's side of a route: who is registered, and with which queue. See
 * handoff(7) for the protocol and its reasons. It outlives the configuration it
 * was opened for while the next one has a route at the same path.
 */
#ifndef AGENT_ROUTE_H
#define AGENT_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "loop.h"
#include "metrics.h"
#include "upgrade_state.h"

struct route;

/*
 * struct route_events - what master does about a route's queues
 * @added:   the workers are to send to this queue; @write_fd borrowed
 * @removed: they are not to any more; not said by route_close()
 * @live:    the first consumer has registered, or the last one left; likewise
 * @metrics: master's slot, for connections dropped in a queue that nobody reads
 */
struct route_events {
	void (*added)(void *arg, const struct route *route, uint64_t id,
		      int write_fd);
	void (*removed)(void *arg, const struct route *route, uint64_t id);
	void (*live)(void *arg, const struct route *route, bool live);
	struct metrics *metrics;
	void *arg;
};

/*
 * route_open - listen for consumers, unless it is for a proxy
 * @fd:     a socket that listens at its path already, taken; or -1
 * @config: borrowed until route_update() or route_close()
 * Returns NULL with a sentence in @error.
 */
struct route *route_open(const struct config_route *config, int fd, int loop,
			 const struct route_events *events, char *error,
			 size_t error_len);
/*
 * route_close - let consumers look for the next ktlsd
 * What waits in their queues is theirs. Takes NULL.
 */
void route_close(struct route *route);

/* route_config - what it goes by now */
const struct config_route *route_config(const struct route *route);
/*
 * route_is - is it the route that @config means, and has its queue?
 * The one at its path; or, of those for a proxy, which have none, the one of its
 * name.
 */
bool route_is(const struct route *route, const struct config_route *config);

/*
 * route_register - a consumer that does not connect, for master started it
 * @pid, @uid, @gid: its
 * Returns its end of a connection, which is as good as one to the path (CLOEXEC,
 * not blocking): the caller's. Or -errno.
 */
int route_register(struct route *route, pid_t pid, uid_t uid, gid_t gid);

/*
 * route_update - go by another configuration that route_is()
 * Registrations and queues stay. Consumers that are registered were told the
 * old hold_timeout, and whether IPv6 clients may come, and go by it. Logs what
 * cannot be changed.
 */
void route_update(struct route *route, const struct config_route *config);

/* route_announce - say @events->added for every queue, to a new worker */
void route_announce(const struct route *route,
		    void (*added)(void *arg, const struct route *route,
				  uint64_t id, int write_fd),
		    void *arg);

/* route_broken - a worker found this queue shut down */
void route_broken(struct route *route, uint64_t id);

/*
 * route_tick - what time brings: registrations that waited for an offer, and
 * connections that waited too long in a queue that nobody reads
 * Returns when to be called again, in loop_now_ms() terms, or UINT64_MAX.
 */
uint64_t route_tick(struct route *route, uint64_t now_ms);

/*
 * When another process takes this one's place:
 * route_pause  - hear nobody, until
 * route_resume - go on as before, or
 * route_leave  - be done with it, which its consumers do not notice; free it
 * route_give   - write of a paused one all that there is
 */
void route_pause(struct route *route);
void route_resume(struct route *route);
void route_leave(struct route *route);
void route_give(struct route *route, uint32_t number, struct upgrade_writer *w);

/*
 * In that process, after route_open(): route_take_queue() for its queues,
 * route_take_registration() for its registrations, and route_taken(). The
 * descriptors are taken, also on failure: -ENOMEM, or -EBADMSG: there is no such
 * queue.
 */
int route_take_queue(struct route *route, int read_fd, int write_fd);
int route_take_registration(struct route *route,
			    const struct upgrade_record *record, int fd);
void route_taken(struct route *route);

/* Consumers registered now. */
unsigned int route_registrations(const struct route *route);

#endif
