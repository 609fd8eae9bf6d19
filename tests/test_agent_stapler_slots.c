// SPDX-License-Identifier: MIT
/* What the stapler does when its clock is set; without ring or responder. */
#include "agent/stapler/state.h"

#include "agent/log.h"
#include "agent_case.h"

#define N 2000
#define T INT64_C(1700000000)
#define DAY 86400

static struct stapler st;
static struct slot *slots[N];

static struct ocsp_bytes bytes(const char *data, size_t len)
{
	return (struct ocsp_bytes){ (const uint8_t *)data, len };
}

static void on_place(struct refresh *refresh, struct refresh_job *job)
{
	(void)refresh;
	(void)job;
}

static void start(void)
{
	const struct staple_msg msg = {
		.part = { bytes("site", 4), bytes("http://a/", 10),
			  bytes("", 0), bytes("", 0), bytes("", 0) },
	};
	unsigned int i;

	/* Two thousand lines are of no use here. */
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	refresh_init(&st.refresh, 4, 4, on_place);
	refresh_add_url(&st.refresh, "http://a/");
	cr_assert_eq(timers_reserve(&st.ends, N), 0);
	st.policy.intervals = (struct ocsp_intervals){ 300, DAY };
	st.policy.folder_error = -ENOENT;
	st.started = true;
	st.now_ms = 1000000;
	st.now = T;
	st.slots = slots;
	st.n_slots = N;
	for (i = 0; i < N; i++) {
		slots[i] = slot_new(&msg);
		cr_assert(slots[i]);
		cr_assert_eq(refresh_add(&st.refresh), 0);
	}
}

static void stop(void)
{
	unsigned int i;

	for (i = 0; i < N; i++)
		slot_free(slots[i]);
	refresh_fini(&st.refresh);
	timers_fini(&st.ends);
}

TestSuite(stapler_slots, .init = start, .fini = stop, .timeout = 30);

/* All hold a staple of ten days, taken @ago seconds ago. */
static void hold_all(int64_t ago)
{
	unsigned int i;

	for (i = 0; i < N; i++) {
		slots[i]->held = (struct slot_answer){
			{ T - ago, T - ago + 10 * DAY }, OCSP_OK };
		slots[i]->holding = true;
		stapler_watch(&st, slots[i]);
		stapler_schedule(&st, slots[i]);
	}
}

static void set_clock(int64_t now)
{
	st.now = now;
	stapler_look_again(&st);
}

/* Is master to be told when each is due, by the clock of now? */
static bool all_are_planned(void)
{
	const struct slot_link *link = st.unsaid.first;
	unsigned int n = 0;

	for (; link; link = link->next) {
		const struct slot *slot = container_of(link, struct slot, say);
		uint64_t wait_ms = slot->job.due.at_ms - st.now_ms;

		n += slot->next_new &&
		     slot->next == st.now + (int64_t)wait_ms / 1000;
	}
	return n == N;
}

/* How many are due until then. */
static unsigned int due_in(uint64_t ms)
{
	unsigned int i, n = 0;

	for (i = 0; i < N; i++)
		n += slots[i]->job.due.at_ms <= st.now_ms + ms;
	return n;
}

Test(stapler_slots, a_clock_that_jumps_ahead_makes_no_storm)
{
	hold_all(DAY);
	cr_assert_eq(due_in(10 * 3600 * 1000), 0);
	cr_assert(all_are_planned());
	set_clock(T + 30 * DAY);
	cr_assert(all_are_planned());
	cr_assert_eq(due_in(N * 10), N, "all are lost, and asked for soon");
	cr_assert_lt(due_in(N), N / 5, "but not at once");
	cr_assert_gt(due_in(N), N / 20);
	cr_assert_eq(timers_next(&st.ends), UINT64_MAX);
}

Test(stapler_slots, a_clock_that_jumps_back_makes_no_storm)
{
	uint64_t next;

	hold_all(DAY / 2);
	set_clock(T - DAY);
	cr_assert_eq(due_in(N * 10), N);
	cr_assert_lt(due_in(N), N / 5);
	/* They hold again by themselves. */
	next = timers_next(&st.ends);
	cr_assert_eq(next, st.now_ms + (DAY / 2 - 300) * 1000);
	st.now_ms = next;
	st.now += DAY / 2 - 300;
	stapler_run_ends(&st);
	cr_assert(slots[N / 2]->holding);
	cr_assert_not(slots[N / 2]->lost);
}

Test(stapler_slots, a_small_jump_moves_what_is_due_no_further_away)
{
	uint64_t before[N];
	unsigned int i;

	hold_all(4 * DAY);
	for (i = 0; i < N; i++)
		before[i] = slots[i]->job.due.at_ms;
	for (i = 0; i < 20; i++)
		set_clock(T + (i % 2 ? 3600 : -3600));
	for (i = 0; i < N; i++)
		cr_assert_leq(slots[i]->job.due.at_ms, before[i]);
	cr_assert(all_are_planned());
	cr_assert_eq(due_in(3600 * 1000), 0);
}

/* However often it is set, nobody is asked more than once a minute for that. */
Test(stapler_slots, a_clock_that_is_set_all_the_time_makes_no_storm)
{
	unsigned int i;

	hold_all(DAY);
	for (i = 0; i < N; i++) {
		slots[i]->began_ms = st.now_ms - 1;
		timer_clear(&st.refresh.due, &slots[i]->job.due);
	}
	for (i = 0; i < 20; i++)
		set_clock(i % 2 ? T : T + 30 * DAY);
	cr_assert_eq(due_in(59000), 0);
	cr_assert_eq(due_in(60000 + N * 10), N);
}

Test(stapler_slots, a_fetch_under_way_is_left_alone)
{
	hold_all(DAY);
	timer_clear(&st.refresh.due, &slots[0]->job.due);
	slots[0]->job.state = REFRESH_RUNNING;
	set_clock(T + 30 * DAY);
	cr_assert_eq(slots[0]->job.due.place, 0);
	cr_assert(slots[0]->lost);
}
