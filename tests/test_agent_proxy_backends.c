/* SPDX-License-Identifier: MIT */
#include "agent/proxy/backends.h"

#include <arpa/inet.h>

#include "agent_case.h"

TestSuite(agent_proxy_backends, .timeout = 10);

static struct proxy_board board;
static struct proxy_order order;
static struct backends one, other;	/* of two processes */

static void start(void)
{
	unsigned int i;

	board = (struct proxy_board){ .n_processes = 2, .n_routes = 1,
				      .n_backends = 4 };
	close(proxy_board_new(&board));
	order = (struct proxy_order){ .name = "web", .max_fails = 2,
				      .fail_ms = 1000, .first = 1, .n = 3 };
	for (i = 0; i < 3; i++) {
		struct sockaddr_in *in = (void *)&order.backend[i].addr;

		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)(80 + i));
	}
	one = (struct backends){ &board, 0, &order, 0 };
	other = (struct backends){ &board, 1, &order, 0 };
}

static void stop(void)
{
	proxy_board_free(&board);
}

static void bring_down(unsigned int i, uint64_t now)
{
	backends_failed(&one, i, ECONNREFUSED, now);
	backends_failed(&one, i, ECONNREFUSED, now);
}

Test(agent_proxy_backends, takes_turns_between_equals, .init = start,
     .fini = stop)
{
	unsigned int times[3] = { 0 }, i;

	for (i = 0; i < 9; i++)
		times[backends_pick(&one, 0, 1)]++;
	for (i = 0; i < 3; i++)
		cr_expect_eq(times[i], 3);
}

Test(agent_proxy_backends, picks_the_one_with_the_fewest_of_all_processes,
     .init = start, .fini = stop)
{
	backends_count(&one, 0, 1);
	backends_count(&other, 1, 1);
	backends_count(&other, 2, 1);
	backends_count(&other, 2, 1);
	backends_count(&one, 0, 1);
	cr_expect_eq(backends_pick(&one, 0, 1), 1);
	backends_count(&one, 0, -1);
	backends_count(&one, 0, -1);
	cr_expect_eq(backends_pick(&other, 0, 1), 0);
}

Test(agent_proxy_backends, picks_none_twice, .init = start, .fini = stop)
{
	cr_expect_eq(backends_pick(&one, 3, 1), 2);
	cr_expect_eq(backends_pick(&one, 7, 1), -1);
}

Test(agent_proxy_backends, leaves_one_alone_that_failed_too_often,
     .init = start, .fini = stop)
{
	unsigned int i;

	backends_failed(&one, 0, ECONNREFUSED, 5000);
	cr_expect_eq(backends_pick(&one, 6, 5000), 0, "once is not enough");
	backends_failed(&one, 0, ECONNREFUSED, 5001);
	for (i = 0; i < 6; i++)
		cr_expect_neq(backends_pick(&other, 0, 5001), 0);
}

Test(agent_proxy_backends, forgives_failures_that_are_far_apart, .init = start,
     .fini = stop)
{
	backends_failed(&one, 0, ECONNREFUSED, 5000);
	backends_failed(&one, 0, ECONNREFUSED, 6002);
	cr_expect_eq(backends_pick(&one, 6, 6002), 0);
	cr_expect_eq(proxy_board_health(&board, 1)->down_until, 0);
}

Test(agent_proxy_backends, lets_a_success_count, .init = start, .fini = stop)
{
	backends_failed(&one, 0, ECONNREFUSED, 5000);
	backends_ok(&one, 0);
	backends_failed(&one, 0, ECONNREFUSED, 5001);
	cr_expect_eq(proxy_board_health(&board, 1)->down_until, 0);
}

Test(agent_proxy_backends, tries_one_that_was_down_with_one_connection,
     .init = start, .fini = stop)
{
	unsigned int i;

	bring_down(0, 5000);
	cr_expect_eq(backends_pick(&one, 0, 6000), 0);
	for (i = 0; i < 6; i++)
		cr_expect_neq(backends_pick(&other, 0, 6001), 0);
	/* It failed again: down for as long as before. */
	backends_failed(&one, 0, ECONNREFUSED, 6002);
	cr_expect_neq(backends_pick(&one, 0, 7001), 0);
	cr_expect_eq(backends_pick(&one, 0, 7002), 0);
	backends_ok(&one, 0);
	cr_expect_eq(proxy_board_health(&board, 1)->down_until, 0);
}

Test(agent_proxy_backends, tries_all_while_all_are_down, .init = start,
     .fini = stop)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		bring_down(i, 5000);
	cr_expect_geq(backends_pick(&one, 0, 5001), 0);
	cr_expect_eq(backends_pick(&one, 5, 5001), 1);
}

Test(agent_proxy_backends, takes_none_for_down_where_that_is_off,
     .init = start, .fini = stop)
{
	unsigned int i;

	order.max_fails = 0;
	for (i = 0; i < 10; i++)
		backends_failed(&one, 0, ECONNREFUSED, 5000);
	cr_expect_eq(proxy_board_health(&board, 1)->down_until, 0);
}

Test(agent_proxy_backends, has_a_name_for_each_family, .init = start,
     .fini = stop)
{
	struct sockaddr_in6 *in6 = (void *)&order.backend[1].addr;
	char text[BACKEND_TEXT];

	backends_print(&one, 0, text);
	cr_expect_str_eq(text, "0.0.0.0:80");
	in6->sin6_family = AF_INET6;
	in6->sin6_addr = in6addr_loopback;
	backends_print(&one, 1, text);
	cr_expect_str_eq(text, "[::1]:81");
	order.backend[2].addr.ss_family = AF_UNIX;
	strcpy((char *)&order.backend[2].addr + 2, "/run/x");
	backends_print(&one, 2, text);
	cr_expect_str_eq(text, "unix:/run/x");
}
