/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include <criterion/criterion.h>

#include "ocsp/schedule.h"

TestSuite(ocsp_schedule, .timeout = 60);

#define MINUTE 60
#define HOUR 3600
#define DAY 86400
#define NOW INT64_C(1700000000)

static const struct ocsp_intervals usual = { 5 * MINUTE, DAY };
static const struct ocsp_intervals wide = { 1, INT64_MAX };

struct refresh_case {
	const char *what;
	const struct ocsp_intervals *i;
	int64_t from, to;	/* relative to NOW */
	int64_t fresh;
	int64_t least, most;	/* of all that randomness can do */
};

static int64_t refresh(const struct refresh_case *t, uint32_t random)
{
	struct ocsp_times times = { NOW + t->from, NOW + t->to };

	return ocsp_refresh_in(&times, t->fresh, t->i, NOW, random);
}

static void run(const struct refresh_case *cases, size_t n)
{
	const struct refresh_case *t;

	for (t = cases; t < cases + n; t++) {
		cr_expect_eq(refresh(t, 0), t->least, "%s: least %ld", t->what,
			     (long)refresh(t, 0));
		cr_expect_eq(refresh(t, UINT32_MAX), t->most, "%s: most %ld",
			     t->what, (long)refresh(t, UINT32_MAX));
	}
}

#define RUN(cases) run(cases, sizeof(cases) / sizeof(cases[0]))

Test(ocsp_schedule, refreshes_in_the_middle_of_the_validity)
{
	static const struct refresh_case cases[] = {
		{ "200 s", &wide, 0, 200, -1, 90, 110 },
		{ "seven days", &wide, 0, 7 * DAY, -1, 272160, 332640 },
		{ "seven days, a day old", &wide, -DAY, 6 * DAY, -1,
		  272160 - DAY, 332640 - DAY },
		{ "45 % gone", &wide, -90, 110, -1, 1, 20 },
		{ "just before the half", &wide, -99, 101, -1, 1, 11 },
		{ "the half is past", &wide, -100, 100, -1, 45, 50 },
		{ "last quarter", &wide, -160, 40, -1, 18, 22 },
		{ "its begin", &wide, -150, 50, -1, 23, 27 },
		{ "last second", &wide, -199, 1, -1, 1, 1 },
		{ "over", &wide, -200, 0, -1, 1, 1 },
		{ "long over", &wide, -900, -700, -1, 1, 1 },
		{ "one second", &wide, 0, 1, -1, 1, 1 },
		{ "ahead", &wide, 100, 200, -1, 90, 110 },
		{ "ends before it begins", &wide, 200, 100, -1, 45, 55 },
	};

	RUN(cases);
}

Test(ocsp_schedule, keeps_to_the_intervals_where_it_can)
{
	static const struct refresh_case cases[] = {
		{ "seven days, spread below the most", &usual, 0, 7 * DAY, -1,
		  DAY - DAY / 10, DAY },
		{ "ten minutes", &usual, 0, 600, -1, 300, 330 },
		{ "seven minutes: least is too long", &usual, 0, 400, -1, 180,
		  220 },
		{ "20 s: least is far too long", &usual, 0, 20, -1, 9, 11 },
		{ "20 s, of which 12 are gone", &usual, -12, 8, -1, 3, 3 },
		{ "20 s, of which 16 are gone", &usual, -16, 4, -1, 2, 2 },
		{ "half past, least beyond the third quarter", &usual,
		  -650, 550, -1, 225, 250 },
		{ "last quarter, least in it", &usual, -9000, 400, -1, 300,
		  300 },
		{ "last quarter, least beyond", &usual, -9000, 300, -1, 135,
		  165 },
	};

	RUN(cases);
}

Test(ocsp_schedule, heeds_http_up_to_the_third_quarter)
{
	static const struct refresh_case cases[] = {
		{ "an hour", &usual, 0, 7 * DAY, HOUR, HOUR, 3960 },
		{ "nothing", &usual, 0, 7 * DAY, 0, 300, 330 },
		{ "less than the least", &usual, 0, 7 * DAY, 299, 300, 330 },
		{ "more than the most", &usual, 0, 7 * DAY, 2 * DAY, 77760,
		  DAY },
		{ "more than the validity", &wide, 0, 1000, 2000, 675, 750 },
		{ "endless", &wide, 0, 1000, INT64_MAX, 675, 750 },
		{ "near the third quarter", &wide, 0, 1000, 740, 740, 750 },
		{ "half past", &wide, -600, 400, 100, 100, 110 },
		{ "last quarter", &wide, -800, 200, 10, 90, 110 },
		{ "20 s, stale at once", &usual, 0, 20, 0, 9, 9 },
		{ "20 s, fresh for long", &usual, 0, 20, 500, 14, 15 },
	};

	RUN(cases);
}

Test(ocsp_schedule, backs_off_from_two_seconds_to_an_hour)
{
	static const struct ocsp_intervals quick = { 1, 10 };
	static const struct {
		unsigned int failures;
		int64_t left, retry_after;
		const struct ocsp_intervals *i;
		int64_t least, most;
	} cases[] = {
		{ 0, 0, -1, &usual, 1, 2 },
		{ 1, 0, -1, &usual, 1, 2 },
		{ 2, 0, -1, &usual, 1, 4 },
		{ 3, 0, -1, &usual, 1, 8 },
		{ 11, 0, -1, &usual, 1, 2048 },
		{ 12, 0, -1, &usual, 1, 3600 },
		{ 13, 0, -1, &usual, 1, 3600 },
		{ 32, 0, -1, &usual, 1, 3600 },
		{ 33, 0, -1, &usual, 1, 3600 },
		{ 65, 0, -1, &usual, 1, 3600 },
		{ UINT_MAX, 0, -1, &usual, 1, 3600 },
		{ UINT_MAX, 0, -1, &quick, 1, 10 },
		/* A staple's last hours. */
		{ 20, 4 * HOUR, -1, &usual, 1, 3600 },
		{ 20, 4 * MINUTE, -1, &usual, 1, 60 },
		{ 20, 5, -1, &usual, 1, 1 },
		{ 20, 1, -1, &usual, 1, 1 },
		{ 20, -1, -1, &usual, 1, 3600 },
		{ 20, INT64_MIN, -1, &usual, 1, 3600 },
		{ 20, INT64_MAX, -1, &usual, 1, 3600 },
		/* Retry-After */
		{ 1, 0, 0, &usual, 1, 2 },
		{ 1, 0, 120, &usual, 121, 122 },
		{ 1, 0, HOUR, &usual, HOUR + 1, HOUR + 2 },
		{ 1, 0, HOUR + 1, &usual, HOUR + 1, HOUR + 2 },
		{ 1, 0, DAY, &usual, HOUR + 1, HOUR + 2 },
		{ 1, -1, INT64_MAX, &usual, HOUR + 1, HOUR + 2 },
		{ 1, 0, INT64_MAX, &wide, HOUR + 1, HOUR + 2 },
		{ 1, 250, 120, &usual, 121, 122 },
		{ 1, 60, 120, &usual, 31, 32 },
		{ 20, 60, 120, &usual, 31, 45 },
		{ 1, 1, 120, &usual, 1, 1 },
		{ 1, 8 * HOUR, DAY, &usual, 4 * HOUR + 1, 4 * HOUR + 2 },
		{ 1, 7 * DAY, DAY, &usual, DAY, DAY },
		{ 1, INT64_MAX, INT64_MAX, &wide, INT64_MAX / 2 + 1,
		  INT64_MAX / 2 + 2 },
		{ 1, 0, INT64_MIN, &usual, 1, 2 },
		{ 1, 0, 120, &quick, 10, 10 },
	};
	int64_t least, most;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		least = ocsp_retry_in(cases[i].failures, cases[i].left,
				      cases[i].retry_after, cases[i].i, 0);
		most = ocsp_retry_in(cases[i].failures, cases[i].left,
				     cases[i].retry_after, cases[i].i,
				     UINT32_MAX);
		cr_expect_eq(least, cases[i].least, "case %zu: %ld", i,
			     (long)least);
		cr_expect_eq(most, cases[i].most, "case %zu: %ld", i,
			     (long)most);
	}
}

/* xorshift64: the same numbers in every run. */
static uint64_t state = 88172645463325252;

static uint64_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Extremes, small numbers and all sizes between. */
static int64_t any_time(void)
{
	switch (any() % 8) {
	case 0:
		return INT64_MIN + (int64_t)(any() % 3);
	case 1:
		return INT64_MAX - (int64_t)(any() % 3);
	case 2:
		return (int64_t)(any() % 21) - 10;
	default:
		return (int64_t)any() >> any() % 64;
	}
}

static int64_t any_interval(void)
{
	int64_t n = any_time();

	return n > 0 ? n : 1;
}

Test(ocsp_schedule, keeps_its_promises_whatever_goes_in)
{
	struct ocsp_intervals i;
	struct ocsp_times times;
	int64_t now, wait;
	__int128 end, last;
	int n;

	for (n = 0; n < 2000000; n++) {
		times = (struct ocsp_times){ any_time(), any_time() };
		i = (struct ocsp_intervals){ any_interval(), any_interval() };
		now = any_time();
		wait = ocsp_refresh_in(&times, any() % 4 ? any_time() : -1, &i,
				       now, (uint32_t)any());
		cr_assert_geq(wait, 1);
		cr_assert_leq(wait, i.max);
		end = times.next_update;
		last = end - (end - times.this_update + 3) / 4;
		if (times.this_update <= now && now < last)
			cr_assert((__int128)now + wait <= last,
				  "%ld-%ld at %ld: %ld", times.this_update,
				  times.next_update, now, wait);
		else if (times.this_update <= now && (__int128)now + 1 < end)
			cr_assert((__int128)now + wait < end,
				  "%ld-%ld at %ld: %ld", times.this_update,
				  times.next_update, now, wait);
	}
}

Test(ocsp_schedule, retries_within_bounds_whatever_goes_in)
{
	struct ocsp_intervals i;
	int64_t wait, left, retry_after, cap;
	int n;

	for (n = 0; n < 2000000; n++) {
		i = (struct ocsp_intervals){ any_interval(), any_interval() };
		left = any_time();
		retry_after = any() % 2 ? any_time() : -1;
		wait = ocsp_retry_in((unsigned int)any_time(), left,
				     retry_after, &i, (uint32_t)any());
		cr_assert_geq(wait, 1);
		cr_assert_leq(wait, i.max);
		if (retry_after > 0) {
			cap = left > 0 ? left / 2 : 3600;
			cr_assert(wait >= retry_after || wait >= cap ||
				  wait == i.max);
			cr_assert_leq(wait, cap + (left > 3 ? left / 4 : 3600));
			continue;
		}
		cr_assert_leq(wait, 3600);
		if (left > 3)
			cr_assert_leq(wait, left / 4);
	}
}

Test(ocsp_schedule, asks_several_times_before_a_short_response_ends)
{
	int64_t validity, now, wait;
	struct ocsp_times times;
	int asked;

	for (validity = 2; validity < 1200; validity++) {
		times = (struct ocsp_times){ 0, validity };
		asked = 0;
		for (now = 0; now < validity; now += wait) {
			wait = ocsp_refresh_in(&times, -1, &usual, now,
					       (uint32_t)any());
			asked += now + wait < validity;
		}
		cr_expect_geq(asked, validity < 8 ? 1 : 2, "%ld s: %d times",
			      validity, asked);
		cr_expect_leq(asked, 20, "%ld s: %d times", validity, asked);
	}
}

Test(ocsp_schedule, spreads_what_was_fetched_at_once)
{
	struct ocsp_times times = { 0, 7 * DAY };
	unsigned int slots[24] = { 0 }, most = 0;
	int64_t wait;
	int n;

	/* A thousand, all of which meet the greatest interval. */
	for (n = 0; n < 1000; n++) {
		wait = ocsp_refresh_in(&times, -1, &usual, 0, (uint32_t)any());
		slots[(wait - 1) / HOUR]++;
	}
	for (n = 0; n < 24; n++)
		most = slots[n] > most ? slots[n] : most;
	cr_expect_lt(most, 600);
}
