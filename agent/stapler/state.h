/* SPDX-License-Identifier: MIT */
/* The stapler's parts among themselves: see stapler.h. */
#ifndef AGENT_STAPLER_STATE_H
#define AGENT_STAPLER_STATE_H

#include "curl_ring.h"
#include "agent/ring.h"
#include "slot.h"

struct stapler {
	struct ring ring;
	struct curl_ring curl;
	struct refresh refresh;
	unsigned int places;
	struct timers ends;
	struct slot_policy policy;
	struct fetch_options options;
	char *proxy, *ca_file;
	struct slot **slots;		/* by number; NULL: there is none */
	size_t n_slots;			/* numbers */

	int master, clock;
	struct ring_op in_op, out_op, clock_op;
	struct slot_list unsaid;	/* to be said to master */
	struct slot_link *loaded_behind;	/* then LOADED */
	bool loaded, pinged, waits_for_room;
	struct slot_list unstored;	/* to be written, once that is said */

	bool configured, started, over;
	int status;
	uint64_t now_ms;		/* CLOCK_MONOTONIC, twice a round */
	int64_t now, ahead_ms;		/* epoch; clock ahead of now_ms */
	uint8_t buf[STAPLE_MSG_MAX];
};

/* stapler_time - read the clocks: @now_ms and @now */
void stapler_time(struct stapler *st);
/* stapler_pass_on - what @slot has for master, and for the disk after that */
void stapler_pass_on(struct stapler *st, struct slot *slot);

/* --- stapler_store.c ----------------------------------------------------- */

/*
 * stapler_store_one - write one response, unless there is something to be said
 * Returns whether there was one, and so may be others.
 */
bool stapler_store_one(struct stapler *st);
/* stapler_store_all - before the end; no longer than there is time for that */
void stapler_store_all(struct stapler *st);

/* --- stapler_slots.c ----------------------------------------------------- */

/* stapler_schedule - when to ask next, by what @slot holds now */
void stapler_schedule(struct stapler *st, struct slot *slot);
/* stapler_ask - an idle @slot is asked now, whatever the schedule says */
void stapler_ask(struct stapler *st, struct slot *slot);
/* stapler_watch - see the end of what @slot holds, which may be new */
void stapler_watch(struct stapler *st, struct slot *slot);
/* stapler_run_ends - of what is held; those that are over now */
void stapler_run_ends(struct stapler *st);

/*
 * What struct refresh calls for a job that has a place, and curl_ring for a
 * transfer that has ended.
 */
void stapler_on_place(struct refresh *refresh, struct refresh_job *job);
void stapler_on_ended(struct curl_ring *curl, void *arg, CURLcode code);

/*
 * stapler_watch_clock - from now on look again at every slot when the wall
 * clock is set
 * Returns 0 or -errno of timerfd_create(2). @clock is the caller's to close.
 */
int stapler_watch_clock(struct stapler *st);
/*
 * stapler_look_again - at every slot, when @now is not what it was
 * Schedules are made anew, under the limits of any other time, and with no more
 * than one additional attempt a minute however often the clock is set.
 */
void stapler_look_again(struct stapler *st);

#endif
