/* SPDX-License-Identifier: MIT */
#include "agent/proxy_msg.h"

#include <sys/un.h>

#include "agent_case.h"

TestSuite(agent_proxy_msg, .timeout = 10);

static int ends[2];
static struct proxy_msg sent, got;
static int fd;

static void start(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	memset(&sent, 0, sizeof(sent));
	fd = -1;
}

static void stop(void)
{
	close(ends[0]);
	close(ends[1]);
}

static void make_route(void)
{
	struct sockaddr_un *un = (void *)&sent.order.backend[1].addr;

	sent.type = PROXY_MSG_ROUTE;
	sent.route = 7;
	strcpy(sent.order.name, "web");
	sent.order.header = PROXY_HEADER_V2;
	sent.order.n = 2;
	sent.order.backend[0].addr.ss_family = AF_INET;
	sent.order.backend[0].addr_len = sizeof(struct sockaddr_in);
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, "/run/x");
	sent.order.backend[1].addr_len = sizeof(*un);
}

Test(agent_proxy_msg, carries_a_route_and_its_descriptor, .init = start,
     .fini = stop)
{
	make_route();
	cr_assert_eq(proxy_msg_send(ends[0], &sent, ends[0]), 0);
	cr_assert_eq(proxy_msg_recv(ends[1], &got, &fd), 1);
	cr_expect_eq(memcmp(&sent, &got, sizeof(sent)), 0);
	cr_expect_geq(fd, 0);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

Test(agent_proxy_msg, carries_what_has_no_descriptor, .init = start,
     .fini = stop)
{
	sent.type = PROXY_MSG_LEAVE;
	sent.route = 3;
	cr_assert_eq(proxy_msg_send(ends[0], &sent, -1), 0);
	cr_assert_eq(proxy_msg_recv(ends[1], &got, &fd), 1);
	cr_expect_eq(got.type, PROXY_MSG_LEAVE);
	cr_expect_eq(got.route, 3);
	cr_expect_eq(fd, -1);
}

Test(agent_proxy_msg, says_when_there_is_nothing_and_when_it_is_over,
     .init = start, .fini = stop)
{
	cr_expect_eq(proxy_msg_recv(ends[1], &got, &fd), -EAGAIN);
	shutdown(ends[0], SHUT_RDWR);
	cr_expect_eq(proxy_msg_recv(ends[1], &got, &fd), 0);
}

static void refuse(const char *why)
{
	unsigned int before = case_fds();

	cr_expect_eq(proxy_msg_send(ends[0], &sent, ends[0]), 0, "%s", why);
	cr_expect_eq(proxy_msg_recv(ends[1], &got, &fd), -EBADMSG, "%s", why);
	cr_expect_eq(fd, -1, "%s", why);
	cr_expect_eq(case_fds(), before, "%s: a descriptor was left", why);
	make_route();
}

Test(agent_proxy_msg, refuses_orders_that_make_no_sense, .init = start,
     .fini = stop)
{
	make_route();
	memset(sent.order.name, 'a', sizeof(sent.order.name));
	refuse("a name without end");
	sent.order.n = 0;
	refuse("no server");
	sent.order.n = PROXY_MSG_BACKENDS + 1;
	refuse("too many servers");
	sent.order.header = PROXY_HEADER_V2 + 1;
	refuse("another header");
	sent.order.backend[0].addr.ss_family = AF_NETLINK;
	refuse("another family");
	sent.order.backend[0].addr_len = 4096;
	refuse("a long address");
	memset((char *)&sent.order.backend[1].addr + 2, 'a', 108);
	refuse("a path without end");
	sent.order.fail_ms = UINT32_MAX;
	refuse("a time without end");
}

Test(agent_proxy_msg, refuses_what_is_cut_or_without_its_descriptor,
     .init = start, .fini = stop)
{
	make_route();
	cr_assert_eq(proxy_msg_send(ends[0], &sent, -1), 0);
	cr_expect_eq(proxy_msg_recv(ends[1], &got, &fd), -EBADMSG);
	cr_assert_eq(send(ends[0], &sent, 4, 0), 4);
	cr_expect_eq(proxy_msg_recv(ends[1], &got, &fd), -EBADMSG);
	sent.type = PROXY_MSG_TYPES;
	cr_assert_eq(send(ends[0], &sent, 8, 0), 8);
	cr_expect_eq(proxy_msg_recv(ends[1], &got, &fd), -EBADMSG);
}
