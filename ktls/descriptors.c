// SPDX-License-Identifier: MIT
#include "descriptors.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

/* A message with SO_PASSPIDFD; older C libraries do not know it. */
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

union control {
	char buf[KTLS_CONTROL_MAX];
	struct cmsghdr align;
};

/*
 * A descriptor nobody sent: a holder of the other copies of @sock has set
 * SO_PASSPIDFD. It is no part of the message.
 */
static void drop_pidfd(struct cmsghdr *c)
{
	int fd;

	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	close(fd);
}

/*
 * There is room for as many descriptors as a message can have: those that the
 * kernel closes for want of room it closes as they are, SO_LINGER included.
 */
static void collect(struct msghdr *msg, struct ktls_fds *fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_PIDFD)
			drop_pidfd(c);
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    fds->n + n > KTLS_FDS_MAX)
			continue;
		memcpy(fds->fd + fds->n, CMSG_DATA(c), n * sizeof(int));
		fds->n += n;
	}
}

ssize_t ktls_recv_fds(int sock, void *buf, size_t len, struct ktls_fds *fds,
		      int flags)
{
	union control control;
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control),
	};
	const ssize_t n = recvmsg(sock, &msg, flags | MSG_DONTWAIT);

	fds->n = 0;
	fds->controls = false;
	if (n < 0)
		return -errno;
	ktls_collect_fds(&msg, fds);
	return n;
}

void ktls_collect_fds(struct msghdr *msg, struct ktls_fds *fds)
{
	fds->n = 0;
	fds->controls = msg->msg_controllen;
	fds->truncated = msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC);
	collect(msg, fds);
}

int ktls_send_fds(int sock, const void *buf, size_t len, const int *fd,
		  size_t n)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(2 * sizeof(int))];
	} control = {.align.cmsg_len = CMSG_LEN(n * sizeof(int))};
	struct iovec iov = {.iov_base = (void *)buf, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.align), fd, n * sizeof(int));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
	}
	return sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno :
								      0;
}

void ktls_close_fds(struct ktls_fds *fds)
{
	static const struct linger off;
	int fd;

	while (fds->n) {
		fd = fds->fd[--fds->n];
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
		close(fd);
	}
}

void ktls_close_control(struct msghdr *msg)
{
	struct ktls_fds fds;

	ktls_collect_fds(msg, &fds);
	ktls_close_fds(&fds);
}
