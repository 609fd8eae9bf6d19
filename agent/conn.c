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

#include "handshake/info.h"
#include "ktls/install.h"
#include "ktls/message.h"
#include "log.h"
#include "relay.h"
#include "worker.h"

/* What a peer may still send, in bytes, after it was told of its failure. */
#define LINGER_BYTES (64 * 1024)

/* RFC 8446 6. */
#define ALERT_INTERNAL_ERROR 80

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
static void flush_output(struct conn *c);

static size_t slot(const struct conn *c)
{
	return (size_t)(c - c->worker->slab.conns);
}

static uint8_t *buffer(const struct conn *c)
{
	return c->worker->slab.buffers + slot(c) * CONN_BUFFER;
}

void conn_free(struct conn *c)
{
	deadline_clear(&c->deadline);
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

static void count(struct conn *c, enum metric id)
{
	metrics_count(c->worker->metrics, id);
}

static void log_failure(struct conn *c, const char *reason, const char *error)
{
	log_debug("event=handshake_failed peer=%s reason=%s error=\"%s\"",
		  conn_peer(c), reason, error);
}

/* The peer went away; @error is 0 or negative. */
static void peer_gone(struct conn *c, int error)
{
	bool probe = !c->hs;

	count(c, probe ? METRIC_FAILED_PROBE : METRIC_FAILED_TRUNCATED);
	log_failure(c, probe ? "probe" : "truncated",
		    error ? strerror(-error) : "the peer closed");
	conn_free(c);
}

/* After this the operation in flight ends at once. */
static void cut(struct conn *c)
{
	shutdown(c->fd, SHUT_RDWR);
	c->state = CONN_DEAD;
}

void conn_handshake_due(struct deadline *d)
{
	struct conn *c = container_of(d, struct conn, deadline);

	/* One that failed is counted, and waits for its alert to be sent. */
	if (c->step != HS_FAIL) {
		count(c, METRIC_FAILED_TIMEOUT);
		log_failure(c, "timeout", "handshake_timeout is over");
	}
	cut(c);
}

void conn_closing_due(struct deadline *d)
{
	struct conn *c = container_of(d, struct conn, deadline);

	if (c->relay)
		relay_due(c->relay);
	else
		cut(c);
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
			   buffer(c), CONN_BUFFER, 0);
}

/*
 * Closing with input unread makes the kernel send a reset, which can overtake
 * the alert in the peer's receive queue: so read until the peer closes.
 */
static void linger(struct conn *c)
{
	struct worker *w = c->worker;

	c->state = CONN_CLOSING;
	c->handoff.msg_len = LINGER_BYTES;
	c->op.done = on_lingered;
	deadline_set(&w->closing, &c->deadline, w->now_ms);
	shutdown(c->fd, SHUT_WR);
	io_uring_prep_recv(ring_prepare(&w->ring, &c->op), c->fd, buffer(c),
			   CONN_BUFFER, 0);
}

static void fail(struct conn *c, enum hs_failure failure, const char *error)
{
	count(c, failures[failure].metric);
	if (failure == HS_F_STAPLE)
		count(c, METRIC_STAPLE_REFUSED);
	log_failure(c, failures[failure].reason, error);
	c->step = HS_FAIL;
}

static void count_handshake(struct conn *c, const struct hs_info *info,
			    enum metric relayed)
{
	static const enum metric staples[] = {
		[HS_STAPLE_SENT] = METRIC_STAPLE_SENT,
		[HS_STAPLE_EXPIRED] = METRIC_STAPLE_EXPIRED,
		[HS_STAPLE_NOT_YET] = METRIC_STAPLE_NOT_YET,
		[HS_STAPLE_NONE] = METRIC_STAPLE_NONE,
	};

	count(c, info->version == KTLS_TLS13 ? METRIC_HANDSHAKES_TLS13 :
					       METRIC_HANDSHAKES_TLS12);
	if (info->resumed)
		count(c, METRIC_HANDSHAKES_RESUMED);
	if (relayed != METRIC_COUNT)
		count(c, relayed);
	if (info->staple != HS_STAPLE_NOT_ASKED)
		count(c, staples[info->staple]);
}

/* Why the kernel does not take this connection over; METRIC_COUNT: it does. */
static enum metric why_relayed(const struct worker *w,
			       const struct hs_info *info)
{
	if (w->config->ktls == CONFIG_KTLS_OFF)
		return METRIC_RELAYED_OFF;
	if (!w->support.pairs)
		return METRIC_RELAYED_UNAVAILABLE;
	if (info->max_fragment && !w->support.max_payload)
		return METRIC_RELAYED_MAX_FRAGMENT;
	return METRIC_COUNT;
}

static int install_keys(struct conn *c)
{
	struct ktls_keys keys;
	int err;

	err = hs_keys(c->hs, &keys);
	if (!err)
		err = ktls_install(c->fd, &keys);
	explicit_bzero(&keys, sizeof(keys));
	return err;
}

static struct ktls_bytes text(const char *s)
{
	return (struct ktls_bytes){ (const uint8_t *)s, strlen(s) };
}

static int write_message(struct conn *c, const struct hs_info *hs,
			 enum ktls_mode mode)
{
	struct ktls_info info = {
		.peer = c->peer,
		.mode = mode,
		.resumed = hs->resumed,
		.alpn = { hs->alpn, hs->alpn_len },
		.server_name = text(hs->server_name),
		.unique_id = worker_unique_id(c->worker),
		.version = text(hs->version_name),
		.cipher = text(hs->cipher),
		.group = text(hs->group),
		.key_alg = text(hs->key_alg),
		.cert_sig_alg = text(hs->cert_sig_alg),
		.sig_scheme = text(hs->sig_scheme),
	};
	socklen_t len = sizeof(info.local);
	struct timespec now;
	ssize_t n;

	if (getsockname(c->fd, (struct sockaddr *)&info.local, &len))
		return -errno;
	clock_gettime(CLOCK_MONOTONIC, &now);
	info.handoff_ns = (uint64_t)now.tv_sec * 1000000000 +
			  (uint64_t)now.tv_nsec;
	n = ktls_msg_encode(&info, buffer(c), CONN_BUFFER);
	if (n < 0)
		return (int)n;
	c->handoff.msg = buffer(c);
	c->handoff.msg_len = (size_t)n;
	return 0;
}

static void on_handed_off(struct handoff *handoff, int result)
{
	struct conn *c = container_of(handoff, struct conn, handoff);

	if (!result)
		count(c, c->relay ? METRIC_HANDED_OFF_RELAY :
				    METRIC_HANDED_OFF_KTLS);
	else
		log_warn("event=handoff_expired peer=%s route=%s remedy=\"start "
			 "a consumer, or raise hold_timeout\"", conn_peer(c),
			 c->worker->config->routes[c->listener->route].name);
	if (!c->relay)
		conn_free(c);
	else if (!result)
		relay_start(c->relay);
	else
		relay_cut(c->relay);
}

/* ktls: require, and this connection asks for what the kernel cannot. */
static void refuse(struct conn *c)
{
	hs_abort(c->hs, ALERT_INTERNAL_ERROR);
	fail(c, HS_F_INTERNAL, "the kernel cannot take it over, for its "
	     "max_fragment_length, and the configuration has ktls: require");
	flush_output(c);
}

/* Gives the keys to the kernel, or the consumer's end to the relay. */
static int make_handoff(struct conn *c, const struct hs_info *info,
			enum metric relayed)
{
	bool kernel = relayed == METRIC_COUNT;
	int err;

	err = write_message(c, info, kernel ? KTLS_KERNEL : KTLS_RELAY);
	if (err)
		return err;
	if (!kernel) {
		c->relay = relay_at(c->worker->slab.relays, slot(c));
		return relay_new(c->relay, c, &c->handoff.fd);
	}
	err = install_keys(c);
	c->handoff.fd = c->fd;
	hs_free(c->hs);
	c->hs = NULL;
	return err;
}

/* Every byte of the handshake is sent, none behind it is read. */
static void install(struct conn *c)
{
	struct worker *w = c->worker;
	enum metric relayed;
	struct hs_info info;
	int err;

	hs_get_info(c->hs, &info);
	relayed = why_relayed(w, &info);
	if (relayed != METRIC_COUNT && w->config->ktls == CONFIG_KTLS_REQUIRE) {
		refuse(c);
		return;
	}
	deadline_clear(&c->deadline);
	c->state = CONN_HANDOFF;
	err = make_handoff(c, &info, relayed);
	if (err) {
		count(c, METRIC_FAILED_INTERNAL);
		log_warn("event=install_failed peer=%s error=\"%s\"",
			 conn_peer(c), strerror(-err));
		conn_free(c);
		return;
	}
	count_handshake(c, &info, relayed);
	c->handoff.done = on_handed_off;
	queue_push(&w->routes[c->listener->route].queue, &c->handoff,
		   w->now_ms);
}

static void go_on(struct conn *c)
{
	if (c->step == HS_MORE)
		recv_handshake(c);
	else if (c->step == HS_DONE)
		install(c);
	else
		linger(c);
}

static void on_sent(struct ring_op *op, int result)
{
	struct conn *c = container_of(op, struct conn, op);

	if (c->state == CONN_DEAD) {
		conn_free(c);
		return;
	}
	if (result < 0 && c->step == HS_FAIL) {
		conn_free(c);	/* counted; the alert found nobody */
		return;
	}
	if (result < 0) {
		peer_gone(c, result);
		return;
	}
	hs_output_sent(c->hs, (size_t)result);
	flush_output(c);
}

static void flush_output(struct conn *c)
{
	struct ocsp_bytes out = hs_output(c->hs);

	if (!out.len) {
		go_on(c);
		return;
	}
	c->op.done = on_sent;
	c->flight_sent = true;
	io_uring_prep_send(ring_prepare(&c->worker->ring, &c->op), c->fd,
			   out.data, out.len, MSG_NOSIGNAL | MSG_WAITALL);
}

/* Takes bytes that were only looked at out of the receive queue. */
static void consume(struct conn *c, size_t len)
{
	while (len) {
		ssize_t n = recv(c->fd, NULL, len, MSG_TRUNC | MSG_DONTWAIT);

		if (n <= 0)
			return;	/* a reset; the next operation says so */
		len -= (size_t)n;
	}
}

static void on_recv(struct ring_op *op, int result)
{
	struct conn *c = container_of(op, struct conn, op);
	size_t used = 0;

	if (c->state == CONN_DEAD) {
		conn_free(c);
		return;
	}
	if (result <= 0) {
		peer_gone(c, result);
		return;
	}
	if (!c->hs)
		c->hs = hs_new(c->listener->ctx, NULL, NULL);
	if (!c->hs) {
		fail(c, HS_F_INTERNAL, "out of memory");
		linger(c);
		return;
	}
	c->step = hs_feed(c->hs, buffer(c), (size_t)result, time(NULL), &used);
	if (c->flight_sent)
		consume(c, used);
	if (c->step == HS_FAIL)
		fail(c, hs_failure(c->hs), hs_error(c->hs));
	flush_output(c);
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
			   buffer(c), CONN_BUFFER,
			   c->flight_sent ? MSG_PEEK : 0);
}

void conn_start(struct worker *w, struct listener *l, int fd,
		const struct sockaddr_storage *peer)
{
	struct conn *c = conn_slab_get(&w->slab);
	int err = 0;

	*c = (struct conn){
		.worker = w,
		.listener = l,
		.fd = fd,
		.peer = *peer,
		.state = CONN_HANDSHAKE,
		.handoff.fd = -1,
	};
	count(c, METRIC_ACCEPTED);
	/* Now, for once the peer's FIN is in the kernel refuses. */
	if (w->support.pairs)
		err = ktls_attach(fd);
	if (err == -ENOTCONN) {
		peer_gone(c, err);
		return;
	}
	if (err) {
		fail(c, HS_F_INTERNAL, strerror(-err));
		conn_free(c);
		return;
	}
	deadline_set(&w->handshakes, &c->deadline, w->now_ms);
	recv_handshake(c);
}
