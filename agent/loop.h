/* SPDX-License-Identifier: MIT */
/*
 * master's event loop: epoll, and nothing that could be inherited and misused.
 */
#ifndef AGENT_LOOP_H
#define AGENT_LOOP_H

#include <stdint.h>

/*
 * struct watch - a descriptor that is read when there is something to read
 * @ready: called when it is readable, hung up, or as loop_want() says; may
 *         remove and free the watch
 */
struct watch {
	int fd;
	void (*ready)(struct watch *w);
};

/* Returns the loop's descriptor, or -errno of epoll_create1(2). */
int loop_new(void);
/* Returns 0 or -errno of epoll_ctl(2). */
int loop_add(int loop, struct watch *w);
void loop_remove(int loop, struct watch *w);
/*
 * loop_want - what to call it for from now on
 * @want: LOOP_READ, which it is added with, LOOP_WRITE (there is room again), or
 *        both. A hang-up calls it in any case.
 */
#define LOOP_READ 1
#define LOOP_WRITE 2
void loop_want(int loop, struct watch *w, unsigned int want);

/*
 * loop_wait - wait for one watch at most and call it
 * One at a time, so that a callback may free any other watch.
 * @timeout_ms: negative: no limit
 * Returns 0, also at the end of the time, or -errno of epoll_wait(2).
 */
int loop_wait(int loop, int timeout_ms);

uint64_t loop_now_ms(void);	/* CLOCK_MONOTONIC */

#endif
