// SPDX-License-Identifier: MIT
#include "end.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

int ktls_end_cleanly(int fd)
{
	/* Without a path the kernel chooses an abstract name, unix(7). */
	const struct sockaddr_un any = {.sun_family = AF_UNIX};

	(void)!bind(fd, (const struct sockaddr *)&any, sizeof(any.sun_family));
	return shutdown(fd, SHUT_WR) ? -errno : 0;
}

bool ktls_ended_cleanly(int fd)
{
	struct sockaddr_un peer;
	socklen_t len = sizeof(peer);

	return !getpeername(fd, (struct sockaddr *)&peer, &len) &&
	       len > offsetof(struct sockaddr_un, sun_path);
}
