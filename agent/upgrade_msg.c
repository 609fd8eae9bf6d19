/* SPDX-License-Identifier: MIT */
#include "upgrade_msg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define MAGIC "ktlsd-u"

static struct upgrade_msg make(enum upgrade_msg_type type, uint32_t number,
			       const char *text)
{
	struct upgrade_msg msg = { MAGIC, UPGRADE_VERSION, type, number, "" };

	if (text)
		snprintf(msg.text, sizeof(msg.text), "%s", text);
	return msg;
}

static int send_all(int sock, const struct msghdr *hdr)
{
	return sendmsg(sock, hdr, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int upgrade_say(int sock, enum upgrade_msg_type type, uint32_t number,
		const char *text, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(KTLS_FDS_MAX * sizeof(int))];
	} control = { .align.cmsg_len = CMSG_LEN(n_fds * sizeof(int)) };
	struct upgrade_msg msg = make(type, number, text);
	struct iovec iov = { &msg, sizeof(msg) };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
		hdr.msg_control = control.buf;
		hdr.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	return send_all(sock, &hdr);
}

int upgrade_say_serves(int sock, const struct upgrade_taken *taken, uint32_t n)
{
	struct upgrade_msg msg = make(UPGRADE_SERVES, n, NULL);
	struct iovec iov[2] = {
		{ &msg, sizeof(msg) },
		{ (void *)taken, n * sizeof(*taken) },
	};
	struct msghdr hdr = { .msg_iov = iov, .msg_iovlen = 2 };

	return send_all(sock, &hdr);
}

/* Returns 1, or why it is no message of ours. */
static int check(struct upgrade_in *in, size_t n)
{
	struct upgrade_msg *msg = &in->msg;
	size_t behind = 0;

	if (n < offsetof(struct upgrade_msg, type) ||
	    memcmp(msg->magic, MAGIC, sizeof(MAGIC)))
		return -EBADMSG;
	if (msg->version != UPGRADE_VERSION)
		return -EPROTO;
	if (n < sizeof(*msg))
		return -EBADMSG;
	if (msg->type == UPGRADE_SERVES)
		behind = msg->number;
	if (behind > UPGRADE_TAKEN_MAX ||
	    n != sizeof(*msg) + behind * sizeof(in->taken[0]))
		return -EBADMSG;
	msg->text[sizeof(msg->text) - 1] = '\0';
	return 1;
}

int upgrade_hear(int sock, struct upgrade_in *in, struct ktls_fds *fds)
{
	ssize_t n = ktls_recv_fds(sock, in, sizeof(*in), fds, MSG_CMSG_CLOEXEC);
	int ret;

	if (n <= 0)
		return (int)n;
	ret = fds->truncated ? -EBADMSG : check(in, (size_t)n);
	if (ret != 1)
		ktls_close_fds(fds);
	return ret;
}
