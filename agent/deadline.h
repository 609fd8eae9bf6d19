/* SPDX-License-Identifier: MIT */
/*
 * Deadlines that all lie the same time ahead when set, so that a list in the
 * order of setting is a list in the order of falling due: adding, removing and
 * finding the next are one step each.
 */
#ifndef AGENT_DEADLINE_H
#define AGENT_DEADLINE_H

#include <stddef.h>
#include <stdint.h>

struct deadline {
	struct deadline *prev, *next;
	uint64_t at_ms;
};

struct deadline_list {
	struct deadline head;	/* its at_ms is not used */
	uint64_t after_ms;
	void (*due)(struct deadline *d);	/* called with @d taken out */
};

static inline void deadline_list_init(struct deadline_list *list,
				      uint64_t after_ms,
				      void (*due)(struct deadline *d))
{
	list->head.prev = list->head.next = &list->head;
	list->after_ms = after_ms;
	list->due = due;
}

/* Takes @d out of whatever list it is in; nothing for one that is in none. */
static inline void deadline_clear(struct deadline *d)
{
	if (!d->next)
		return;
	d->prev->next = d->next;
	d->next->prev = d->prev;
	d->prev = d->next = NULL;
}

/* Moves @d into @list, from any other. */
static inline void deadline_set(struct deadline_list *list, struct deadline *d,
				uint64_t now_ms)
{
	deadline_clear(d);
	d->at_ms = now_ms + list->after_ms;
	d->next = &list->head;
	d->prev = list->head.prev;
	d->prev->next = d;
	list->head.prev = d;
}

/* What was set before all others in the list, or NULL. */
static inline struct deadline *deadline_oldest(struct deadline_list *list)
{
	return list->head.next == &list->head ? NULL : list->head.next;
}

/* Calls what has fallen due; returns the next one's time, or UINT64_MAX. */
static inline uint64_t deadline_run(struct deadline_list *list,
				    uint64_t now_ms)
{
	struct deadline *d = list->head.next;

	while (d != &list->head && d->at_ms <= now_ms) {
		deadline_clear(d);
		list->due(d);
		d = list->head.next;
	}
	return d == &list->head ? UINT64_MAX : d->at_ms;
}

#endif
