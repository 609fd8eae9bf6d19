/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conn_parts.h"
#include "ktls/install.h"
#include "log.h"
#include "relay.h"
#include "worker.h"

/* What a peer may still send, in bytes, after it was told of its failure. */
#define LINGER_BYTES (64 * 1024)

static const struct {
	enum metric metric;
	const char *reason;
} failures[HS_FAILURES] = {
	[HS_F_NONE] = { METRIC_FAILED_INTERNAL, "internal" },
	[HS_F_HTTP] = { METRIC_FAILED_HTTP, "http" },
	[HS_F_SSLV2] = { METRIC_FAILED_SSLV2, "sslv2" },
	[HS_F_GARBAGE] = { METRIC_FAILED_GARBAGE, "garbage" },
	[HS_F_RECORD_OVERFLOW] = { METRIC_FAILED_RECORD_OVERFLOW,
				   "record_overflow" },
	[HS_F_ALERT] = { METRIC_FAILED_ALERT, "alert" },
	[HS_F_VERSION] = { METRIC_FAILED_VERSION, "version" },
	[HS_F_CIPHER] = { METRIC_FAILED_CIPHER, "cipher" },
	[HS_F_PROTOCOL] = { METRIC_FAILED_PROTOCOL, "protocol" },
	[HS_F_STAPLE] = { METRIC_FAILED_STAPLE, "staple" },
	[HS_F_HELLO] = { METRIC_FAILED_HELLO, "client_hello" },
	[HS_F_NAME] = { METRIC_FAILED_NAME, "server_name" },
	[HS_F_ALPN] = { METRIC_FAILED_ALPN, "alpn" },
	[HS_F_CLIENT] = { METRIC_FAILED_CLIENT, "client_certificate" },
	[HS_F_DENIED] = { METRIC_FAILED_DENIED, "access_denied" },
	[HS_F_INTERNAL] = { METRIC_FAILED_INTERNAL, "internal" },
};

static void recv_handshake(struct conn *c);

size_t conn_slot(const struct conn *c)
{
	return (size_t)(c - c->worker->slab.conns);
}

uint8_t *conn_buffer(const struct conn *c)
{
	return c->worker->slab.buffers + conn_slot(c) * CONN_BUFFER;
}

void conn_free(struct conn *c)
{
	deadline_clear(&c->deadline);
	conn_leave(c);
	conn_drop_message(c);
	hs_free(c->hs);
	if (c->handoff.fd >= 0 && c->handoff.fd != c->fd)
		close(c->handoff.fd);
	if (c->fd >= 0)
		close(c->fd);
	c->state = CONN_FREE;
	conn_slab_put(&c->worker->slab, c);
}

const char *conn_peer(const struct conn *c)
{
	static char text[INET6_ADDRSTRLEN + 10];
	const struct sockaddr_in *in = (const void *)&c->peer;
	const struct sockaddr_in6 *in6 = (const void *)&c->peer;
	char addr[INET6_ADDRSTRLEN] = "?";

	if (c->peer.ss_family == AF_UNIX)
		return "unix";
	if (c->peer.ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, addr, sizeof(addr));
		snprintf(text, sizeof(text), "%s:%u", addr,
			 ntohs(in->sin_port));
	} else {
		inet_ntop(AF_INET6, &in6->sin6_addr, addr, sizeof(addr));
		snprintf(text, sizeof(text), "[%s]:%u", addr,
			 ntohs(in6->sin6_port));
	}
	return text;
}

void conn_count(struct conn *c, enum metric id)
{
	metrics_count(c->worker->metrics, id);
}

static void log_failure(struct conn *c, const char *reason, const char *error)
{
	log_debug("event=handshake_failed peer=%s route=%s reason=%s "
		  "error=\"%s\"", conn_peer(c), conn_route_name(c), reason,
		  error);
}

/* The peer went away; @error is 0 or negative. */
void conn_peer_gone(struct conn *c, int error)
{
	bool probe = !c->hs;

	conn_count(c, probe ? METRIC_FAILED_PROBE : METRIC_FAILED_TRUNCATED);
	log_failure(c, probe ? "probe" : "truncated",
		    error ? strerror(-error) : "the peer closed");
	conn_free(c);
}

void conn_cut(struct conn *c)
{
	conn_leave(c);
	shutdown(c->fd, SHUT_RDWR);
	c->state = CONN_DEAD;
}

void conn_give_up(struct conn *c, enum metric id, const char *reason,
		  const char *error)
{
	deadline_clear(&c->deadline);
	/* One that failed is counted, and waits for its alert to be sent. */
	if (c->step != HS_FAIL) {
		conn_count(c, id);
		log_failure(c, reason, error);
	}
	conn_cut(c);
}

void conn_handshake_due(struct deadline *d)
{
	conn_give_up(container_of(d, struct conn, deadline),
		     METRIC_FAILED_TIMEOUT, "timeout",
		     "handshake_timeout is over");
}

void conn_closing_due(struct deadline *d)
{
	struct conn *c = container_of(d, struct conn, deadline);

	if (c->relay)
		relay_due(c->relay);
	else
		conn_cut(c);
}

static void on_lingered(struct ring_op *op, int result)
{
	struct conn *c = container_of(op, struct conn, op);

	/* handoff.msg_len counts down what is still put up with. */
	if (c->state == CONN_DEAD || result <= 0 ||
	    (size_t)result >= c->handoff.msg_len) {
		conn_free(c);
		return;
	}
	c->handoff.msg_len -= (size_t)result;
	io_uring_prep_recv(ring_prepare(&c->worker->ring, &c->op), c->fd,
			   conn_buffer(c), CONN_BUFFER, 0);
}

/*
 * Closing with input unread makes the kernel send a reset, which can overtake
 * the alert in the peer's receive queue: so read until the peer closes.
 */
static void linger(struct conn *c)
{
	struct worker *w = c->worker;

	conn_leave(c);
	c->state = CONN_CLOSING;
	c->handoff.msg_len = LINGER_BYTES;
	c->op.done = on_lingered;
	deadline_set(&w->closing, &c->deadline, w->now_ms);
	shutdown(c->fd, SHUT_WR);
	io_uring_prep_recv(ring_prepare(&w->ring, &c->op), c->fd,
			   conn_buffer(c), CONN_BUFFER, 0);
}

void conn_fail(struct conn *c, enum hs_failure failure, const char *error)
{
	conn_count(c, failures[failure].metric);
	if (failure == HS_F_STAPLE)
		conn_count(c, METRIC_STAPLE_REFUSED);
	log_failure(c, failures[failure].reason, error);
	c->step = HS_FAIL;
}

static void go_on(struct conn *c)
{
	if (c->step == HS_MORE)
		recv_handshake(c);
	else if (c->step == HS_DONE)
		conn_hand_off(c);
	else if (c->step == HS_PASS)
		conn_stopped(c);
	else
		linger(c);
}

/* @result: bytes of the output, or negative */
static void sent(struct conn *c, int result)
{
	if (result >= 0) {
		hs_output_sent(c->hs, (size_t)result);
		conn_flush(c);
	} else if (c->step == HS_FAIL) {
		conn_free(c);	/* counted; the alert found nobody */
	} else {
		conn_peer_gone(c, result);
	}
}

static void on_sent(struct ring_op *op, int result)
{
	struct conn *c = container_of(op, struct conn, op);

	if (c->state == CONN_DEAD)
		conn_free(c);
	else
		sent(c, result);
}

/*
 * A flight nearly always finds room in the socket, and goes at once. Only the
 * rest of one that does not is the ring's: each operation there takes another
 * round of it.
 */
void conn_flush(struct conn *c)
{
	struct ocsp_bytes out = { NULL, 0 };
	ssize_t n;

	if (c->hs)
		out = hs_output(c->hs);
	if (!out.len) {
		go_on(c);
		return;
	}
	c->flight_sent = true;
	n = send(c->fd, out.data, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0 || errno != EAGAIN) {
		sent(c, n >= 0 ? (int)n : -errno);
		return;
	}
	c->op.done = on_sent;
	io_uring_prep_send(ring_prepare(&c->worker->ring, &c->op), c->fd,
			   out.data, out.len, MSG_NOSIGNAL | MSG_WAITALL);
}

void conn_consume(struct conn *c, uint8_t *at, size_t len)
{
	/* MSG_TRUNC would spare the copy, but not on a Unix socket. */
	while (len) {
		ssize_t n = recv(c->fd, at, len, MSG_DONTWAIT);

		if (n <= 0)
			return;	/* a reset; the next operation says so */
		at += n;
		len -= (size_t)n;
	}
}

size_t conn_feed(struct conn *c, const uint8_t *in, size_t len)
{
	size_t used = 0;

	if (!c->hs)
		c->hs = hs_new(c->listener->ctx, conn_choose, c);
	if (!c->hs) {
		conn_fail(c, HS_F_INTERNAL, "out of memory");
		return 0;
	}
	c->step = hs_feed(c->hs, in, len, time(NULL), &used);
	if (c->step == HS_FAIL)
		conn_fail(c, hs_failure(c->hs), hs_error(c->hs));
	return used;
}

static void on_recv(struct ring_op *op, int result)
{
	struct conn *c = container_of(op, struct conn, op);
	size_t used;

	if (c->state == CONN_DEAD) {
		conn_free(c);
		return;
	}
	if (result <= 0) {
		conn_peer_gone(c, result);
		return;
	}
	used = conn_feed(c, conn_buffer(c), (size_t)result);
	if (c->flight_sent)
		conn_consume(c, conn_buffer(c), used);
	conn_flush(c);
}

/*
 * Before the server's first flight is out the client cannot know what its
 * Finished must hold, so everything may be read. From then on bytes are only
 * looked at, and what the handshake took is consumed: what lies behind the
 * Finished stays in the kernel, for TLS_RX to find.
 */
static void recv_handshake(struct conn *c)
{
	c->op.done = on_recv;
	io_uring_prep_recv(ring_prepare(&c->worker->ring, &c->op), c->fd,
			   conn_buffer(c), CONN_BUFFER,
			   c->flight_sent ? MSG_PEEK : 0);
}

bool conn_attach(struct conn *c)
{
	int err = 0;

	if (c->worker->support.pairs && !listener_is_local(c->listener))
		err = ktls_attach(c->fd);
	if (!err)
		return true;
	if (err == -ENOTCONN) {
		conn_peer_gone(c, err);
		return false;
	}
	conn_fail(c, HS_F_INTERNAL, strerror(-err));
	conn_free(c);
	return false;
}

void conn_shake_hands(struct conn *c)
{
	c->state = CONN_HANDSHAKE;
	/* Now if it can be, for once the peer's FIN is in the kernel refuses. */
	if (!c->peeking && !conn_attach(c))
		return;
	deadline_set(&c->worker->handshakes, &c->deadline, c->worker->now_ms);
	if (c->peeking)
		conn_peek(c);
	else
		recv_handshake(c);
}

void conn_start(struct worker *w, struct listener *l, int fd,
		const struct sockaddr_storage *peer)
{
	struct conn *c = conn_slab_get(&w->slab);

	*c = (struct conn){
		.worker = w,
		.listener = l,
		.fd = fd,
		.peer = *peer,
		.state = CONN_HANDSHAKE,
		.route = CONFIG_DENY,
		.handoff.fd = -1,
	};
	conn_count(c, METRIC_ACCEPTED);
	conn_admit(c);
}
