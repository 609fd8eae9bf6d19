/* SPDX-License-Identifier: MIT */
#include "waiting.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "ktls/message.h"

static uint8_t message[KTLS_MSG_MAX];

/* struct taken - a message and the room for its descriptors */
struct taken {
	struct iovec iov;
	struct msghdr hdr;
	union {
		struct cmsghdr align;
		char space[256];
	} control;
};

static ssize_t take(int read_fd, struct taken *t)
{
	t->iov = (struct iovec){ message, sizeof(message) };
	t->hdr = (struct msghdr){
		.msg_iov = &t->iov,
		.msg_iovlen = 1,
		.msg_control = &t->control,
		.msg_controllen = sizeof(t->control.space),
	};
	return recvmsg(read_fd, &t->hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
}

static void close_taken(struct taken *t)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(&t->hdr); c; c = CMSG_NXTHDR(&t->hdr, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fd;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		while (n--) {
			memcpy(&fd, CMSG_DATA(c) + n * sizeof(int),
			       sizeof(fd));
			close(fd);
		}
	}
}

bool waiting_move(int read_fd, int write_fd)
{
	/* Ask before taking: what was taken cannot be put back. */
	struct pollfd room = { .fd = write_fd, .events = POLLOUT };
	struct taken t;
	ssize_t n;

	while (poll(&room, 1, 0) == 1 && room.revents == POLLOUT) {
		n = take(read_fd, &t);
		if (n <= 0)
			return true;
		t.iov.iov_len = (size_t)n;
		sendmsg(write_fd, &t.hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
		close_taken(&t);
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
	return ktls_msg_decode(&info, msg, len) ||
	       info.handoff_ns + (uint64_t)hold_ms * 1000000 < now_ns;
}

unsigned int waiting_drop(int read_fd, unsigned int hold_ms)
{
	unsigned int dropped = 0;
	struct taken t;
	ssize_t n;

	for (;;) {
		/* Without room for descriptors, looking installs none. */
		n = recv(read_fd, message, sizeof(message),
			 MSG_PEEK | MSG_DONTWAIT);
		if (n <= 0 || !is_old(message, (size_t)n, hold_ms))
			return dropped;
		if (take(read_fd, &t) > 0) {
			close_taken(&t);
			dropped++;
		}
	}
}
