// SPDX-License-Identifier: MIT
/*
 * Receiving on connections: a close_notify reads as the end of the file, and
 * the end without one as ECONNRESET.
 */
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>

#include "real.h"

/* A peer that sends nothing but control records keeps us busy for nothing. */
#define CONTROLS_MAX 16

static ssize_t fail(struct entry *e, int error)
{
	/* What a server knows as a client's failing; and it stays so. */
	if (error == EPROTO || error == EBADMSG || error == EKEYEXPIRED)
		error = ECONNRESET;
	if (error == ECONNRESET)
		e->error = error;
	errno = error;
	return -1;
}

/*
 * As after a FIN: poll(2) goes on saying that there is something to read, and
 * reading that it is the end.
 */
static ssize_t end(struct entry *e, int fd)
{
	e->got_close = true;
	if (e->conn.mode == KTLS_KERNEL)
		real()->shutdown(fd, SHUT_RD);
	return 0;
}

/*
 * Has it ended before? Then *@n is what to return. But the number may be another
 * file's by now.
 */
static bool is_over(struct entry *e, int fd, ssize_t *n)
{
	if (!e->got_close && !e->error)
		return false;
	if (!preload_is_same(e, fd)) {
		preload_gone(e, fd);
		return false;
	}
	if (e->got_close) {
		*n = 0;
		return true;
	}
	errno = e->error;
	*n = -1;
	return true;
}

static bool is_plain_error(int error)
{
	return error == EAGAIN || error == EINTR || error == EFAULT ||
	       error == ENOMEM || error == EBADF;
}

/*
 * Behind bytes there may be a KeyUpdate, of which poll(2) says nothing. Where
 * there are no secrets to follow it with, it is not looked for.
 */
static bool is_fine(const struct entry *e, ssize_t n)
{
	return n > 0 && !e->conn.rekey;
}

/*
 * Judges @n, of a call that asked for something. Returns whether to call again;
 * otherwise *@n, with errno, is what to return.
 */
static bool again(struct entry *e, int fd, ssize_t *n)
{
	struct ktls_conn c = e->conn;
	int rc;

	if (is_fine(e, *n) || (*n < 0 && is_plain_error(errno)) ||
	    (!*n && e->ended) || e->conn.mode == KTLS_PLAIN)
		return false;
	if (!preload_is_same(e, fd)) {
		preload_gone(e, fd);
		return false;
	}
	c.fd = fd;
	rc = ktls_recv_result(&c, *n < 0 ? -errno : *n > 0);
	if (c.sent_close)
		e->conn.sent_close = 1;
	if (*n > 0)
		return false;
	if (rc == 1)
		return true;
	*n = rc ? fail(e, -rc) : end(e, fd);
	return false;
}

/* As of a call that succeeds, errno is what it was. */
#define RECEIVE(e, fd, call)                                              \
	({                                                                \
		const int errno_ = errno;                                 \
		int tries_ = CONTROLS_MAX;                                \
		ssize_t n_;                                               \
		if (!is_over(e, fd, &n_))                                 \
			do                                                \
				n_ = tries_-- ? (call) : fail(e, EPROTO); \
			while (again(e, fd, &n_));                        \
		if (n_ >= 0)                                              \
			errno = errno_;                                   \
		n_;                                                       \
	})

/* What is not about the stream, or asks for nothing. */
static bool is_other(size_t len, int flags)
{
	return !len || flags & (MSG_ERRQUEUE | MSG_OOB);
}

PRELOAD_EXPORT ssize_t read(int fd, void *buf, size_t len)
{
	struct entry *e = table_conn(fd);

	if (!e || !len)
		return real()->read(fd, buf, len);
	return RECEIVE(e, fd, real()->read(fd, buf, len));
}

PRELOAD_EXPORT ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	struct entry *e = table_conn(fd);

	if (!e || is_other(len, flags))
		return real()->recv(fd, buf, len, flags);
	return RECEIVE(e, fd, real()->recv(fd, buf, len, flags));
}

PRELOAD_EXPORT ssize_t recvfrom(int fd, void *buf, size_t len, int flags,
				struct sockaddr *a, socklen_t *alen)
{
	struct entry *e = table_conn(fd);

	if (!e || is_other(len, flags))
		return real()->recvfrom(fd, buf, len, flags, a, alen);
	if (a && alen)
		*alen = 0; /* TCP says nothing here */
	return RECEIVE(e, fd, real()->recv(fd, buf, len, flags));
}

static size_t total(const struct iovec *iov, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

PRELOAD_EXPORT ssize_t readv(int fd, const struct iovec *iov, int n)
{
	struct entry *e = table_conn(fd);

	if (!e || n <= 0 || !total(iov, n))
		return real()->readv(fd, iov, n);
	return RECEIVE(e, fd, real()->readv(fd, iov, n));
}

/*
 * With room for control data the kernel would give a control record as if it
 * were data.
 */
static ssize_t receive_msg(struct entry *e, int fd, struct msghdr *msg,
			   int flags)
{
	struct msghdr own = *msg;
	ssize_t n;

	own.msg_name = own.msg_control = NULL;
	own.msg_namelen = own.msg_controllen = 0;
	n = RECEIVE(e, fd, real()->recvmsg(fd, &own, flags));
	msg->msg_namelen = msg->msg_controllen = 0;
	msg->msg_flags = n < 0 ? 0 : own.msg_flags & ~MSG_CTRUNC;
	return n;
}

PRELOAD_EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct entry *e = table_conn(fd);
	ssize_t n;

	if (e && !is_other(total(msg->msg_iov, msg->msg_iovlen), flags))
		return receive_msg(e, fd, msg, flags);
	n = real()->recvmsg(fd, msg, flags);
	if (n >= 0 && msg->msg_controllen && preload_pid)
		preload_received(msg);
	return n;
}

/* One message is what a stream has. */
PRELOAD_EXPORT int recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n,
			    int flags, struct timespec *timeout)
{
	ssize_t len;
	int got;

	if (table_conn(fd) && n) {
		len = recvmsg(fd, &msgs->msg_hdr, flags & ~MSG_WAITFORONE);
		if (len < 0)
			return -1;
		msgs->msg_len = len;
		return 1;
	}
	got = real()->recvmmsg(fd, msgs, n, flags, timeout);
	for (int i = 0; i < got && preload_pid; i++)
		preload_received(&msgs[i].msg_hdr);
	return got;
}

PRELOAD_EXPORT ssize_t splice(int from, off64_t *from_offset, int to,
			      off64_t *to_offset, size_t len,
			      unsigned int flags)
{
	struct entry *e = table_conn(from);

	if (!e || !len)
		return real()->splice(from, from_offset, to, to_offset, len,
				      flags);
	return RECEIVE(e, from,
		       real()->splice(from, from_offset, to, to_offset, len,
				      flags));
}

/* What _FORTIFY_SOURCE makes of them; the check is theirs, the bound ours. */
ssize_t __read_chk(int fd, void *buf, size_t len, size_t size);
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t size, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t size, int flags,
		       struct sockaddr *a, socklen_t *alen);
__attribute__((noreturn)) void __chk_fail(void);

PRELOAD_EXPORT ssize_t __read_chk(int fd, void *buf, size_t len, size_t size)
{
	if (len > size)
		__chk_fail();
	return read(fd, buf, len);
}

PRELOAD_EXPORT ssize_t __recv_chk(int fd, void *buf, size_t len, size_t size,
				  int flags)
{
	if (len > size)
		__chk_fail();
	return recv(fd, buf, len, flags);
}

PRELOAD_EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t len,
				      size_t size, int flags,
				      struct sockaddr *a, socklen_t *alen)
{
	if (len > size)
		__chk_fail();
	return recvfrom(fd, buf, len, flags, a, alen);
}

/*
 * The kernel counts only what is encrypted: 0, while the rest of a record is
 * there to be read. So: much, if anything.
 */
static int readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && p.revents & POLLIN ? INT_MAX : 0;
}

PRELOAD_EXPORT int ioctl(int fd, unsigned long request, ...)
{
	struct entry *e = table_get(fd);
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (e && e->kind == ENTRY_CONN && e->conn.mode == KTLS_KERNEL &&
	    request == FIONREAD) {
		*(int *)arg = e->got_close ? 0 : readable(fd);
		return 0;
	}
	if (e && (e->kind == ENTRY_LISTENER || e->kind == ENTRY_IDLE) &&
	    (request == FIONBIO || request == FIOASYNC)) {
		if (request == FIONBIO)
			preload_set_nonblocking(e, *(int *)arg);
		return 0;
	}
	return real()->ioctl(fd, request, arg);
}
