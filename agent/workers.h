/* SPDX-License-Identifier: MIT */
/*
 * The worker processes of a configuration, as master sees them: started, told,
 * waited for, replaced, stopped.
 */
#ifndef AGENT_WORKERS_H
#define AGENT_WORKERS_H

#include "channel.h"
#include "delivery.h"
#include "worker.h"

struct workers;

/*
 * struct workers_events - what master does for its workers
 * @announce: say everything that this worker is to know now; after its start,
 *            and when it missed something
 * @broken:   a worker found this queue shut down
 */
struct workers_events {
	void (*announce)(void *arg, unsigned int worker);
	void (*broken)(void *arg, unsigned int route, uint64_t queue);
	void *arg;
};

/*
 * workers_new - none is running before the first workers_tick()
 * @setup:   for each of them, copied; metrics and channel are not used
 * @metrics: where each takes a slot until workers_free()
 * @staples: what each is to have; outlives the workers. A new one inherits what
 *           @setup's certificates hold, which is the same
 * Returns NULL when out of memory.
 */
struct workers *workers_new(const struct worker_setup *setup,
			    struct metrics_pool *metrics, int loop,
			    const struct workers_events *events,
			    const struct delivery_list *staples);
void workers_free(struct workers *workers);	/* takes NULL */

/*
 * workers_say - tell one worker something; @fd travels along unless it is -1
 * One that is stopped does not read, and its channel fills: it is announced to
 * again later.
 */
void workers_say(struct workers *workers, unsigned int worker,
		 const struct channel_msg *msg, int fd);
/* workers_tell - the same to all that are running */
void workers_tell(struct workers *workers, const struct channel_msg *msg,
		  int fd);

/* workers_staple - this slot has another staple: give it to all of them */
void workers_staple(struct workers *workers, size_t slot);
/* workers_have - has each that is running what the slot has? */
bool workers_have(const struct workers *workers, size_t slot);

/* workers_tickets - the setup's keys have changed: give them to all of them */
void workers_tickets(struct workers *workers);

/* workers_ended - was waited for. Returns false when @pid is no worker's. */
bool workers_ended(struct workers *workers, pid_t pid, int status);

/*
 * workers_ready - could all begin to accept?
 * Returns 1 when they could, 0 when some are still starting, or -ECHILD when one
 * ended instead: it is not replaced, for the next one would end so, too.
 */
int workers_ready(const struct workers *workers);

/*
 * workers_accept - let them accept; from now on one that ends is replaced
 * The listeners must listen.
 */
void workers_accept(struct workers *workers);

/* workers_leave - accept what waits at this listener, and then no more */
void workers_leave(struct workers *workers, size_t listener);

/* workers_left - have all that were told to stop ceased to accept? */
bool workers_left(const struct workers *workers);

/* workers_count - processes that there are now */
unsigned int workers_count(const struct workers *workers);

/*
 * workers_stop - tell all to stop, and kill at the end of their time limits
 * those that did not
 */
void workers_stop(struct workers *workers);
/*
 * workers_tick - start those that are to run, repeat, kill
 * Returns when to be called again, in loop_now_ms() terms, or UINT64_MAX.
 */
uint64_t workers_tick(struct workers *workers, uint64_t now_ms);

#endif
