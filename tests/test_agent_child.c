// SPDX-License-Identifier: MIT
#include "agent/child.h"

#include <signal.h>

#include "agent_case.h"

TestSuite(child, .timeout = 20);

static struct child child;
static int loop;

static void ignore(struct watch *w)
{
	(void)w;
}

static void start(void)
{
	loop = loop_new();
	child = (struct child){ .socket.ready = ignore, .name = "tester" };
}

/* Says what it was given, then ends when its master does. */
static int answer(void *arg, int socket)
{
	char c;

	send(socket, arg, strlen(arg), 0);
	return recv(socket, &c, 1, 0) == 0 ? 7 : 8;
}

static int end_at_once(void *arg, int socket)
{
	(void)socket;
	return *(int *)arg;
}

static int wait_for(void)
{
	int status = -1;

	cr_assert_eq(waitpid(child.pid, &status, 0), child.pid);
	return status;
}

Test(child, runs_with_the_other_end_of_a_socket, .init = start)
{
	unsigned int before = case_fds();
	char text[8] = "";
	int status;

	cr_assert_eq(child_start(&child, loop, answer, (void *)"hello"), 0);
	cr_assert_gt(child.pid, 0);
	cr_assert_eq(recv(child.socket.fd, text, sizeof(text), 0), 5);
	cr_assert_str_eq(text, "hello");
	shutdown(child.socket.fd, SHUT_WR);
	status = wait_for();
	cr_assert_eq(WEXITSTATUS(status), 7);
	child_ended(&child, loop, status, true);
	cr_assert_eq(child.pid, 0);
	cr_assert_eq(child.restart_ms, 0);
	cr_assert_eq(case_fds(), before);
}

Test(child, leaves_signals_to_the_group_to_master, .init = start)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR2 };
	char c[8];
	sigset_t all;
	size_t i;
	int status;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	cr_assert_eq(child_start(&child, loop, answer, (void *)"x"), 0);
	cr_assert_eq(recv(child.socket.fd, c, sizeof(c), 0), 1);
	for (i = 0; i < COUNT(signals); i++)
		kill(child.pid, signals[i]);
	cr_assert_eq(waitpid(child.pid, &status, WNOHANG), 0);
	/* Others are not blocked any more. */
	kill(child.pid, SIGUSR1);
	status = wait_for();
	cr_assert(WIFSIGNALED(status));
	cr_assert_eq(WTERMSIG(status), SIGUSR1);
}

Test(child, waits_twice_as_long_after_each_end, .init = start)
{
	unsigned int last = 0, i;
	int one = 1;

	for (i = 0; i < 10; i++) {
		uint64_t now = loop_now_ms();

		cr_assert_eq(child_start(&child, loop, end_at_once, &one), 0);
		child_ended(&child, loop, wait_for(), false);
		cr_expect_eq(child.backoff_ms,
			     !last ? 100 : last < 5000 ? 2 * last : 10000);
		cr_expect_geq(child.restart_ms, now + child.backoff_ms);
		last = child.backoff_ms;
	}
	/* One that ran for long is new again. */
	cr_assert_eq(child_start(&child, loop, end_at_once, &one), 0);
	child.started_ms -= 10001;
	child_ended(&child, loop, wait_for(), false);
	cr_assert_eq(child.backoff_ms, 100);
}

static void without_descriptors(void)
{
	while (dup(0) >= 0)
		;
	CHECK(child_start(&child, loop, end_at_once, NULL) == -EMFILE);
	CHECK(!child.pid);
	CHECK(child.restart_ms > loop_now_ms() + 5000);
}

Test(child, tries_again_later_when_it_cannot_start, .init = start)
{
	case_in_child(without_descriptors);
}
