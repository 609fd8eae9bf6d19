// SPDX-License-Identifier: MIT
/*
 * The queue in the place of a listening socket: bind(2), listen(2), and what is
 * asked about it.
 */
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "real.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

struct entry *preload_add_listener(int fd, int i, const union address *bound)
{
	struct entry *e;

	if (fd >= TABLE_FDS || !(e = table_new(ENTRY_LISTENER)))
		return NULL;
	e->queue = i;
	e->local = *bound;
	if (!e->local.any.sa_family) {
		e->local.any.sa_family = AF_INET6;
		e->local.v6.sin6_port = htons(preload.queues[i].port);
	}
	table_set(fd, e);
	return e;
}

void preload_set_nonblocking(struct entry *e, bool on)
{
	e->nonblocking = on;
	preload.queues[e->queue].nonblocking = on;
}

/* Without sin6_scope_id, as the kernel takes it: RFC 2133. */
#define SIN6_MIN 24

static int port_of(const struct sockaddr *a, socklen_t len)
{
	if (a->sa_family == AF_INET && len >= sizeof(struct sockaddr_in))
		return ntohs(((const struct sockaddr_in *)a)->sin_port);
	if (a->sa_family == AF_INET6 && len >= SIN6_MIN)
		return ntohs(((const struct sockaddr_in6 *)a)->sin6_port);
	return 0;
}

static int option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value;

	return real()->getsockopt(fd, SOL_SOCKET, name, &value, &len) ? -1 :
									value;
}

static bool is_tcp(int fd)
{
	const int protocol = option(fd, SO_PROTOCOL);

	return option(fd, SO_TYPE) == SOCK_STREAM &&
	       (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

/* The queue that a bind(2) to @port is for, or -1. */
static int queue_for(int port)
{
	int any;

	for (int i = 0; i < preload.n; i++) {
		any = 0;
		if (preload.queues[i].port == port ||
		    atomic_compare_exchange_strong(&preload.queues[i].port,
						   &any, port))
			return i;
	}
	return -1;
}

/* What never becomes readable. */
static int new_idle(void)
{
	const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/* Makes what stands for queue @i in the other family idle. */
static int idle_others(int i, int family)
{
	for (int fd = 0; fd < table_end; fd++) {
		struct entry *e = table_listener(fd);
		int idle;

		if (!e || e->kind == ENTRY_IDLE || e->queue != i ||
		    e->local.any.sa_family == family || !e->bound)
			continue;
		idle = new_idle();
		if (idle < 0)
			return idle;
		real()->dup3(idle, fd,
			     real()->fcntl(fd, F_GETFD) & FD_CLOEXEC ?
				     O_CLOEXEC :
				     0);
		real()->close(idle);
		e->kind = ENTRY_IDLE;
	}
	return 0;
}

/* Is there already one of IPv6, which takes IPv4's clients as well? */
static bool have_v6(int i)
{
	for (int fd = 0; fd < table_end; fd++) {
		const struct entry *e = table_listener(fd);

		if (e && e->kind == ENTRY_LISTENER && e->queue == i &&
		    e->bound && e->local.any.sa_family == AF_INET6)
			return true;
	}
	return false;
}

/*
 * Of two sockets for one port, IPv4's and IPv6's, the latter gets all: it can
 * be told every address. The other one never becomes readable, and where IPv6
 * clients may come not even while it is alone: ktls-run ends what leaves it so.
 */
static int source_for(int i, int family, bool idle)
{
	int rc = 0;

	if (idle)
		return new_idle();
	if (family == AF_INET6)
		rc = idle_others(i, family);
	return rc ? rc :
		    real()->fcntl(preload.queues[i].fd, F_DUPFD_CLOEXEC, 0);
}

/* Puts @source in the place of @fd, as what was bound to @bound. */
static int put(int fd, int source, int i, const union address *bound, bool idle)
{
	const int cloexec = real()->fcntl(fd, F_GETFD) & FD_CLOEXEC;
	const int flags = real()->fcntl(fd, F_GETFL);
	struct entry *e = preload_add_listener(fd, i, bound);

	if (!e || real()->dup3(source, fd, cloexec ? O_CLOEXEC : 0) < 0) {
		preload_forget(fd);
		return -ENOBUFS;
	}
	e->bound = true;
	preload_set_nonblocking(e, flags & O_NONBLOCK);
	if (idle)
		e->kind = ENTRY_IDLE;
	else
		preload.queues[i].bound = *bound;
	return 0;
}

/* Ours may have been closed behind our back, and the number be another's. */
static bool has_queue(const struct preload_queue *q)
{
	struct stat st;

	return q->fd >= 0 && !fstat(q->fd, &st) && S_ISSOCK(st.st_mode) &&
	       st.st_ino == q->ino;
}

static int take_place(int fd, int i, const struct sockaddr *a, socklen_t len)
{
	const struct preload_queue *q = &preload.queues[i];
	const bool idle = a->sa_family == AF_INET && (q->ipv6 || have_v6(i));
	union address bound = {0};
	struct entry *given;
	int source, rc;

	if (!has_queue(q)) {
		preload_say("port %d: the queue at descriptor %d was closed, "
			    "nothing listens",
			    q->port, q->given);
		return -EADDRINUSE;
	}
	memcpy(&bound, a, len < sizeof(bound) ? len : sizeof(bound));
	source = source_for(i, a->sa_family, idle);
	if (source < 0)
		return source;
	rc = put(fd, source, i, &bound, idle);
	real()->close(source);
	/* The server has its own now: its children need none. */
	given = table_listener(q->given);
	if (given && given->queue == i && !given->bound)
		real()->fcntl(q->given, F_SETFD, FD_CLOEXEC);
	return rc;
}

PRELOAD_EXPORT int bind(int fd, const struct sockaddr *a, socklen_t len)
{
	int port, i, rc;

	if (!preload_pid || !a || !(port = port_of(a, len)) || !is_tcp(fd) ||
	    (i = queue_for(port)) < 0)
		return real()->bind(fd, a, len);
	rc = preload_ours() ? take_place(fd, i, a, len) : -EADDRINUSE;
	if (!rc)
		return 0;
	errno = -rc;
	return -1;
}

PRELOAD_EXPORT int listen(int fd, int backlog)
{
	struct entry *e = table_listener(fd);

	if (!e)
		return real()->listen(fd, backlog);
	e->listening = true;
	if (e->bound)
		preload_report(&(struct preload_report){
			.family = e->local.any.sa_family,
			.port = ntohs(e->local.v4.sin_port),
			.given = preload.queues[e->queue].given,
		});
	return 0;
}

PRELOAD_EXPORT int getsockname(int fd, struct sockaddr *a, socklen_t *len)
{
	const struct entry *e = table_get(fd);

	if (!e || !e->local.any.sa_family)
		return real()->getsockname(fd, a, len);
	address_out(&e->local, a, len);
	return 0;
}

PRELOAD_EXPORT int getpeername(int fd, struct sockaddr *a, socklen_t *len)
{
	const struct entry *e = table_get(fd);

	if (!e || !e->local.any.sa_family)
		return real()->getpeername(fd, a, len);
	if (e->kind != ENTRY_CONN) {
		errno = ENOTCONN;
		return -1;
	}
	address_out(&e->peer, a, len);
	return 0;
}

static int give_int(int value, void *to, socklen_t *len)
{
	memcpy(to, &value, *len < sizeof(value) ? *len : sizeof(value));
	if (*len > sizeof(value))
		*len = sizeof(value);
	return 0;
}

/* Is it an option of another kind of socket than @fd really is? */
static bool is_foreign(const struct entry *e, int level)
{
	return level != SOL_SOCKET &&
	       (e->kind != ENTRY_CONN || e->conn.mode == KTLS_RELAY);
}

static int socket_option(const struct entry *e, int fd, int name, void *value,
			 socklen_t *len)
{
	switch (name) {
	case SO_TYPE:
		return give_int(SOCK_STREAM, value, len);
	case SO_DOMAIN:
		return give_int(e->local.any.sa_family, value, len);
	case SO_PROTOCOL:
		return give_int(IPPROTO_TCP, value, len);
	case SO_ACCEPTCONN:
		return give_int(e->listening, value, len);
	default:
		return real()->getsockopt(fd, SOL_SOCKET, name, value, len);
	}
}

PRELOAD_EXPORT int getsockopt(int fd, int level, int name, void *value,
			      socklen_t *len)
{
	const struct entry *e = table_get(fd);

	if (!e || !e->local.any.sa_family || !value || !len)
		return real()->getsockopt(fd, level, name, value, len);
	if (level == SOL_SOCKET)
		return socket_option(e, fd, name, value, len);
	if (!is_foreign(e, level))
		return real()->getsockopt(fd, level, name, value, len);
	if (*len > sizeof(int)) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return give_int(level == IPPROTO_TCP && name == TCP_NODELAY, value,
			len);
}

/* Nobody sets anything on the queue: it is shared with others. */
PRELOAD_EXPORT int setsockopt(int fd, int level, int name, const void *value,
			      socklen_t len)
{
	const struct linger *linger = value;
	struct entry *e = table_get(fd);

	if (!e || e->kind == ENTRY_OWN)
		return real()->setsockopt(fd, level, name, value, len);
	if (e->kind != ENTRY_CONN || is_foreign(e, level))
		return 0;
	if (level == SOL_SOCKET && name == SO_LINGER && linger &&
	    len >= sizeof(*linger))
		e->reset = linger->l_onoff && !linger->l_linger;
	return real()->setsockopt(fd, level, name, value, len);
}
