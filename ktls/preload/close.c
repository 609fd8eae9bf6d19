// SPDX-License-Identifier: MIT
/* Ends and copies of descriptors. */
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/syscall.h>

#include "real.h"

bool preload_is_same(const struct entry *e, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_dev == e->dev && st.st_ino == e->ino;
}

/* In a relay it is no record, and takes no room. */
static bool would_wait(const struct ktls_conn *c)
{
	struct pollfd p = {.fd = c->fd, .events = POLLOUT};

	return c->mode == KTLS_KERNEL &&
	       !(real()->fcntl(c->fd, F_GETFL) & O_NONBLOCK) && !poll(&p, 1, 0);
}

/*
 * Says close_notify in the way of ktls_shutdown(), but without waiting: what
 * there is no room for is left to a thread.
 */
static int say_close(struct entry *e, int fd)
{
	struct ktls_conn c = e->conn;
	int rc;

	c.fd = fd;
	rc = would_wait(&c) ? -EAGAIN : ktls_shutdown(&c);
	if (rc == -EAGAIN) {
		preload_linger(fd, &c);
		rc = 0;
	}
	e->conn.sent_close = 1;
	return rc;
}

/* A descriptor that does not block, whatever others make of it. */
static int say_close_now(struct entry *e, int fd)
{
	const int flags = real()->fcntl(fd, F_GETFL);

	if (!(flags & O_NONBLOCK))
		real()->fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	return say_close(e, fd);
}

/*
 * The last descriptor of a connection. Whoever has forked since may have left
 * it to the child: then it is not ours to end.
 */
static void end_conn(struct entry *e, int fd)
{
	const int epoll = e->epoll;

	if (!preload_is_same(e, fd))
		return;
	if (e->forks == preload_forks && !e->reset && !e->conn.sent_close)
		say_close_now(e, fd);
	/* As long as anybody has the socket, its events would go on. */
	if (epoll >= 0)
		real()->epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
}

void preload_forget(int fd)
{
	struct entry *e = table_get(fd);

	if (!e || e->kind == ENTRY_OWN || !preload_ours())
		return;
	if (e->kind == ENTRY_CONN && e->refs == 1)
		end_conn(e, fd);
	table_set(fd, NULL);
}

void preload_gone(const struct entry *e, int fd)
{
	if (table_get(fd) == e && preload_ours())
		table_set(fd, NULL);
}

/* The C library's own close(2) in it is none of ours. */
PRELOAD_EXPORT int fclose(FILE *file)
{
	const int fd = fileno_unlocked(file);

	if (table_conn(fd)) {
		fflush(file);
		preload_forget(fd);
	}
	return real()->fclose(file);
}

PRELOAD_EXPORT int close(int fd)
{
	if (table_get(fd)) {
		/* Those who close all that there may be mean well. */
		if (preload_is_own(fd)) {
			errno = EBADF;
			return -1;
		}
		preload_forget(fd);
	}
	return real()->close(fd);
}

/* @fd is about to become another: one of ours has to make room. */
static int make_room(int fd)
{
	if (preload_is_own(fd))
		return preload_move_own(fd);
	preload_forget(fd);
	return 0;
}

PRELOAD_EXPORT int dup(int fd)
{
	const int copy = real()->dup(fd);

	if (copy >= 0 && table_get(fd) && preload_ours())
		table_share(fd, copy);
	return copy;
}

static int copy_to(int fd, int to, int flags, bool three)
{
	int rc;

	if (fd != to && table_get(to) && real()->fcntl(fd, F_GETFD) >= 0) {
		rc = preload_ours() ? make_room(to) : 0;
		if (rc) {
			errno = -rc;
			return -1;
		}
	}
	rc = three ? real()->dup3(fd, to, flags) : real()->dup2(fd, to);
	if (rc >= 0 && fd != to && table_get(fd) && preload_ours())
		table_share(fd, to);
	return rc;
}

PRELOAD_EXPORT int dup2(int fd, int to)
{
	return copy_to(fd, to, 0, false);
}

PRELOAD_EXPORT int dup3(int fd, int to, int flags)
{
	return copy_to(fd, to, flags, true);
}

static int listener_fcntl(struct entry *e, int command, long arg)
{
	if (command == F_SETFL) {
		preload_set_nonblocking(e, arg & O_NONBLOCK);
		return 0;
	}
	return O_RDWR | (e->nonblocking ? O_NONBLOCK : 0);
}

static int do_fcntl(int fd, int command, long arg)
{
	struct entry *e = table_get(fd);
	int rc;

	if (e && table_listener(fd) &&
	    (command == F_SETFL || command == F_GETFL))
		return listener_fcntl(e, command, arg);
	rc = real()->fcntl(fd, command, arg);
	if (rc >= 0 && e && preload_ours() &&
	    (command == F_DUPFD || command == F_DUPFD_CLOEXEC))
		table_share(fd, rc);
	return rc;
}

PRELOAD_EXPORT int fcntl(int fd, int command, ...)
{
	va_list args;
	long arg;

	va_start(args, command);
	arg = va_arg(args, long);
	va_end(args);
	return do_fcntl(fd, command, arg);
}

/* What programs with 64-bit offsets call: here they are the same. */
PRELOAD_EXPORT int fcntl64(int fd, int command, ...)
	__attribute__((alias("fcntl")));

/* All but our own, in stretches between them. */
static int close_stretches(unsigned int first, unsigned int last, int flags)
{
	const unsigned int end = table_end;
	unsigned int fd = first;
	int rc = 0;

	for (; !rc && fd < end && fd <= last; fd++) {
		if (!preload_is_own(fd)) {
			if (!(flags & CLOSE_RANGE_CLOEXEC))
				preload_forget(fd);
			continue;
		}
		if (fd > first)
			rc = real()->close_range(first, fd - 1, flags);
		first = fd + 1;
	}
	return rc || first > last ? rc :
				    real()->close_range(first, last, flags);
}

PRELOAD_EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	if (!table_end || first > last || !preload_ours())
		return real()->close_range(first, last, flags);
	return close_stretches(first, last, flags);
}

PRELOAD_EXPORT void closefrom(int first)
{
	close_range(first < 0 ? 0 : first, UINT_MAX, 0);
}

PRELOAD_EXPORT int shutdown(int fd, int how)
{
	struct entry *e = table_get(fd);
	int rc = 0;

	if (!e)
		return real()->shutdown(fd, how);
	e->ended |= how == SHUT_RD || how == SHUT_RDWR;
	/* Others go on listening: it ends here, and only so. */
	if (e->kind != ENTRY_CONN)
		return 0;
	if (how == SHUT_RD)
		return real()->shutdown(fd, how);
	if (!e->conn.sent_close && preload_is_same(e, fd))
		rc = say_close(e, fd);
	if (!rc && how == SHUT_RDWR)
		return real()->shutdown(fd, SHUT_RD);
	if (!rc)
		return 0;
	errno = -rc;
	return -1;
}

PRELOAD_EXPORT int epoll_ctl(int epoll, int op, int fd,
			     struct epoll_event *event)
{
	const int rc = real()->epoll_ctl(epoll, op, fd, event);
	struct entry *e;

	if (rc || !(e = table_conn(fd)))
		return rc;
	if (op == EPOLL_CTL_DEL)
		e->epoll = -1;
	else
		e->epoll = epoll;
	return rc;
}

/* libuv, for one, closes in this way. */
PRELOAD_EXPORT long syscall(long number, ...)
{
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	switch (number) {
	case SYS_close:
		return close(a[0]);
	case SYS_accept4:
		return accept4(a[0], (struct sockaddr *)a[1], (socklen_t *)a[2],
			       a[3]);
	case SYS_close_range:
		return close_range(a[0], a[1], a[2]);
	default:
		return real()->syscall(number, a[0], a[1], a[2], a[3], a[4],
				       a[5]);
	}
}
