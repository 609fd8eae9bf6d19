/* SPDX-License-Identifier: MIT */
/* A whole proxy in a process of its own; the test is its master. */
#include "agent/proxy/proxy.h"

#include <signal.h>
#include <time.h>

#include "agent/proxy_board.h"
#include "agent/proxy_msg.h"
#include "ktls/descriptors.h"
#include "ktls/register.h"

#include "agent_case.h"

TestSuite(agent_proxy_proxy, .timeout = 30);

static struct proxy_board board;
static int master, board_fd, reg, queue[2];
static pid_t pid;

static void start(void)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				pair), 0);
	pid = fork();
	if (!pid) {
		signal(SIGPIPE, SIG_IGN);
		_exit(proxy_run(pair[1]));
	}
	close(pair[1]);
	master = pair[0];
	board = (struct proxy_board){ 1, 1, 1, 0, NULL };
	board_fd = proxy_board_new(&board);
}

static void say(struct proxy_msg msg, int fd)
{
	cr_assert_eq(proxy_msg_send(master, &msg, fd), 0);
}

static void say_options(uint32_t process)
{
	say((struct proxy_msg){ .type = PROXY_MSG_OPTIONS,
	    .options = { process, 1, 1, 1, 500 } }, board_fd);
}

static void say_route(void)
{
	struct proxy_msg msg = { .type = PROXY_MSG_ROUTE };
	struct sockaddr_in *in = (void *)&msg.order.backend[0].addr;
	int pair[2];

	strcpy(msg.order.name, "web");
	msg.order.n = 1;
	in->sin_family = AF_INET;
	in->sin_port = htons(1);
	msg.order.backend[0].addr_len = sizeof(*in);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	say(msg, pair[1]);
	close(pair[1]);
	reg = pair[0];
}

static void answer(void)
{
	struct ktls_answer ok = { .magic = KTLS_REG_MAGIC,
				  .version = KTLS_REG_VERSION };
	struct ktls_hello hello;

	cr_assert_eq(recv(reg, &hello, sizeof(hello), 0), sizeof(hello));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, queue), 0);
	cr_assert_eq(ktls_send_fds(reg, &ok, sizeof(ok), queue, 2), 0);
}

static void expect_ready(void)
{
	struct proxy_msg msg;
	int fd;

	cr_assert(case_readable(master, 5000));
	cr_assert_eq(proxy_msg_recv(master, &msg, &fd), 1);
	cr_expect_eq(msg.type, PROXY_MSG_READY);
}

static void expect_status(int status)
{
	int got;

	cr_assert_eq(waitpid(pid, &got, 0), pid);
	cr_expect(WIFEXITED(got));
	cr_expect_eq(WEXITSTATUS(got), status);
	proxy_board_free(&board);
}

Test(agent_proxy_proxy, is_ready_when_it_is_registered, .init = start)
{
	say_options(0);
	say_route();
	answer();
	expect_ready();
	close(master);
	close(queue[0]);
	close(queue[1]);
	expect_status(0);
}

Test(agent_proxy_proxy, ends_when_it_was_told_and_nobody_sends_any_more,
     .init = start)
{
	say_options(0);
	say_route();
	answer();
	expect_ready();
	say((struct proxy_msg){ .type = PROXY_MSG_ACCEPT }, -1);
	say((struct proxy_msg){ .type = PROXY_MSG_STOP }, -1);
	cr_expect_eq(waitpid(pid, NULL, WNOHANG), 0);
	close(queue[0]);
	close(queue[1]);
	expect_status(0);
}

Test(agent_proxy_proxy, leaves_its_queue_to_others, .init = start)
{
	struct timespec before, after;

	say_options(0);
	say_route();
	answer();
	expect_ready();
	clock_gettime(CLOCK_MONOTONIC, &before);
	say((struct proxy_msg){ .type = PROXY_MSG_ACCEPT }, -1);
	say((struct proxy_msg){ .type = PROXY_MSG_LEAVE }, -1);
	say((struct proxy_msg){ .type = PROXY_MSG_STOP }, -1);
	expect_status(0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	cr_expect_lt((after.tv_sec - before.tv_sec) * 1000 +
		     (after.tv_nsec - before.tv_nsec) / 1000000, 400);
}

Test(agent_proxy_proxy, does_without_what_makes_no_sense, .init = start)
{
	say((struct proxy_msg){ .type = PROXY_MSG_ACCEPT }, -1);
	say((struct proxy_msg){ .type = PROXY_MSG_LEAVE, .route = 9 }, -1);
	say_route();		/* before the options */
	close(reg);
	say_options(7);		/* of one process */
	cr_assert_eq(send(master, "nonsense", 8, 0), 8);
	say_options(0);
	say_route();
	answer();
	expect_ready();
	close(master);
	close(queue[0]);
	close(queue[1]);
	expect_status(0);
}

Test(agent_proxy_proxy, ends_when_master_will_not_register_it, .init = start)
{
	say_options(0);
	say_route();
	close(reg);
	expect_status(1);
}
