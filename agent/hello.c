/* SPDX-License-Identifier: MIT */
#include "hello.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

ssize_t hello_recv(int fd, struct ktls_hello *hello, int fds[2], int *n_fds)
{
	union {
		struct cmsghdr align;
		char space[256];
	} control;
	struct iovec iov = { hello, sizeof(*hello) };
	struct msghdr hdr = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};
	ssize_t n = recvmsg(fd, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int all[sizeof(control.space) / sizeof(int)], i, count;
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&hdr) : NULL;

	*n_fds = 0;
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return n < 0 ? -errno : n;
	count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(all, CMSG_DATA(c), (size_t)count * sizeof(int));
	if (count == 2) {
		memcpy(fds, all, 2 * sizeof(int));
		*n_fds = 2;
		return n;
	}
	for (i = 0; i < count; i++)
		close(all[i]);
	return -EPROTO;
}

void hello_answer(int fd, enum ktls_reg_status status, const char *text,
		  unsigned int hold_ms, const int *fds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct ktls_answer answer = {
		.magic = KTLS_REG_MAGIC,
		.version = KTLS_REG_VERSION,
		.status = (uint16_t)status,
		.hold_ms = hold_ms,
	};
	struct iovec iov = { &answer, sizeof(answer) };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };

	snprintf(answer.text, sizeof(answer.text), "%s", text);
	if (fds) {
		hdr.msg_control = &control;
		hdr.msg_controllen = sizeof(control.space);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, 2 * sizeof(int));
	}
	if (sendmsg(fd, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("event=answer_failed error=\"%s\"",
			  strerror(errno));
}
