// SPDX-License-Identifier: MIT
#include "behind.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ktls/descriptors.h"
#include "util.h"

#define BACKLOG 4096
/* About what ktlsd's message is like. */
#define MESSAGE 150

int behind_listen(uint16_t port)
{
	const struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) ||
	    listen(fd, BACKLOG))
		die("port %d: %s", port, strerror(errno));
	return fd;
}

void behind_fd(void *arg)
{
	const struct behind *b = arg;
	struct pollfd p = {.fd = b->fd, .events = POLLIN};
	struct ktls_fds fds;
	char buf[4096];
	ssize_t n;

	while (poll(&p, 1, -1) > 0) {
		while ((n = ktls_recv_fds(b->fd, buf, sizeof(buf), &fds,
					  MSG_CMSG_CLOEXEC)) > 0) {
			b->seen->taken += fds.n;
			ktls_close_fds(&fds);
		}
		if (!n)
			_exit(0);
	}
}

/* --- the bare loop ------------------------------------------------------------- */

/* Returns false when the client is gone. */
static bool swallow(int fd, size_t len)
{
	char buf[16384];
	ssize_t n;

	while (len) {
		n = recv(fd, buf, len < sizeof(buf) ? len : sizeof(buf), 0);
		if (n <= 0)
			return false;
		len -= n;
	}
	return true;
}

static void converse(int fd, const struct flights *f)
{
	static const char bytes[16384];
	unsigned int i;

	for (i = 0; i < f->n; i++)
		if (i % 2) {
			if (send(fd, bytes, f->len[i], MSG_NOSIGNAL) < 0)
				return;
		} else if (!swallow(fd, f->len[i])) {
			return;
		}
}

void bare_loop(void *arg)
{
	static const char message[MESSAGE] = "a connection";
	const struct bare *b = arg;
	int fd, on = 1;

	while ((fd = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		converse(fd, &b->flights);
		while (ktls_send_fds(b->out, message, sizeof(message), &fd,
				     1) == -EAGAIN)
			poll(&(struct pollfd){.fd = b->out, .events = POLLOUT},
			     1, 5);
		close(fd);
	}
	die("accept: %s", strerror(errno));
}
