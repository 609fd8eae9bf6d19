/* SPDX-License-Identifier: MIT */
/*
 * A generation: a configuration and all that serves by it. One is made ready
 * beside the one that serves, and takes its place whole; or something about it
 * is wrong, and nothing has changed.
 */
#ifndef AGENT_GENERATION_H
#define AGENT_GENERATION_H

#include "certs.h"
#include "config/config.h"
#include "control.h"
#include "doors.h"
#include "inherit.h"
#include "keylog.h"
#include "ktls/install.h"
#include "metrics.h"
#include "proxies.h"
#include "route.h"
#include "staples.h"
#include "ticket_keys.h"
#include "upgrade_msg.h"
#include "watcher.h"
#include "workers.h"

/*
 * struct generation_host - what there is one of, whatever the configuration
 * @inherit: sockets for the first one
 * @guest:   they are another master's still, and it goes on with them if we end:
 *           nothing is to be shut, removed or said to a consumer
 * @routes:  events of all routes
 */
struct generation_host {
	int loop;
	struct inherit inherit;
	bool guest;
	struct metrics_pool *metrics;
	struct proxy_metrics *proxy_metrics;
	struct ticket_keys *tickets;
	struct watcher *watcher;
	struct control *control;	/* NULL before the first one serves */
	struct route_events routes;
};

/*
 * struct generation
 * @next:      the owner's
 * @number:    from 1; 0 until it is opened
 * @support:   what the kernel can; pairs 0: every connection is relayed
 * @slots:     connections that each worker can have at a time
 * @listeners: by the index of config's listeners, -1: closed. Where the one
 *             before has the same address, it is the same open file
 * @foreign:   of @listeners, see struct inherit_socket
 * @routes:    by the index of config's routes, NULL: closed. The same object in
 *             every generation that has a route at its path
 * @control:   a socket at another path than host->control is at, or -1
 */
struct generation {
	struct generation *next;
	struct generation_host *host;
	unsigned int number;
	struct config *config;
	struct certs *certs;
	struct ktls_support support;
	unsigned int slots;
	int *listeners;
	bool *foreign;
	struct route **routes;
	int control;
	struct keylog *keylog;
	struct staples *staples;
	struct workers *workers;
	struct proxies *proxies;
	struct doors *doors;	/* from then on that it serves until it stops */
	bool started, stopping;
	uint64_t ready_by_ms;
};

/*
 * generation_new - read all that a configuration names
 * @config:   taken, also on failure
 * @tickets:  outlives it
 * @previous: what is the same there is not read again; or NULL
 * Returns NULL after logging what is wrong.
 */
struct generation *generation_new(struct config *config,
				  struct ticket_keys *tickets,
				  const struct generation *previous);

/*
 * generation_open - have all that it needs but its processes
 * @number:   its
 * @previous: the one that serves, or NULL: this is the first
 * Returns 0, or a negative number after logging why not; then it is to be
 * stopped and freed.
 */
int generation_open(struct generation *g, struct generation_host *host,
		    unsigned int number, const struct generation *previous);

/*
 * generation_ready - once open: could it begin to serve?
 * Waits for staples, see staples_settled(), starts its workers, waits for them.
 * Returns 1, 0 when it is to be asked again after the next generation_tick(), or
 * a negative number after logging why it never will.
 */
int generation_ready(struct generation *g, uint64_t now_ms);

/*
 * generation_take_over - serve from now on, in the place of @previous
 * Routes that are not in @g are closed, and no generation's any more. @previous
 * stops, as it does by generation_stop(); NULL: there is none.
 * Returns 0, or a negative number after logging why nothing has changed.
 */
int generation_take_over(struct generation *g, struct generation *previous);

/*
 * generation_stop - end the processes, as soon as their connections allow
 * @serving: the one that goes on with the same routes and listeners; NULL: none
 */
void generation_stop(struct generation *g, const struct generation *serving);
/* generation_forget - of one that stops: routes that @serving has not are closed */
void generation_forget(struct generation *g, const struct generation *serving);

/*
 * generation_tick - what time brings for its processes
 * Returns when to be called again, in loop_now_ms() terms, or UINT64_MAX.
 */
uint64_t generation_tick(struct generation *g, uint64_t now_ms);

/* generation_ended - was waited for. Returns false when @pid is not its. */
bool generation_ended(struct generation *g, pid_t pid, int status);

/* generation_running - are there processes? */
bool generation_running(const struct generation *g);

/*
 * generation_tell - something about @route to those workers that know it
 * When its consumers came or went, listeners follow.
 */
void generation_tell(const struct generation *g, const struct route *route,
		     enum channel_type type, uint64_t queue, int fd);

/*
 * When another process takes this one's place:
 * generation_pause  - hear no consumers and no clients of control, until
 * generation_resume - go on as before, or
 * generation_leave  - what was @taken is that process's; it remains to stop it
 * generation_give   - write of a paused one all that there is
 */
void generation_pause(struct generation *g);
void generation_resume(struct generation *g);
void generation_leave(struct generation *g, const struct upgrade_taken *taken,
		      size_t n);
void generation_give(const struct generation *g, struct upgrade_writer *w);

/*
 * generation_take - in that process, once open: have all that was written
 * @r:   what was written
 * @fds: as many as @r has, taken, but for those of sockets, which the host's
 *       inherit has
 * Returns 0, -ENOMEM or -EBADMSG; then it is to be given up.
 */
int generation_take(struct generation *g, struct upgrade_reader r,
		    const int *fds);

/* Nothing of it may be running. Takes NULL. */
void generation_free(struct generation *g);

#endif
