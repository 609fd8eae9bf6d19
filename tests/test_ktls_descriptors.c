// SPDX-License-Identifier: MIT
#include "ktls/descriptors.h"

#include <sys/time.h>

#include <netinet/in.h>

#include "agent_case.h"

TestSuite(descriptors, .timeout = 20);

/* Of a TCP socket that is closed with data that its peer does not read. */
#define LINGER_S 5

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

static int ends[2];	/* ours, the sender's */
static int silent;	/* reads nothing of what the lingering socket sent */

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

static int lingering(void)
{
	static const struct linger on = { 1, LINGER_S };
	static const char full[65536];
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(listener, (void *)&addr, sizeof(addr)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, (void *)&addr, &len), 0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(connect(fd, (void *)&addr, sizeof(addr)), 0);
	silent = accept(listener, NULL, NULL);
	close(listener);
	while (send(fd, full, sizeof(full), MSG_DONTWAIT) > 0)
		;
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &on, sizeof(on)), 0);
	return fd;
}

Test(descriptors, a_socket_that_lingers_is_closed_at_once, .init = start)
{
	static int fd[KTLS_FDS_MAX];
	struct timeval began, ended;
	struct ktls_fds fds;
	char byte;

	/* The last of as many as there can be: none is left to the kernel. */
	fd[KTLS_FDS_MAX - 1] = lingering();
	send_fds(fd, KTLS_FDS_MAX);
	close(fd[KTLS_FDS_MAX - 1]);
	gettimeofday(&began, NULL);
	cr_assert_eq(ktls_recv_fds(ends[0], &byte, 1, &fds, 0), 1);
	cr_assert_eq(fds.n, KTLS_FDS_MAX);
	cr_assert_not(fds.truncated);
	ktls_close_fds(&fds);
	gettimeofday(&ended, NULL);
	cr_assert_lt(ended.tv_sec - began.tv_sec, LINGER_S - 1);
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
