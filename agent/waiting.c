/* SPDX-License-Identifier: MIT */
#include "waiting.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "ktls/descriptors.h"
#include "ktls/message.h"

/*
 * Messages in one call, more than an honest queue is often long: somebody who
 * goes on writing into it must not keep master.
 */
#define TURN_MAX 1024

static uint8_t message[KTLS_MSG_MAX];

static ssize_t take(int read_fd, struct ktls_fds *fds)
{
	return ktls_recv_fds(read_fd, message, sizeof(message), fds,
			     MSG_CMSG_CLOEXEC);
}

/* There may be secrets in it. */
static void forget(ssize_t len)
{
	if (len > 0)
		explicit_bzero(message, (size_t)len);
}

bool waiting_move(int read_fd, int write_fd)
{
	/* Ask before taking: what was taken cannot be put back. */
	struct pollfd room = { .fd = write_fd, .events = POLLOUT };
	unsigned int left = TURN_MAX;
	struct ktls_fds fds;
	ssize_t n;

	while (left-- && poll(&room, 1, 0) == 1 && room.revents == POLLOUT) {
		n = take(read_fd, &fds);
		if (n <= 0 && !fds.n)
			return true;
		if (n > 0 && fds.n == 1)
			ktls_send_fds(write_fd, message, (size_t)n, fds.fd, 1);
		ktls_close_fds(&fds);
		forget(n);
	}
	return false;
}

static bool is_old(const uint8_t *msg, size_t len, unsigned int hold_ms)
{
	struct ktls_info info;
	struct timespec now;
	uint64_t now_ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	return ktls_msg_decode(&info, NULL, msg, len) ||
	       info.handoff_ns + (uint64_t)hold_ms * 1000000 < now_ns;
}

unsigned int waiting_drop(int read_fd, unsigned int hold_ms)
{
	unsigned int dropped = 0;
	struct ktls_fds fds;
	bool old;
	ssize_t n;

	while (dropped < TURN_MAX) {
		/* Without room for descriptors, looking installs none. */
		n = recv(read_fd, message, sizeof(message),
			 MSG_PEEK | MSG_DONTWAIT);
		old = n >= 0 && (!n || is_old(message, (size_t)n, hold_ms));
		forget(n);
		if (!old)
			return dropped;
		n = take(read_fd, &fds);
		forget(n);
		if (n <= 0 && !fds.n)
			return dropped;
		ktls_close_fds(&fds);
		dropped++;
	}
	return dropped;
}
