/* SPDX-License-Identifier: MIT */
/*
 * Which staples one worker has, and which it is still to be given. A few are on
 * their way at a time: so a worker that does not read holds up nobody, its
 * channel keeps room for other things, and nothing is lost.
 */
#ifndef AGENT_DELIVERY_H
#define AGENT_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "channel.h"

/*
 * struct delivery_item - the staple that a slot has now
 * @cert, @depth: see hs_cert_set_staple()
 * @generation:   counts its changes; 0: there is none yet
 */
struct delivery_item {
	uint32_t cert, depth;
	uint32_t generation;
	struct ocsp_times times;
	struct ocsp_bytes der;
};

struct delivery_list {
	struct delivery_item *item;
	size_t n;
};

/* @taken: generations, by slot; @lacks: is to be sent, by slot */
struct delivery {
	const struct delivery_list *list;
	uint32_t *taken;
	bool *lacks;
	size_t n_lacking, next;
	unsigned int under_way;
};

/* Returns 0 or -ENOMEM. @list outlives it. */
int delivery_init(struct delivery *d, const struct delivery_list *list);
void delivery_fini(struct delivery *d);

/* delivery_inherit - a worker was forked, with everything that there is now */
void delivery_inherit(struct delivery *d);

/* delivery_changed - the slot has a new generation */
void delivery_changed(struct delivery *d, size_t slot);

/*
 * delivery_run - send what it lacks, as much as there is room for
 * To be called again after delivery_answered(). Returns 0, or -errno of
 * sendmsg(2) when it is to be called again later in any case.
 */
int delivery_run(struct delivery *d, int channel);

/*
 * delivery_answered - by CHANNEL_STAPLE_TAKEN, or _LOST (not @taken)
 * What was lost it lacks again. The worker is out of memory: it should be left
 * in peace for a while before delivery_run().
 */
void delivery_answered(struct delivery *d, uint64_t id, bool taken);

/* delivery_done - has it what the slot has? */
bool delivery_done(const struct delivery *d, size_t slot);

#endif
