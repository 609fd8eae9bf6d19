// SPDX-License-Identifier: MIT
#include "preload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include <sys/stat.h>

#include "real.h"

/* A descriptor only to be closed, see ktls/accept.c. */
static _Atomic int reserve = -1;

static int get_reserve(int fd)
{
	return reserve < 0 ? preload_own(fd, &reserve) : 0;
}

static void free_reserve(void)
{
	preload_disown(&reserve);
	reserve = -1;
}

/* Receives with the reserve given up for the time of the call. */
static ssize_t receive(int fd, struct msghdr *msg, int flags)
{
	ssize_t n;
	int rc;

	preload_lock();
	rc = get_reserve(fd);
	if (!rc) {
		free_reserve();
		n = real()->recvmsg(fd, msg, MSG_DONTWAIT | flags);
		if (n < 0)
			n = -errno;
		get_reserve(fd);
	}
	preload_unlock();
	return rc ? rc : n;
}

/* Once: where the line is missing that would have let all clients in. */
static void say_refused(const struct entry *listener,
			const struct ktls_info *info)
{
	static _Atomic bool said;
	char text[INET6_ADDRSTRLEN] = "";

	if (atomic_exchange(&said, true))
		return;
	inet_ntop(AF_INET6,
		  &((const struct sockaddr_in6 *)&info->peer)->sin6_addr, text,
		  sizeof(text));
	preload_say("client %s refused: the server listens on IPv4 "
		    "only. " PRELOAD_REMEDY,
		    text, ntohs(listener->local.v4.sin_port));
}

/* Both addresses, in the listener's family. */
static int set_addresses(struct entry *e, const struct entry *listener,
			 const struct ktls_info *info)
{
	const int family = listener->local.any.sa_family;

	if (!address_as(&info->peer, family, &e->peer) &&
	    !address_as(&info->local, family, &e->local))
		return 0;
	say_refused(listener, info);
	return -EAFNOSUPPORT;
}

/* Enters a connection into the table. Returns its descriptor or -errno. */
static int enter(const struct entry *listener, struct ktls_conn *c,
		 const struct ktls_info *info)
{
	struct entry *e = NULL;
	struct stat st;
	int rc = -ECONNABORTED;

	if (c->fd < TABLE_FDS && !fstat(c->fd, &st))
		e = table_new(ENTRY_CONN);
	if (e)
		rc = set_addresses(e, listener, info);
	if (rc) {
		if (e)
			table_unref(e);
		ktls_close(c);
		return rc;
	}
	e->conn = *c;
	e->dev = st.st_dev;
	e->ino = st.st_ino;
	e->forks = preload_forks;
	table_set(c->fd, e);
	return c->fd;
}

/* Takes one connection that there is. Returns its descriptor or -errno. */
static int take(const struct entry *listener, int fd, int flags)
{
	uint8_t data[KTLS_MSG_MAX];
	union {
		struct cmsghdr align;
		char buf[KTLS_CONTROL_MAX];
	} control;
	struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control),
	};
	struct ktls_conn c;
	struct ktls_info info;
	ssize_t n;
	int rc;

	n = receive(fd, &msg, flags & SOCK_CLOEXEC ? MSG_CMSG_CLOEXEC : 0);
	rc = ktls_accept_msg(&msg, n, preload.queues[listener->queue].hold_ms,
			     &c, &info, flags & SOCK_NONBLOCK);
	return rc ? rc : enter(listener, &c, &info);
}

/* 0: there may be something; or -errno. */
static int wait_for_one(const struct entry *listener, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (listener->nonblocking)
		return -EAGAIN;
	return poll(&p, 1, -1) < 0 ? -errno : 0;
}

/* What a connection that came to nothing is the server need not know. */
static bool is_passing(int rc)
{
	return rc == -EPROTO || rc == -ECONNABORTED || rc == -ETIMEDOUT ||
	       rc == -EAFNOSUPPORT;
}

static int accept_one(struct entry *listener, int fd, int flags)
{
	/*
	 * The queue is at its end, and so is the server, soon: ktls-run ends
	 * it, or is doing so. Until then it is not to be busy with that.
	 */
	static const struct timespec pause = {.tv_nsec = 50000000};
	int rc;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC) || listener->ended)
		return -EINVAL;
	do {
		rc = listener->kind == ENTRY_IDLE ? -EAGAIN :
						    take(listener, fd, flags);
		if (rc == -EAGAIN)
			rc = wait_for_one(listener, fd) ?: -ETIMEDOUT;
	} while (is_passing(rc));
	if (rc == -EPIPE) {
		nanosleep(&pause, NULL);
		rc = listener->nonblocking ? -EAGAIN : -EINVAL;
	}
	return rc;
}

PRELOAD_EXPORT int accept4(int fd, struct sockaddr *a, socklen_t *len,
			   int flags)
{
	struct entry *e = table_listener(fd);
	int rc;

	if (!e)
		return real()->accept4(fd, a, len, flags);
	rc = accept_one(e, fd, flags);
	if (rc < 0) {
		errno = -rc;
		return -1;
	}
	address_out(&table_get(rc)->peer, a, len);
	return rc;
}

PRELOAD_EXPORT int accept(int fd, struct sockaddr *a, socklen_t *len)
{
	return accept4(fd, a, len, 0);
}
