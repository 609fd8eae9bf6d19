/* SPDX-License-Identifier: MIT */
/*
 * Any number of times at which something is due, in a heap: those that lie
 * ahead cost nothing. Times are the caller's, in milliseconds of one clock.
 */
#ifndef AGENT_TIMERS_H
#define AGENT_TIMERS_H

#include <stddef.h>
#include <stdint.h>

/* struct timer - zeroed at first; @place is 0 while it is not set */
struct timer {
	uint64_t at_ms;
	size_t place;
};

/* struct timers - zeroed at first */
struct timers {
	struct timer **heap;
	size_t n, room;
};

/*
 * timers_reserve - make room for @n timers at a time
 * Then timer_set() cannot fail for any of them. Returns 0 or -ENOMEM.
 */
int timers_reserve(struct timers *timers, size_t n);
void timers_fini(struct timers *timers);

/* timer_set - set @t, or move it when it is set */
void timer_set(struct timers *timers, struct timer *t, uint64_t at_ms);
/* timer_clear - nothing for one that is not set */
void timer_clear(struct timers *timers, struct timer *t);

/* timers_due - take out the first one that is due at @now_ms, or NULL */
struct timer *timers_due(struct timers *timers, uint64_t now_ms);
/* timers_next - when the next one is due; UINT64_MAX: none is set */
uint64_t timers_next(const struct timers *timers);

#endif
