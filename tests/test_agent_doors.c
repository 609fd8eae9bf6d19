// SPDX-License-Identifier: MIT
#include "agent/doors.h"

#include <netinet/in.h>

#include "agent/listener.h"
#include "agent/loop.h"
#include "agent_case.h"

TestSuite(doors, .timeout = 20);

enum { HOLD, FIRST, SECOND, ROUTES };
enum { BY_RULE, ALL_REFUSE, ONE_HOLDS, DENIES, LISTENERS };

static struct config_route routes[ROUTES] = {
	[HOLD] = { .name = (char *)"hold" },
	[FIRST] = { .name = (char *)"first", .refuse = true },
	[SECOND] = { .name = (char *)"second", .refuse = true },
};
static struct config_rule by_rule = { .route = FIRST };
static struct config_rule second = { .route = SECOND };
static struct config_rule hold = { .route = HOLD };
static struct config_listener listeners[LISTENERS] = {
	[BY_RULE] = { .route = CONFIG_DENY, .rules = &by_rule, .n_rules = 1 },
	[ALL_REFUSE] = { .route = FIRST, .rules = &second, .n_rules = 1 },
	[ONE_HOLDS] = { .route = FIRST, .rules = &hold, .n_rules = 1 },
	[DENIES] = { .route = CONFIG_DENY },
};
static struct config config = {
	.routes = routes,
	.n_routes = ROUTES,
	.listeners = listeners,
	.n_listeners = LISTENERS,
};
static bool up[ROUTES];
static int fds[LISTENERS];
static bool foreign[LISTENERS];
static struct sockaddr_in addr[LISTENERS];
static struct doors *doors;

static bool is_up(void *arg, unsigned int route)
{
	cr_assert_eq(arg, up);
	return up[route];
}

/*
 * A port below those that the kernel gives away: it keeps only what was named. One
 * that is shut others could take, so tests that run at the same time have their own.
 */
static void bind_somewhere(size_t i)
{
	static int port;
	struct config_listener *l = &listeners[i];
	bool found = false;

	addr[i].sin_family = AF_INET;
	addr[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l->backlog = 16;
	l->bind = (char *)"somewhere";
	l->addr_len = sizeof(addr[i]);
	if (!port)
		port = 12000 + getpid() % 2500 * 2 * LISTENERS;
	while (!found) {
		addr[i].sin_port = htons((uint16_t)port++);
		memcpy(&l->addr, &addr[i], sizeof(addr[i]));
		fds[i] = listener_bind(l);
		found = fds[i] >= 0 && !listener_listen(l, fds[i]);
		if (found)
			listener_shut(l, fds[i]);
		else if (fds[i] >= 0)
			close(fds[i]);
	}
}

static void start(void)
{
	size_t i;

	for (i = 0; i < LISTENERS; i++)
		bind_somewhere(i);
	doors = doors_new(&config, fds, foreign, is_up, up);
	cr_assert(doors);
}

static void stop(void)
{
	size_t i;

	doors_free(doors);
	for (i = 0; i < LISTENERS; i++)
		close(fds[i]);
}

static bool answers(size_t i)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int err = connect(fd, (void *)&addr[i], sizeof(addr[i]));

	cr_assert(!err || errno == ECONNREFUSED, "%s", strerror(errno));
	close(fd);
	return !err;
}

static void all_answer(bool rule, bool all, bool one, bool denies)
{
	cr_expect_eq(answers(BY_RULE), rule);
	cr_expect_eq(answers(ALL_REFUSE), all);
	cr_expect_eq(answers(ONE_HOLDS), one);
	cr_expect_eq(answers(DENIES), denies);
}

Test(doors, are_open_where_they_lead_anywhere, .init = start, .fini = stop)
{
	doors_update(doors);
	all_answer(false, false, false, false);
	cr_assert_eq(doors_open(doors), 0);
	all_answer(false, false, true, true);
	up[SECOND] = true;
	doors_update(doors);
	all_answer(false, true, true, true);
	up[FIRST] = true;
	doors_update(doors);
	all_answer(true, true, true, true);
	up[SECOND] = false;
	doors_update(doors);
	all_answer(true, true, true, true);
	up[FIRST] = false;
	doors_update(doors);
	all_answer(false, false, true, true);
	up[FIRST] = true;
	doors_update(doors);
	all_answer(true, true, true, true);
	cr_expect_eq(doors_tick(doors, loop_now_ms()), UINT64_MAX);
}

Test(doors, are_shut_too_where_another_configuration_had_them_open,
     .init = start, .fini = stop)
{
	struct doors *next;

	up[FIRST] = true;
	cr_assert_eq(doors_open(doors), 0);
	all_answer(true, true, true, true);
	up[FIRST] = false;
	next = doors_new(&config, fds, foreign, is_up, up);
	cr_assert_eq(doors_open(next), 0);
	all_answer(false, false, true, true);
	doors_free(next);
}

static bool is_nobody_up(void *arg, unsigned int route)
{
	(void)arg;
	(void)route;
	return false;
}

Test(doors, are_as_they_were_when_another_configuration_cannot_be_had,
     .init = start, .fini = stop)
{
	struct doors *next = doors_new(&config, fds, foreign, is_nobody_up, up);

	up[FIRST] = true;
	cr_assert_eq(doors_open(doors), 0);
	cr_assert_eq(doors_open(next), 0);
	all_answer(false, false, true, true);
	cr_assert_eq(doors_open(doors), 0);
	all_answer(true, true, true, true);
	doors_free(next);
}

Test(doors, keep_the_port_and_try_again_when_somebody_else_listens,
     .init = start, .fini = stop)
{
	int on = 1, other = socket(AF_INET, SOCK_STREAM, 0), strict;

	setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	strict = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(doors_open(doors), 0);
	up[FIRST] = true;
	doors_update(doors);
	up[FIRST] = false;
	doors_update(doors);
	cr_expect_eq(bind(strict, (void *)&addr[BY_RULE], sizeof(addr[0])), -1,
		     "the port was given away");
	cr_assert_eq(bind(other, (void *)&addr[BY_RULE], sizeof(addr[0])), 0);
	cr_assert_eq(listen(other, 1), 0);
	up[FIRST] = true;
	doors_update(doors);
	cr_expect_neq(doors_tick(doors, loop_now_ms()), UINT64_MAX);
	close(other);
	cr_expect_not(answers(BY_RULE), "it is not time yet");
	cr_expect_eq(doors_tick(doors, loop_now_ms() + 2000), UINT64_MAX);
	cr_expect(answers(BY_RULE));
	close(strict);
}

Test(doors, of_somebody_else_are_left_as_they_are, .init = start, .fini = stop)
{
	foreign[ALL_REFUSE] = foreign[ONE_HOLDS] = true;
	cr_assert_eq(listener_listen(&listeners[ALL_REFUSE], fds[ALL_REFUSE]),
		     0);
	cr_assert_eq(doors_open(doors), 0);
	all_answer(false, true, false, true);
	up[FIRST] = true;
	doors_update(doors);
	up[FIRST] = false;
	doors_update(doors);
	all_answer(false, true, false, true);
}
