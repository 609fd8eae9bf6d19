/* SPDX-License-Identifier: MIT */
#include "channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "ktls/descriptors.h"

int channel_send(int channel, const struct channel_msg *msg, int fd)
{
	return ktls_send_fds(channel, msg, sizeof(*msg), &fd, fd >= 0);
}

int channel_send_staple(int channel, const struct channel_staple *staple,
			struct ocsp_bytes der)
{
	struct iovec iov[2] = {
		{ (void *)staple, sizeof(*staple) },
		{ (void *)der.data, der.len },
	};
	struct msghdr hdr = { .msg_iov = iov, .msg_iovlen = 2 };

	return sendmsg(channel, &hdr, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ?
	       -errno : 0;
}

int channel_send_tickets(int channel, const struct hs_ticket_keys *keys)
{
	struct channel_tickets tickets = { CHANNEL_TICKETS, *keys };
	int err = send(channel, &tickets, sizeof(tickets),
		       MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;

	explicit_bzero(&tickets, sizeof(tickets));
	return err;
}

void channel_wipe(struct channel_in *in)
{
	explicit_bzero(&in->tickets, sizeof(in->tickets));
	explicit_bzero(in->buf, sizeof(in->tickets));
}

/* Returns false unless @n bytes are a message. */
static bool take(struct channel_in *in, size_t n)
{
	uint32_t type;

	if (n < sizeof(in->msg))
		return false;
	memcpy(&type, in->buf, sizeof(type));
	if (type == CHANNEL_TICKETS) {
		memcpy(&in->tickets, in->buf, sizeof(in->tickets));
		return n == sizeof(in->tickets);
	}
	if (type != CHANNEL_STAPLE) {
		memcpy(&in->msg, in->buf, sizeof(in->msg));
		return n == sizeof(in->msg);
	}
	if (n < sizeof(in->staple))
		return false;
	memcpy(&in->staple, in->buf, sizeof(in->staple));
	in->der.data = in->buf + sizeof(in->staple);
	in->der.len = n - sizeof(in->staple);
	return true;
}

int channel_recv(int channel, struct channel_in *in, int *fd)
{
	struct ktls_fds got;
	ssize_t n = ktls_recv_fds(channel, in->buf, sizeof(in->buf), &got,
				  MSG_CMSG_CLOEXEC);

	*fd = -1;
	if (n > 0 && !got.truncated && got.n <= 1 && take(in, (size_t)n)) {
		if (got.n)
			*fd = got.fd[0];
		return 1;
	}
	if (n > 0)
		n = -EBADMSG;
	ktls_close_fds(&got);
	return (int)n;
}
