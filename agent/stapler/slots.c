/* SPDX-License-Identifier: MIT */
/* What the stapler does with its slots: attempts, ends, a clock that is set. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>

#include "agent/log.h"
#include "state.h"

/* No transfer gets less than this, unless it is configured so. */
#define LEAST_LIMIT_MS 1000
/* The clock was set by less: nothing of ours is as exact. */
#define JUMP_MS 2000
/* After a jump, one more attempt in this time, and that spread over slots. */
#define JUMP_CALM_MS 60000
#define JUMP_SPREAD_MS 10
/* Later than a clock can be set to. */
#define NEVER_S INT64_C(9000000000)

/* What is held may have changed, or what the clock says. */
void stapler_watch(struct stapler *st, struct slot *slot)
{
	int64_t at = slot_changes_at(slot, st->now);

	if (at == INT64_MAX)
		timer_clear(&st->ends, &slot->end);
	else
		timer_set(&st->ends, &slot->end,
			  st->now_ms + (uint64_t)(at - st->now) * 1000);
}

/* The schedule has changed, or the clock that master reads it by. */
static void say_schedule(struct stapler *st, struct slot *slot)
{
	int64_t wait_ms = (int64_t)(slot->job.due.at_ms - st->now_ms);

	slot_plan(slot, st->now + wait_ms / 1000);
	stapler_pass_on(st, slot);
}

static void schedule(struct stapler *st, struct slot *slot, int64_t wait)
{
	refresh_at(&st->refresh, &slot->job,
		   st->now_ms + (uint64_t)wait * 1000);
	say_schedule(st, slot);
}

void stapler_schedule(struct stapler *st, struct slot *slot)
{
	schedule(st, slot, slot_refresh_in(slot, &st->policy, st->now));
}

void stapler_ask(struct stapler *st, struct slot *slot)
{
	schedule(st, slot, 0);
}

static void end_attempt(struct stapler *st, struct slot *slot, int64_t wait)
{
	fetch_free(slot->fetch);
	slot->fetch = NULL;
	refresh_end(&st->refresh, &slot->job);
	slot_begin(slot);
	schedule(st, slot, wait);
	stapler_watch(st, slot);
}

static void next_url(struct stapler *st, struct slot *slot)
{
	if (!slot_next_url(slot)) {
		end_attempt(st, slot,
			    slot_give_up(slot, &st->policy, st->now));
		return;
	}
	fetch_free(slot->fetch);
	slot->fetch = NULL;
	refresh_again(&st->refresh, &slot->job);
}

static void fail(struct stapler *st, struct slot *slot, const char *error)
{
	struct fetch_outcome outcome = { .result = FETCH_INTERNAL };
	int64_t wait;

	strncpy(outcome.error, error, sizeof(outcome.error) - 1);
	slot_take(slot, &st->policy, &outcome, st->now, &wait);
	next_url(st, slot);
}

static void next_transfer(struct stapler *st, struct slot *slot)
{
	slot->easy = fetch_next(slot->fetch);
	if (!slot->easy) {
		next_url(st, slot);
		return;
	}
	if (!curl_ring_add(&st->curl, slot->easy, slot))
		return;
	slot->easy = NULL;
	fail(st, slot, "libcurl failed: out of memory");
}

void stapler_on_ended(struct curl_ring *curl, void *arg, CURLcode code)
{
	struct stapler *st = container_of(curl, struct stapler, curl);
	const struct fetch_outcome *outcome;
	struct slot *slot = arg;
	int64_t wait;

	slot->easy = NULL;
	outcome = fetch_ended(slot->fetch, code, st->now);
	if (slot_take(slot, &st->policy, outcome, st->now, &wait)) {
		end_attempt(st, slot, wait);
		return;
	}
	fetch_refuse(slot->fetch);
	next_transfer(st, slot);
}

/* Several attempts have to fit before what is held ends, silent ones too. */
static unsigned int time_limit(const struct stapler *st,
			       const struct slot *slot)
{
	uint64_t limit_ms = st->options.timeout_ms, quarter_ms;

	if (!slot_holds(slot, st->now))
		return st->options.timeout_ms;
	quarter_ms = (uint64_t)(slot->held.times.next_update - st->now) * 250;
	if (quarter_ms < LEAST_LIMIT_MS)
		quarter_ms = LEAST_LIMIT_MS;
	return (unsigned int)(quarter_ms < limit_ms ? quarter_ms : limit_ms);
}

void stapler_on_place(struct refresh *refresh, struct refresh_job *job)
{
	struct stapler *st = container_of(refresh, struct stapler, refresh);
	struct slot *slot = container_of(job, struct slot, job);
	char error[200];

	slot->began_ms = st->now_ms;
	slot->options = st->options;
	slot->options.debug_arg = slot;
	slot->options.timeout_ms = time_limit(st, slot);
	slot->fetch = fetch_new(&slot->options, slot->leaf, slot->issuer,
				job->url, error, sizeof(error));
	if (slot->fetch)
		next_transfer(st, slot);
	else
		fail(st, slot, error);
}

void stapler_run_ends(struct stapler *st)
{
	struct timer *t;

	while ((t = timers_due(&st->ends, st->now_ms))) {
		struct slot *slot = container_of(t, struct slot, end);

		slot_look(slot, st->now);
		stapler_watch(st, slot);
	}
}

/* --- a clock that is set ------------------------------------------------- */

/* When to ask now. What it waited for already never moves further away. */
static void schedule_again(struct stapler *st, struct slot *slot)
{
	uint64_t calm_ms = 1000 * (uint64_t)st->policy.intervals.min;
	uint64_t spread_ms = 1 + JUMP_SPREAD_MS * st->refresh.jobs;
	uint64_t at = st->now_ms;

	if (calm_ms > JUMP_CALM_MS)
		calm_ms = JUMP_CALM_MS;
	if (spread_ms > calm_ms)
		spread_ms = calm_ms;
	at += 1000 * (uint64_t)slot_refresh_in(slot, &st->policy, st->now);
	if (slot->began_ms && at < slot->began_ms + calm_ms)
		at = slot->began_ms + calm_ms;
	refresh_by(&st->refresh, &slot->job, at + slot_random() % spread_ms);
	say_schedule(st, slot);
}

void stapler_look_again(struct stapler *st)
{
	const struct ocsp_bytes nothing = { NULL, 0 };
	size_t i;

	for (i = 0; i < st->n_slots; i++) {
		struct slot *slot = st->slots[i];

		if (!slot)
			continue;
		slot_look(slot, st->now);
		if (slot->untimely && !slot_holds(slot, st->now))
			slot_load(slot, &st->policy, nothing, st->now);
		if (slot->response.data)
			stapler_pass_on(st, slot);
		stapler_watch(st, slot);
		if (st->started && slot->job.state == REFRESH_IDLE)
			schedule_again(st, slot);
	}
}

static int64_t clock_ahead_ms(void)
{
	struct timespec real, mono;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	return (real.tv_sec - mono.tv_sec) * 1000 +
	       (real.tv_nsec - mono.tv_nsec) / 1000000;
}

static void poll_clock(struct stapler *st);

static void on_clock(struct ring_op *op, int result)
{
	struct stapler *st = container_of(op, struct stapler, clock_op);
	int64_t ahead, by;

	(void)result;
	/* First, so that what is set from now on is told again. */
	poll_clock(st);
	ahead = clock_ahead_ms();
	by = ahead - st->ahead_ms;
	if (-JUMP_MS < by && by < JUMP_MS)
		return;
	st->ahead_ms = ahead;
	stapler_time(st);
	log_warn("event=clock_set by_s=%" PRId64 " effect=\"staples are looked "
		 "at again\"", by / 1000);
	stapler_look_again(st);
}

/* A timer that never ends but by the clock's being set, which makes it so. */
static void poll_clock(struct stapler *st)
{
	static const struct itimerspec never = {
		.it_value.tv_sec = NEVER_S,
	};

	timerfd_settime(st->clock, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			&never, NULL);
	io_uring_prep_poll_add(ring_prepare(&st->ring, &st->clock_op),
			       st->clock, POLLIN);
}

int stapler_watch_clock(struct stapler *st)
{
	st->clock = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (st->clock < 0)
		return -errno;
	st->ahead_ms = clock_ahead_ms();
	st->clock_op.done = on_clock;
	poll_clock(st);
	return 0;
}
