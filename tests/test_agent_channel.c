// SPDX-License-Identifier: MIT
#include "agent/channel.h"

#include <sys/uio.h>

#include "agent_case.h"

TestSuite(channel, .timeout = 10);

static const struct channel_msg add = { CHANNEL_QUEUE_ADD, 3, 1ULL << 40 };
static int ends[2];

static void start(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				ends), 0);
}

Test(channel, carries_a_message_without_a_descriptor, .init = start)
{
	struct channel_msg msg;
	int fd = 9;

	cr_assert_eq(channel_send(ends[0], &add, -1), 0);
	cr_assert_eq(channel_recv(ends[1], &msg, &fd), 1);
	cr_assert_arr_eq(&msg, &add, sizeof(msg));
	cr_assert_eq(fd, -1);
}

Test(channel, carries_a_descriptor_and_leaves_the_sender_its_own,
     .init = start)
{
	unsigned int before = case_fds();
	struct channel_msg msg;
	int fd;

	cr_assert_eq(channel_send(ends[0], &add, ends[0]), 0);
	cr_assert_eq(channel_recv(ends[1], &msg, &fd), 1);
	cr_assert_eq(case_fds(), before + 1);
	cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	cr_assert(case_is_open(ends[0]));
}

Test(channel, tells_nothing_there_from_the_end, .init = start)
{
	struct channel_msg msg;
	int fd;

	cr_assert_eq(channel_recv(ends[1], &msg, &fd), -EAGAIN);
	close(ends[0]);
	cr_assert_eq(channel_recv(ends[1], &msg, &fd), 0);
	cr_assert_eq(fd, -1);
}

Test(channel, never_waits_for_a_peer_that_does_not_read, .init = start)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < 100000 && !err; i++)
		err = channel_send(ends[0], &add, -1);
	cr_assert_eq(err, -EAGAIN);
	close(ends[1]);
	cr_assert_eq(channel_send(ends[0], &add, -1), -ECONNRESET);
}

Test(channel, refuses_what_is_no_message_of_ours, .init = start)
{
	struct channel_msg msg;
	int fd;

	cr_assert_eq(send(ends[0], "hello", 5, 0), 5);
	cr_assert_eq(channel_recv(ends[1], &msg, &fd), -EBADMSG);
	cr_assert_eq(fd, -1);
	cr_assert_eq(channel_recv(ends[1], &msg, &fd), -EAGAIN);
}

/* A worker that was taken over must not fill master's table. */
Test(channel, keeps_no_descriptor_that_it_does_not_give_to_the_caller,
     .init = start)
{
	static const size_t lengths[] = { 0, 5, sizeof(add) };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { .align = { CMSG_LEN(2 * sizeof(int)), SOL_SOCKET,
				 SCM_RIGHTS } };
	unsigned int before = case_fds();
	struct channel_msg msg;
	size_t i;
	int fd;

	for (i = 0; i < COUNT(lengths); i++) {
		struct iovec iov = { (void *)&add, lengths[i] };
		struct msghdr hdr = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};

		cr_assert_eq(sendmsg(ends[0], &hdr, 0), (ssize_t)lengths[i]);
		channel_recv(ends[1], &msg, &fd);
		if (fd >= 0)
			close(fd);
		cr_expect_eq(case_fds(), before, "%zu bytes", lengths[i]);
	}
}
