/* SPDX-License-Identifier: MIT */
/* Slots that wait for something, in the order they came, each at most once. */
#ifndef AGENT_SLOT_LIST_H
#define AGENT_SLOT_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* struct slot_link - a slot's place in one list; zeroed: it is in none */
struct slot_link {
	struct slot_link *next;
	bool in;
};

/* struct slot_list - zeroed: empty; @last has no meaning then */
struct slot_list {
	struct slot_link *first, *last;
};

/* slot_list_add - at the end; one that is in it keeps its place */
static inline void slot_list_add(struct slot_list *list, struct slot_link *link)
{
	if (link->in)
		return;
	link->in = true;
	link->next = NULL;
	if (list->first)
		list->last->next = link;
	else
		list->first = link;
	list->last = link;
}

/* slot_list_drop - take the first one out of a list that is not empty */
static inline void slot_list_drop(struct slot_list *list)
{
	list->first->in = false;
	list->first = list->first->next;
}

#endif
