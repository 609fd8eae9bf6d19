/* SPDX-License-Identifier: MIT */
#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

/* Returns the address' length, or 0 when there is nobody to tell. */
static socklen_t find(struct sockaddr_un *addr)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len < 2 || len >= sizeof(addr->sun_path) ||
	    (*path != '/' && *path != '@'))
		return 0;
	memcpy(addr->sun_path, path, len);
	if (*path == '@')	/* the abstract name space, unix(7) */
		addr->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static void tell(const char *text)
{
	static const struct timeval wait = { .tv_sec = 1 };
	struct sockaddr_un addr;
	socklen_t len = find(&addr);
	int fd;

	if (!len)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (fd < 0 || sendto(fd, text, strlen(text), MSG_NOSIGNAL,
			     (struct sockaddr *)&addr, len) < 0)
		log_warn("event=notify_failed error=\"%s\"", strerror(errno));
	if (fd >= 0)
		close(fd);
}

void notify_ready(void)
{
	tell("READY=1");
}

void notify_reloading(void)
{
	struct timespec now;
	char text[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
		 (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	tell(text);
}

void notify_stopping(void)
{
	tell("STOPPING=1");
}

void notify_main(pid_t pid)
{
	char text[64];

	snprintf(text, sizeof(text), "READY=1\nMAINPID=%d", (int)pid);
	tell(text);
}
