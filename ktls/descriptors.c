// SPDX-License-Identifier: MIT
#include "descriptors.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

union control {
	char buf[256];
	struct cmsghdr align;
};

_Static_assert(KTLS_FDS_MAX * sizeof(int) + CMSG_LEN(0) >=
		       sizeof(union control),
	       "the kernel could install more descriptors than are listed");

/*
 * The kernel installs as many descriptors as the buffer has room for, padding
 * included, so what was not expected is there to be closed.
 */
static void collect(struct msghdr *msg, struct ktls_fds *fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

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
	if (n < 0)
		return -errno;
	fds->truncated = msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
	collect(&msg, fds);
	return n;
}

int ktls_send_fds(int sock, const void *buf, size_t len, const int *fd,
		  size_t n)
{
	union control control = {.align.cmsg_len = CMSG_LEN(n * sizeof(int))};
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
	while (fds->n)
		close(fds->fd[--fds->n]);
}
