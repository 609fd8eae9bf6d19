// SPDX-License-Identifier: MIT
#include "control.h"

#include <errno.h>

#include <linux/tls.h>

int ktls_control_send(int fd, uint8_t type, const void *data, size_t len,
		      int flags)
{
	union {
		char buf[CMSG_SPACE(1)];
		struct cmsghdr head;
	} control = {
		.head =
			{
				.cmsg_len = CMSG_LEN(1),
				.cmsg_level = SOL_TLS,
				.cmsg_type = TLS_SET_RECORD_TYPE,
			},
	};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};

	*CMSG_DATA(&control.head) = type;
	return sendmsg(fd, &msg, flags | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int record_type(struct msghdr *msg)
{
	const struct cmsghdr *head = CMSG_FIRSTHDR(msg);

	if (!head || head->cmsg_level != SOL_TLS ||
	    head->cmsg_type != TLS_GET_RECORD_TYPE)
		return -1;
	return *CMSG_DATA(head);
}

ssize_t ktls_control_recv(int fd, void *buf, size_t len, int *type, int flags)
{
	union {
		char buf[CMSG_SPACE(1)];
		struct cmsghdr head;
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	const ssize_t n = recvmsg(fd, &msg, flags | MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	*type = record_type(&msg);
	return n;
}

int ktls_alert(const struct ktls_conn *c, uint8_t level, uint8_t description,
	       int flags)
{
	const uint8_t alert[2] = {level, description};

	return ktls_control_send(c->fd, KTLS_TYPE_ALERT, alert, sizeof(alert),
				 flags);
}

int ktls_fail(struct ktls_conn *c, uint8_t description, int rc)
{
	if (!c->sent_close)
		ktls_alert(c, KTLS_FATAL, description, MSG_DONTWAIT);
	c->sent_close = 1;
	return rc;
}
