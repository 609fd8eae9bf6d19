// SPDX-License-Identifier: MIT
#include "agent/route_queue.h"

#include "agent/route.h"
#include "agent_case.h"
#include "ktls/descriptors.h"

TestSuite(route_queue, .timeout = 10);

static struct config_route config = {
	.name = (char *)"web",
	.queue = 100,
	.hold_timeout_ms = 1000,
};
static char told[64];

static const struct route *const owner = (const void *)&config;

static void on_added(void *arg, const struct route *route, uint64_t id, int fd)
{
	(void)arg;
	(void)fd;
	cr_expect_eq(route, owner);
	sprintf(told + strlen(told), "+%u ", (unsigned int)id % 10);
}

static void on_removed(void *arg, const struct route *route, uint64_t id)
{
	(void)arg;
	cr_expect_eq(route, owner);
	sprintf(told + strlen(told), "-%u ", (unsigned int)id % 10);
}

static struct metrics metrics;
static void on_live(void *arg, const struct route *r, bool live)
{
	(void)arg;
	(void)r;
	(void)live;
}

static const struct route_events events = { on_added, on_removed, on_live,
					    &metrics, NULL };
static struct route_queues set = {
	.route = (const void *)&config,
	.config = &config,
	.events = &events,
};

/* A queue with an identifier that ends in @digit. */
static struct route_queue *add(unsigned int digit)
{
	struct route_queue *q;
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				pair), 0);
	q = route_queue_new(&set, pair[0], pair[1]);
	cr_assert(q);
	q->id = q->id * 10 + digit;
	return q;
}

Test(route_queue, holds_as_many_connections_as_configured)
{
	struct route_queue *q = add(1);
	static const char message[600];
	int fd = STDIN_FILENO;
	unsigned int n = 0;

	while (!ktls_send_fds(q->write_fd, message, sizeof(message), &fd, 1))
		n++;
	cr_assert_geq(n, config.queue);
	cr_assert_leq(n, 2 * config.queue);
	route_queue_free(&set, q);
}

Test(route_queue, is_used_while_it_is_registered_or_alone)
{
	struct route_queue *one = add(1), *two = add(2);

	route_queues_choose(&set);
	cr_assert_str_eq(told, "+2 +1 ", "nobody is registered: all");
	one->registrations = 1;
	route_queues_choose(&set);
	route_queues_choose(&set);
	cr_assert_str_eq(told, "+2 +1 -2 ");
	one->registrations = 0;
	two->registrations = 1;
	route_queues_choose(&set);
	cr_assert_str_eq(told, "+2 +1 -2 -1 +2 ",
			 "what goes is said first");
	cr_assert_eq(set.n, 2, "they stay until every worker has heard of it");
	one->retired_ms = 0;
	route_queues_choose(&set);
	cr_assert_eq(set.n, 1);
	cr_assert_eq(set.first, two);
}

Test(route_queue, is_found_by_its_identifier_and_its_use)
{
	struct route_queue *one = add(1), *two = add(2);

	cr_assert_eq(route_queue_find(&set, one->id), one);
	cr_assert_null(route_queue_find(&set, 3));
	cr_assert_null(route_queue_live(&set));
	one->registrations = 1;
	cr_assert_eq(route_queue_live(&set), one);
	cr_assert_eq(route_queue_idle(&set), two);
	shutdown(two->read_fd, SHUT_RDWR);
	cr_assert_null(route_queue_idle(&set));
	cr_assert_eq(set.n, 1);
}

Test(route_queue, closes_both_ends_with_itself)
{
	unsigned int before = case_fds();
	struct route_queue *q = add(1);

	route_queues_choose(&set);
	route_queue_free(&set, q);
	cr_assert_str_eq(told, "+1 -1 ");
	cr_assert_null(set.first);
	cr_assert_eq(case_fds(), before);
}

Test(route_queue, asks_for_attention_while_one_is_idle)
{
	struct route_queue *one = add(1), *two;

	one->registrations = 1;
	cr_assert_eq(route_queues_tend(&set), 0);
	one->registrations = 0;
	cr_assert_eq(route_queues_tend(&set), 500);
	two = add(2);
	two->registrations = 1;
	cr_assert_eq(route_queues_tend(&set), 20);
	one->retired_ms = 0;
	route_queues_tend(&set);
	cr_assert_eq(route_queues_tend(&set), 0);
}
