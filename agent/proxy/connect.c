/* SPDX-License-Identifier: MIT */
/* How a tunnel gets its server: one is tried after the other. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "intake.h"
#include "tunnel.h"

/*
 * A server that went away without a word is found out by then, in seconds: so
 * long after the last byte, and after so many questions.
 */
#define KEEP_IDLE_S 60
#define KEEP_INTERVAL_S 15
#define KEEP_COUNT 4

static void set(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

/*
 * Half of what a client sent must not look whole: unless it is closed on
 * purpose, as when this process is killed, the server gets a reset.
 */
static int open_socket(const struct sockaddr_storage *addr)
{
	static const struct linger now = { .l_onoff = 1 };
	int fd = socket(addr->ss_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || addr->ss_family == AF_UNIX)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
	return fd;
}

static void count(struct tunnel *t, bool more)
{
	if (t->counted == more)
		return;
	t->counted = more;
	backends_count(&t->in->backends, t->backend, more ? 1 : -1);
}

/* This one is none; on to the next. */
static void fail(struct tunnel *t, int error)
{
	struct proxy *p = t->in->proxy;

	count(t, false);
	if (t->server >= 0)
		close(t->server);
	t->server = -1;
	/* A Unix socket's backlog is full: there is nothing to wait on. */
	if (error == EAGAIN)
		return;
	proxy_count(t->in, PROXY_CONNECT_FAILED, 1);
	backends_failed(&t->in->backends, t->backend, error, p->now_ms);
}

static void on_connected(struct ring_op *op, int result)
{
	struct tunnel *t = container_of(op, struct tunnel, server_side.op);
	int error = 0;
	socklen_t len = sizeof(error);

	t->server_side.armed = false;
	if (t->state == TUNNEL_ENDING) {
		tunnel_free(t);
		return;
	}
	if (result == -ECANCELED)
		error = ETIMEDOUT;
	else if (result < 0)
		error = -result;
	else
		getsockopt(t->server, SOL_SOCKET, SO_ERROR, &error, &len);
	if (!error) {
		tunnel_open(t);
		return;
	}
	fail(t, error);
	tunnel_connect(t);
}

static void wait_for(struct tunnel *t)
{
	struct proxy *p = t->in->proxy;

	t->server_side.armed = true;
	t->server_side.op.done = on_connected;
	io_uring_prep_poll_add(ring_prepare(&p->ring, &t->server_side.op),
			       t->server, POLLOUT);
	deadline_set(&t->in->connects, &t->deadline, p->now_ms);
}

/* Its operation ends, and says so. */
void tunnel_connect_late(struct deadline *d)
{
	struct tunnel *t = container_of(d, struct tunnel, deadline);

	ring_cancel(&t->in->proxy->ring, &t->server_side.op);
}

void tunnel_retry(struct deadline *d)
{
	struct tunnel *t = container_of(d, struct tunnel, deadline);

	t->tried = 0;
	tunnel_connect(t);
}

/* Returns 0: connected; -EINPROGRESS; or another -errno. */
static int try(struct tunnel *t, unsigned int i)
{
	const struct proxy_order *order = &t->in->order;

	t->backend = i;
	t->tried |= UINT64_C(1) << i;
	t->server = open_socket(&order->backend[i].addr);
	if (t->server < 0)
		return -errno;
	count(t, true);
	return connect(t->server, (const void *)&order->backend[i].addr,
		       order->backend[i].addr_len) ? -errno : 0;
}

/* Others will end. But an address of a kind that is switched off stays so. */
static bool is_shortage(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS ||
	       err == -ENOMEM;
}

/* No descriptor for a socket. Until there is one no more clients are taken. */
static void wait_for_room(struct tunnel *t, int err)
{
	struct proxy *p = t->in->proxy;

	if (p->now_ms >= t->give_up_ms) {
		tunnel_end(t, PROXY_RESOURCES, err);
		return;
	}
	intake_pause(p, strerror(-err));
	deadline_set(&p->retries, &t->deadline, p->now_ms);
}

void tunnel_connect(struct tunnel *t)
{
	struct proxy *p = t->in->proxy;
	bool busy = false;
	int i, err;

	for (;;) {
		i = backends_pick(&t->in->backends, t->tried, p->now_ms);
		if (i < 0)
			break;
		err = try(t, (unsigned int)i);
		if (t->server < 0 && is_shortage(err)) {
			wait_for_room(t, err);
			return;
		}
		if (!err) {
			tunnel_open(t);
			return;
		}
		if (err == -EINPROGRESS) {
			wait_for(t);
			return;
		}
		busy |= err == -EAGAIN;
		fail(t, -err);
	}
	if (busy && p->now_ms < t->give_up_ms)
		deadline_set(&p->retries, &t->deadline, p->now_ms);
	else
		tunnel_end(t, PROXY_NO_BACKEND, -ECONNREFUSED);
}
