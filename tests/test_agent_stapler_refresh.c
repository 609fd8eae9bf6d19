// SPDX-License-Identifier: MIT
#include "agent/stapler/refresh.h"

#include "agent/ring.h"
#include "agent_case.h"


#define TOTAL 6
#define PER_HOST 2
#define SOON 100

struct slot {
	struct refresh_job job;
	unsigned int starts;
};

static struct refresh refresh;
static struct slot slots[10000];
static struct slot *started[COUNT(slots)];
static unsigned int n_started, n_slots;
static bool fail_at_once;

static void on_start(struct refresh *r, struct refresh_job *job)
{
	struct slot *slot = container_of(job, struct slot, job);

	cr_assert_eq(job->state, REFRESH_RUNNING);
	slot->starts++;
	started[n_started++ % COUNT(started)] = slot;
	if (!fail_at_once)
		return;
	refresh_end(r, job);
	refresh_at(r, job, 1000);
}

static void start(void)
{
	refresh_init(&refresh, TOTAL, PER_HOST, on_start);
}

static void stop(void)
{
	refresh_fini(&refresh);
}

static struct slot *add(const char *url, uint64_t at_ms)
{
	struct slot *slot = &slots[n_slots++];

	slot->job.url = url;
	cr_assert_eq(refresh_add(&refresh), 0);
	cr_assert_eq(refresh_add_url(&refresh, url), 0);
	refresh_at(&refresh, &slot->job, at_ms);
	return slot;
}

/* Due one after the other, all before SOON. */
static void add_many(unsigned int n, const char *url)
{
	static uint64_t at_ms;

	while (n--)
		add(url, ++at_ms);
}

static void end(struct slot *slot)
{
	refresh_end(&refresh, &slot->job);
	cr_assert_eq(slot->job.state, REFRESH_IDLE);
}

TestSuite(refresh, .init = start, .fini = stop, .timeout = 20);

Test(refresh, starts_what_is_due_and_not_before)
{
	struct slot *slot = add("http://a/", 100);

	add("http://a/", 200);
	cr_assert_eq(refresh_run(&refresh, 99), 100);
	cr_assert_eq(n_started, 0);
	cr_assert_eq(refresh_run(&refresh, 100), 200);
	cr_assert_eq(n_started, 1);
	cr_assert_eq(started[0], slot);
	refresh_run(&refresh, 150);
	cr_assert_eq(n_started, 1);
}

Test(refresh, a_host_has_so_many_places_and_the_rest_wait_in_turn)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		add("http://a/x", 10 + i);
	cr_assert_eq(refresh_run(&refresh, 50), UINT64_MAX);
	cr_assert_eq(n_started, PER_HOST);
	cr_assert_eq(slots[2].job.state, REFRESH_WAITING);
	for (i = 0; i < 5; i++) {
		end(started[i]);
		refresh_run(&refresh, 50);
	}
	cr_assert_eq(n_started, 5);
	for (i = 0; i < 5; i++)
		cr_assert_eq(started[i], &slots[i]);
}

Test(refresh, a_host_is_scheme_and_authority_in_any_case)
{
	static const char *const same[] = { "http://a.example:80/x",
					    "http://A.Example:80",
					    "HTTP://a.example:80/y/z",
					    "http://a.example:80?q" };
	static const char *const others[] = { "https://a.example:80/x",
					      "http://a.example:81/x",
					      "http://a.example/x" };
	unsigned int i;

	for (i = 0; i < COUNT(same); i++)
		add(same[i], 10);
	refresh_run(&refresh, 10);
	cr_assert_eq(n_started, PER_HOST);
	for (i = 0; i < COUNT(others); i++)
		add(others[i], 20);
	refresh_run(&refresh, 20);
	cr_assert_eq(n_started, PER_HOST + COUNT(others));
}

Test(refresh, hosts_take_turns_for_the_places_of_all)
{
	static const char *const urls[] = { "http://a", "http://b", "http://c",
					    "http://d" };
	unsigned int i;

	for (i = 0; i < COUNT(urls); i++)
		add_many(3, urls[i]);
	refresh_run(&refresh, SOON);
	cr_assert_eq(n_started, TOTAL);
	for (i = 0; i < TOTAL; i++)
		cr_assert_eq(started[i]->job.url, urls[i % 4]);
	/* a and b are full; what a gives up goes to who waited longest. */
	end(started[0]);
	refresh_run(&refresh, SOON);
	cr_assert_eq(started[6]->job.url, urls[2]);
	end(started[1]);
	refresh_run(&refresh, SOON);
	cr_assert_eq(started[7]->job.url, urls[3]);
	end(started[4]);
	refresh_run(&refresh, SOON);
	cr_assert_eq(started[8]->job.url, urls[0]);
}

Test(refresh, a_job_that_goes_on_elsewhere_waits_for_a_place_there)
{
	struct slot *slot = add("http://a/", 1);

	add_many(PER_HOST, "http://b/");
	refresh_run(&refresh, SOON);
	slot->job.url = "http://b/";
	refresh_again(&refresh, &slot->job);
	cr_assert_eq(slot->job.state, REFRESH_WAITING);
	refresh_run(&refresh, SOON);
	cr_assert_eq(slot->starts, 1);
	end(&slots[1]);
	refresh_run(&refresh, SOON);
	cr_assert_eq(slot->starts, 2);
	/* and its place at the first one is free */
	add_many(PER_HOST + 1, "http://a/");
	refresh_run(&refresh, SOON);
	cr_assert_eq(refresh.running, 2 * PER_HOST);
}

Test(refresh, a_job_may_end_while_it_is_started)
{
	fail_at_once = true;
	add_many(20, "http://a/");
	cr_assert_eq(refresh_run(&refresh, SOON), 1000);
	cr_assert_eq(n_started, 20);
	cr_assert_eq(refresh.running, 0);
	refresh_run(&refresh, 1000);
	cr_assert_eq(n_started, 40);
}

/* Not one place is lost or gained, whatever comes in whichever order. */
Test(refresh, ten_thousand_at_once_stay_below_the_limits)
{
	unsigned int i, ended = 0;
	char urls[100][32];

	for (i = 0; i < COUNT(urls); i++)
		snprintf(urls[i], sizeof(urls[i]), "http://host%u/", i);
	for (i = 0; i < COUNT(slots); i++)
		add(urls[i % 7 ? i % COUNT(urls) : 0], 10);
	while (ended < COUNT(slots)) {
		refresh_run(&refresh, SOON);
		cr_assert_leq(refresh.running, TOTAL);
		cr_assert_gt(n_started, ended);
		end(started[ended++]);
	}
	cr_assert_eq(refresh.running, 0);
	for (i = 0; i < COUNT(slots); i++)
		cr_assert_eq(slots[i].starts, 1);
}
