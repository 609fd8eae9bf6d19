/* SPDX-License-Identifier: MIT */
/*
 * A ClientHello that may be for somebody else to read is only looked at, until
 * it is known for whom it is.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "conn_parts.h"
#include "worker.h"

/* The longest ClientHello that may be configured, and its records' headers. */
#define PEEK_MAX (160 * 1024)

#define RECORD_HEADER 5

/* Longer ones need more than the buffer that a socket begins with. */
#define ROOMY (16 * 1024)

/*
 * Each look begins with the first byte: who sends a ClientHello in more pieces
 * than an honest client does is looked at no more often than this, in ns.
 */
#define LOOKS_MAX 32
#define REST_NS 20000000

/* Read and used within one call, so one is enough for all. */
static uint8_t hello[PEEK_MAX];

static void on_readable(struct ring_op *op, int result);

static void set_low_mark(struct conn *c, int bytes)
{
	setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

/*
 * From how many bytes on the socket is readable. Its buffer has room for about
 * 64 KiB until somebody reads from it, but grows with the mark, and does not
 * shrink with it.
 */
static void set_patience(struct conn *c, size_t bytes)
{
	if (bytes > ROOMY)
		set_low_mark(c, 2 * PEEK_MAX);
	set_low_mark(c, (int)bytes);
	c->patient = bytes > 1;
}

/*
 * How much has to be there before looking again is of any use: the record whole
 * whose beginning was seen (RFC 8446 5.1), or just more.
 */
static size_t enough(size_t seen)
{
	size_t end = 0;

	while (end + RECORD_HEADER <= seen)
		end += RECORD_HEADER + (size_t)(hello[end + 3] << 8 |
						hello[end + 4]);
	if (end <= seen)
		end = seen + 1;
	return end < PEEK_MAX ? end : PEEK_MAX;
}

static void await(struct conn *c)
{
	c->op.done = on_readable;
	io_uring_prep_poll_add(ring_prepare(&c->worker->ring, &c->op), c->fd,
			       POLLIN | POLLRDHUP);
}

static void on_rested(struct ring_op *op, int result)
{
	struct conn *c = container_of(op, struct conn, op);

	(void)result;
	if (c->state == CONN_DEAD)
		conn_free(c);
	else
		await(c);
}

static void rest(struct conn *c)
{
	static struct __kernel_timespec time = { .tv_nsec = REST_NS };

	c->op.done = on_rested;
	io_uring_prep_timeout(ring_prepare(&c->worker->ring, &c->op), &time, 0,
			      0);
}

/* It is for us. */
static void take(struct conn *c)
{
	c->peeking = false;
	conn_consume(c, hello, c->fed);
	if (conn_attach(c))
		conn_flush(c);
}

static void look(struct conn *c, size_t seen)
{
	c->fed += conn_feed(c, hello + c->fed, seen - c->fed);
	if (c->step == HS_MORE && c->route == CONFIG_DENY && seen < PEEK_MAX) {
		set_patience(c, enough(seen));
		if (c->looks++ < LOOKS_MAX)
			await(c);
		else
			rest(c);
		return;
	}
	if (c->patient)
		set_patience(c, 1);
	if (c->step == HS_MORE && c->route == CONFIG_DENY) {
		hs_abort(c->hs, ALERT_ILLEGAL_PARAMETER);
		conn_fail(c, HS_F_HELLO, "the ClientHello is too long");
	}
	if (c->step == HS_MORE)
		take(c);
	else
		conn_flush(c);
}

static void on_readable(struct ring_op *op, int result)
{
	struct conn *c = container_of(op, struct conn, op);
	ssize_t n = -1;

	if (c->state == CONN_DEAD) {
		conn_free(c);
		return;
	}
	if (result >= 0)
		n = recv(c->fd, hello, sizeof(hello), MSG_PEEK | MSG_DONTWAIT);
	if (n > 0 && (size_t)n > c->fed)
		look(c, (size_t)n);
	else if (result < 0)
		conn_peer_gone(c, result);
	else if (n < 0 && errno != EAGAIN)
		conn_peer_gone(c, -errno);
	else if (!n || result & (POLLRDHUP | POLLHUP | POLLERR))
		conn_peer_gone(c, 0);
	else
		rest(c);	/* the kernel is short of memory, or it is Unix's */
}

void conn_peek(struct conn *c)
{
	await(c);
}
