/* SPDX-License-Identifier: MIT */
/*
 * Responses on their way to the disk, which may be slow: master has each one
 * before it is written.
 */
#include "agent/log.h"
#include "agent/loop.h"
#include "stapler.h"
#include "state.h"

/* What is left of the time to stop goes to a write that began before its end. */
#define STORE_ALL_MS (STAPLER_STOP_MS * 3 / 4)

static struct slot *write_first(struct stapler *st)
{
	struct slot *slot = container_of(st->unstored.first, struct slot, store);

	slot_list_drop(&st->unstored);
	slot_store(slot, &st->policy);
	return slot;
}

bool stapler_store_one(struct stapler *st)
{
	struct slot *slot;

	if (!st->unstored.first || st->unsaid.first)
		return false;
	slot = write_first(st);
	if (slot->store_failed)
		stapler_pass_on(st, slot);
	return true;
}

void stapler_store_all(struct stapler *st)
{
	uint64_t end_ms = loop_now_ms() + STORE_ALL_MS;
	const struct slot_link *link;
	unsigned int left = 0;

	while (st->unstored.first && loop_now_ms() < end_ms)
		write_first(st);
	for (link = st->unstored.first; link; link = link->next)
		left++;
	if (left)
		log_warn("event=staple_store_unfinished certificates=%u "
			 "folder=\"%s\" error=\"the disk is too slow\" "
			 "effect=\"their newest responses are not stored\"",
			 left, st->policy.folder);
}
