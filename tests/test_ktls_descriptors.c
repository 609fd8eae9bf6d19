// SPDX-License-Identifier: MIT
#include "ktls/descriptors.h"

#include <sys/time.h>

#include "agent_case.h"

TestSuite(descriptors, .timeout = 20);

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

static int ends[2];	/* ours, the sender's */

static void start(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				ends), 0);
}

static void send_fds(const int *fd, size_t n)
{
	static union {
		struct cmsghdr align;
		char space[CMSG_SPACE(KTLS_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};

	control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.align), fd, n * sizeof(int));
	cr_assert_eq(sendmsg(ends[1], &msg, 0), 1);
}

Test(descriptors, a_socket_that_lingers_is_closed_at_once, .init = start)
{
	static int fd[KTLS_FDS_MAX];
	struct timeval began, ended;
	struct ktls_fds fds;
	int silent;
	char byte;

	/* The last of as many as there can be: none is left to the kernel. */
	fd[KTLS_FDS_MAX - 1] = case_lingering(&silent);
	send_fds(fd, KTLS_FDS_MAX);
	close(fd[KTLS_FDS_MAX - 1]);
	gettimeofday(&began, NULL);
	cr_assert_eq(ktls_recv_fds(ends[0], &byte, 1, &fds, 0), 1);
	cr_assert_eq(fds.n, KTLS_FDS_MAX);
	cr_assert_not(fds.truncated);
	ktls_close_fds(&fds);
	gettimeofday(&ended, NULL);
	cr_assert_lt(ended.tv_sec - began.tv_sec, CASE_LINGER_S - 1);
	close(silent);
}

/* It is an option of the queue, which every consumer can set for all. */
Test(descriptors, a_pidfd_that_nobody_sent_is_not_left_open, .init = start)
{
	unsigned int before = case_fds();
	int on = 1, fd = STDIN_FILENO;
	struct ktls_fds fds;
	char byte;

	if (setsockopt(ends[0], SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on)))
		cr_skip_test("this kernel has no SO_PASSPIDFD");
	setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	send_fds(&fd, 1);
	cr_assert_eq(ktls_recv_fds(ends[0], &byte, 1, &fds, 0), 1);
	cr_assert_eq(fds.n, 1);
	cr_assert_not(fds.truncated);
	ktls_close_fds(&fds);
	cr_assert_eq(case_fds(), before);
}
