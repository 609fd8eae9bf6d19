/* SPDX-License-Identifier: MIT */
#include "timers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Places count from 1, so that the one above @i is i / 2, below it 2i, 2i+1. */
static struct timer **at(const struct timers *timers, size_t place)
{
	return &timers->heap[place - 1];
}

static void put(struct timers *timers, struct timer *t, size_t place)
{
	*at(timers, place) = t;
	t->place = place;
}

int timers_reserve(struct timers *timers, size_t n)
{
	struct timer **heap;
	size_t room = timers->room ? timers->room : 16;

	if (n <= timers->room)
		return 0;
	while (room < n)
		room *= 2;
	heap = reallocarray(timers->heap, room, sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	timers->heap = heap;
	timers->room = room;
	return 0;
}

void timers_fini(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){ 0 };
}

static void rise(struct timers *timers, struct timer *t)
{
	size_t place = t->place;

	while (place > 1 && (*at(timers, place / 2))->at_ms > t->at_ms) {
		put(timers, *at(timers, place / 2), place);
		place /= 2;
	}
	put(timers, t, place);
}

static void sink(struct timers *timers, struct timer *t)
{
	size_t place = t->place, below;

	while ((below = 2 * place) <= timers->n) {
		if (below < timers->n && (*at(timers, below + 1))->at_ms <
						 (*at(timers, below))->at_ms)
			below++;
		if ((*at(timers, below))->at_ms >= t->at_ms)
			break;
		put(timers, *at(timers, below), place);
		place = below;
	}
	put(timers, t, place);
}

void timer_set(struct timers *timers, struct timer *t, uint64_t at_ms)
{
	if (!t->place) {
		assert(timers->n < timers->room);
		put(timers, t, ++timers->n);
	}
	t->at_ms = at_ms;
	rise(timers, t);
	sink(timers, t);
}

void timer_clear(struct timers *timers, struct timer *t)
{
	struct timer *last;

	if (!t->place)
		return;
	last = *at(timers, timers->n--);
	if (last != t) {
		put(timers, last, t->place);
		rise(timers, last);
		sink(timers, last);
	}
	t->place = 0;
}

struct timer *timers_due(struct timers *timers, uint64_t now_ms)
{
	struct timer *t;

	if (timers_next(timers) > now_ms || !timers->n)
		return NULL;
	t = *at(timers, 1);
	timer_clear(timers, t);
	return t;
}

uint64_t timers_next(const struct timers *timers)
{
	return timers->n ? (*at(timers, 1))->at_ms : UINT64_MAX;
}
