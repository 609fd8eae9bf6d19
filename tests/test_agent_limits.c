// SPDX-License-Identifier: MIT
#include "agent/limits.h"

#include <arpa/inet.h>

#include "agent_case.h"

TestSuite(limits, .timeout = 20);

static struct limits limits;

static void init(const struct config_limits *config, unsigned int workers)
{
	cr_assert_eq(limits_init(&limits, config, workers, 16), 0);
}

static struct sockaddr_storage client(const char *text)
{
	struct sockaddr_storage addr = { .ss_family = AF_INET };

	if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&addr)->sin_addr))
		return addr;
	addr.ss_family = AF_INET6;
	cr_assert(inet_pton(AF_INET6, text,
			    &((struct sockaddr_in6 *)&addr)->sin6_addr));
	return addr;
}

static bool joins(const char *text)
{
	struct sockaddr_storage addr = client(text);

	return limits_join(&limits, &addr);
}

static void leaves(const char *text)
{
	struct sockaddr_storage addr = client(text);

	limits_leave(&limits, &addr);
}

Test(limits, are_shared_by_the_workers_and_rounded_up)
{
	struct config_limits config = { 10, 7, 1, 32, 64, 0 };

	init(&config, 4);
	cr_assert_eq(limits.handshakes, 3);
	cr_assert_eq(limits.per_client, 2);
	cr_assert_eq(limits.rate, 1);
	limits_fini(&limits);
	config = (struct config_limits){ 0 };
	init(&config, 4);
	cr_assert_eq(limits.handshakes, 0);
	cr_assert_eq(limits.per_client, 0);
	cr_assert_eq(limits.rate, 0);
	limits_fini(&limits);
}

Test(limits, that_are_not_there_hold_up_nobody)
{
	unsigned int i;

	init(&(struct config_limits){ 0 }, 1);
	for (i = 0; i < 1000; i++) {
		cr_assert_not(limits_begin(&limits));
		cr_assert(joins("192.0.2.1"));
		cr_assert_eq(limits_accept_at(&limits, 5), 0);
		limits_accepted(&limits);
	}
	leaves("192.0.2.1");
	cr_assert_eq(limits.in_flight, 1000);
	limits_fini(&limits);
}

Test(limits, say_when_there_is_one_handshake_too_many)
{
	init(&(struct config_limits){ .handshakes = 2 }, 1);
	cr_assert_not(limits_begin(&limits));
	cr_assert_not(limits_begin(&limits));
	cr_assert(limits_begin(&limits));
	limits_end(&limits);
	limits_end(&limits);
	cr_assert_not(limits_begin(&limits));
	limits_fini(&limits);
}

/* Which of two addresses are one client. */
static const struct {
	const char *a, *b;
	unsigned int v4, v6;
	bool same;
} pairs[] = {
	{ "192.0.2.1", "192.0.2.1", 32, 64, true },
	{ "192.0.2.1", "::ffff:192.0.2.1", 32, 64, true },
	{ "192.0.2.1", "192.0.2.2", 32, 64, false },
	{ "::ffff:192.0.2.1", "::ffff:192.0.2.2", 32, 64, false },
	{ "192.0.2.1", "192.0.2.2", 24, 64, true },
	{ "192.0.2.1", "192.0.3.1", 24, 64, false },
	{ "192.0.2.1", "203.0.113.1", 0, 64, true },
	{ "2001:db8::1", "2001:db8::ffff:0:0:2", 32, 64, true },
	{ "2001:db8::1", "2001:db8:0:1::1", 32, 64, false },
	{ "2001:db8::1", "2001:db8:0:1::1", 32, 56, true },
	{ "2001:db8::1", "2001:db8::2", 32, 128, false },
	{ "2001:db8::1", "2001:dead::2", 32, 0, true },
};

Test(limits, tell_clients_apart_by_their_prefix)
{
	size_t i;

	for (i = 0; i < COUNT(pairs); i++) {
		init(&(struct config_limits){
			     .handshakes_per_client = 1,
			     .client_v4 = pairs[i].v4,
			     .client_v6 = pairs[i].v6 }, 1);
		cr_assert(joins(pairs[i].a));
		cr_expect_neq(joins(pairs[i].b), pairs[i].same, "pair %zu", i);
		limits_fini(&limits);
	}
}

Test(limits, let_a_client_come_again_when_it_has_left)
{
	init(&(struct config_limits){ .handshakes_per_client = 2,
				      .client_v4 = 32, .client_v6 = 64 }, 1);
	cr_assert(joins("192.0.2.1"));
	cr_assert(joins("192.0.2.1"));
	cr_assert_not(joins("192.0.2.1"));
	cr_assert_not(joins("192.0.2.1"));
	leaves("192.0.2.1");
	cr_assert(joins("192.0.2.1"));
	cr_assert_not(joins("192.0.2.1"));
	limits_fini(&limits);
}

Test(limits, have_none_for_a_client_without_an_address)
{
	struct sockaddr_storage nobody = { .ss_family = AF_UNIX };
	int i;

	init(&(struct config_limits){ .handshakes_per_client = 1 }, 1);
	for (i = 0; i < 100; i++)
		cr_assert(limits_join(&limits, &nobody));
	limits_leave(&limits, &nobody);
	limits_fini(&limits);
}

/* Accepts whenever it may; returns how many until @until_ms. */
static unsigned int accept_all(uint64_t *now_ms, uint64_t until_ms)
{
	unsigned int n = 0;
	uint64_t at;

	while (*now_ms < until_ms) {
		at = limits_accept_at(&limits, *now_ms);
		if (at) {
			cr_assert_gt(at, *now_ms);
			*now_ms = at;
			continue;
		}
		limits_accepted(&limits);
		n++;
	}
	return n;
}

static const unsigned int rates[] = { 1, 3, 100, 999, 1000, 1001, 50000 };

Test(limits, accept_as_many_per_second_as_they_say)
{
	uint64_t now;
	unsigned int n;
	size_t i;

	for (i = 0; i < COUNT(rates); i++) {
		init(&(struct config_limits){ .accept_rate = rates[i] }, 1);
		now = 1000000;
		n = accept_all(&now, 1000001);
		cr_expect_eq(n, rates[i], "a second's worth at the start");
		n = accept_all(&now, 1010000);
		cr_expect(n >= rates[i] * 10 - rates[i] / 100 - 1 &&
			  n <= rates[i] * 10, "%u instead of ten times %u", n,
			  rates[i]);
		/* An idle hour saves up no more than a second's worth. */
		now += 3600000;
		n = accept_all(&now, now + 1);
		cr_expect_eq(n, rates[i]);
		limits_fini(&limits);
	}
}

Test(limits, take_what_came_at_once_from_what_comes_next)
{
	unsigned int i;

	init(&(struct config_limits){ .accept_rate = 10 }, 1);
	cr_assert_eq(limits_accept_at(&limits, 1000), 0);
	for (i = 0; i < 15; i++)
		limits_accepted(&limits);
	cr_assert_eq(limits_accept_at(&limits, 1000), 1600);
	cr_assert_eq(limits_accept_at(&limits, 1599), 1600);
	cr_assert_eq(limits_accept_at(&limits, 1600), 0);
	limits_fini(&limits);
}
