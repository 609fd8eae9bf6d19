/* SPDX-License-Identifier: MIT */
#include "channel.h"

#include <errno.h>
#include <sys/socket.h>

#include "ktls/descriptors.h"

int channel_send(int channel, const struct channel_msg *msg, int fd)
{
	return ktls_send_fds(channel, msg, sizeof(*msg), &fd, fd >= 0);
}

int channel_recv(int channel, struct channel_msg *msg, int *fd)
{
	struct ktls_fds got;
	ssize_t n = ktls_recv_fds(channel, msg, sizeof(*msg), &got,
				  MSG_CMSG_CLOEXEC);

	*fd = -1;
	if (n == sizeof(*msg) && got.n <= 1) {
		if (got.n)
			*fd = got.fd[0];
		return 1;
	}
	if (n > 0)
		n = -EBADMSG;
	ktls_close_fds(&got);
	return (int)n;
}
