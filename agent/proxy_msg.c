/* SPDX-License-Identifier: MIT */
#include "proxy_msg.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "ktls/descriptors.h"

/* The longest time there is, in ms: as many hours as a number of them has. */
#define TIME_MAX (24 * 3600 * 1000)

static size_t length(uint32_t type)
{
	switch (type) {
	case PROXY_MSG_OPTIONS:
		return offsetof(struct proxy_msg, options) +
		       sizeof(struct proxy_options);
	case PROXY_MSG_ROUTE:
		return offsetof(struct proxy_msg, order) +
		       sizeof(struct proxy_order);
	default:
		return offsetof(struct proxy_msg, options);
	}
}

static size_t n_fds(uint32_t type)
{
	return type == PROXY_MSG_OPTIONS || type == PROXY_MSG_ROUTE;
}

int proxy_msg_send(int sock, const struct proxy_msg *msg, int fd)
{
	return ktls_send_fds(sock, msg, length(msg->type), &fd, fd >= 0);
}

static bool is_address(const struct sockaddr_storage *addr, uint32_t len)
{
	const struct sockaddr_un *un = (const void *)addr;

	switch (addr->ss_family) {
	case AF_INET:
	case AF_INET6:
		return len <= sizeof(*addr);
	case AF_UNIX:
		return len == sizeof(*un) &&
		       memchr(un->sun_path, '\0', sizeof(un->sun_path));
	default:
		return false;
	}
}

static bool is_order(const struct proxy_order *order)
{
	uint32_t i;

	if (!memchr(order->name, '\0', sizeof(order->name)) || !order->n ||
	    order->n > PROXY_MSG_BACKENDS || order->header > PROXY_HEADER_V2 ||
	    order->connect_ms > TIME_MAX || order->fail_ms > TIME_MAX)
		return false;
	for (i = 0; i < order->n; i++)
		if (!is_address(&order->backend[i].addr,
				order->backend[i].addr_len))
			return false;
	return true;
}

static bool is_good(const struct proxy_msg *msg, size_t len, size_t fds)
{
	if (len < length(PROXY_MSG_READY) || msg->type >= PROXY_MSG_TYPES ||
	    len != length(msg->type) || fds != n_fds(msg->type))
		return false;
	return msg->type != PROXY_MSG_ROUTE || is_order(&msg->order);
}

int proxy_msg_recv(int sock, struct proxy_msg *msg, int *fd)
{
	struct ktls_fds fds;
	ssize_t n = ktls_recv_fds(sock, msg, sizeof(*msg), &fds,
				  MSG_CMSG_CLOEXEC);

	*fd = -1;
	if (n < 0)
		return (int)n;
	if (!n && !fds.n)
		return 0;
	if (fds.truncated || !is_good(msg, (size_t)n, fds.n)) {
		ktls_close_fds(&fds);
		return -EBADMSG;
	}
	if (fds.n)
		*fd = fds.fd[0];
	return 1;
}
