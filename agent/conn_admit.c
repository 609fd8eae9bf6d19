/* SPDX-License-Identifier: MIT */
/*
 * From accept to the handshake: who is it, and is there room for this client?
 */
#include <errno.h>

#include "conn_parts.h"
#include "conn_slab.h"
#include "log.h"
#include "prefix.h"
#include "proxy_header.h"
#include "worker.h"

_Static_assert(CONN_BUFFER >= PROXY_HEADER_MAX, "a header fits the buffer");

static void log_refused(struct conn *c, enum metric id, const char *reason,
			const char *error)
{
	conn_count(c, id);
	log_debug("event=refused peer=%s reason=%s error=\"%s\"", conn_peer(c),
		  reason, error);
}

static void refuse(struct conn *c, enum metric id, const char *reason,
		   const char *error)
{
	log_refused(c, id, reason, error);
	conn_free(c);
}

/* What is left must do for the accept of each listener. */
static bool is_slab_full(const struct worker *w)
{
	return w->slab.used + w->slab.promised + w->config->n_listeners >=
	       w->slab.size;
}

static uint64_t since(const struct deadline_list *list,
		      const struct deadline *d)
{
	return d->at_ms - list->after_ms;
}

/*
 * An honest client needs some round trips, so whoever has been at it for the
 * longest is the least likely to be one. The same goes for those from whom
 * there is no header yet.
 */
static void evict_oldest(struct worker *w)
{
	struct deadline_list *list = &w->handshakes;
	struct deadline *d = deadline_oldest(list), *other;
	size_t i;

	for (i = 0; i < w->config->n_listeners; i++) {
		other = deadline_oldest(&w->listeners[i].headers);
		if (other && (!d || since(&w->listeners[i].headers, other) <
				    since(list, d))) {
			list = &w->listeners[i].headers;
			d = other;
		}
	}
	if (d)
		conn_give_up(container_of(d, struct conn, deadline),
			     METRIC_FAILED_EVICTED, "evicted",
			     "it has taken the longest, and others wait");
}

/*
 * When every slot is taken, by those who take the most: connections that wait
 * for one route's consumer must not shut out the clients of all others.
 */
static void make_room(struct worker *w)
{
	unsigned int most = w->limits.in_flight;
	struct queue *longest = NULL;
	size_t i;

	for (i = 0; i < w->config->n_routes; i++) {
		struct queue *q = &w->routes[i].queue;

		if (q->n_waiting > most) {
			most = q->n_waiting;
			longest = q;
		}
	}
	if (longest)
		queue_drop(longest);
	else
		evict_oldest(w);
}

void conn_leave(struct conn *c)
{
	if (c->in_flight)
		limits_end(&c->worker->limits);
	if (c->joined)
		limits_leave(&c->worker->limits, &c->peer);
	c->in_flight = c->joined = false;
}

/* From here on it is in flight, perhaps in the place of another. */
static void begin(struct conn *c)
{
	struct worker *w = c->worker;

	c->in_flight = true;
	if (limits_begin(&w->limits))
		evict_oldest(w);
	else if (is_slab_full(w))
		make_room(w);
}

/* Now @c->peer is the client. Returns false after refusing it. */
static bool join(struct conn *c)
{
	c->joined = limits_join(&c->worker->limits, &c->peer);
	if (!c->joined)
		refuse(c, METRIC_REFUSED_CLIENT, "client_limit",
		       "handshakes_per_client is reached");
	return c->joined;
}

static void recv_header(struct conn *c);

/* The header is over; @header is what it says. */
static void take_header(struct conn *c, const struct proxy_header *header)
{
	if (header->source.ss_family != AF_UNSPEC) {
		c->peer = header->source;
		c->local = header->destination;
	}
	if (conn_choose_early(c) && join(c))
		conn_shake_hands(c);
}

static void on_header(struct ring_op *op, int result)
{
	struct conn *c = container_of(op, struct conn, op);
	uint8_t *unread = conn_buffer(c) + c->header_len;
	struct proxy_header header;
	int err;

	if (c->state == CONN_DEAD) {
		conn_free(c);
		return;
	}
	if (result <= 0 && !c->header_len) {
		conn_peer_gone(c, result);
		return;
	}
	if (result <= 0) {
		refuse(c, METRIC_REFUSED_HEADER, "proxy_header",
		       "it ends within the header");
		return;
	}
	err = proxy_header_parse(&header, conn_buffer(c),
				 c->header_len + (size_t)result);
	if (err == -EAGAIN) {
		conn_consume(c, unread, (size_t)result);
		c->header_len += (unsigned int)result;
		recv_header(c);
	} else if (err) {
		refuse(c, METRIC_REFUSED_HEADER, "proxy_header",
		       err == -EMSGSIZE ? "the header is too long" :
					  "it does not begin with a header");
	} else {
		conn_consume(c, unread, header.len - c->header_len);
		take_header(c, &header);
	}
}

/*
 * What follows the header is the client's, and stays where it is. So bytes are
 * only looked at, until it is known that they belong to the header.
 */
static void recv_header(struct conn *c)
{
	c->op.done = on_header;
	io_uring_prep_recv(ring_prepare(&c->worker->ring, &c->op), c->fd,
			   conn_buffer(c) + c->header_len,
			   CONN_BUFFER - c->header_len, MSG_PEEK);
}

void conn_header_due(struct deadline *d)
{
	struct conn *c = container_of(d, struct conn, deadline);

	log_refused(c, METRIC_REFUSED_HEADER_LATE, "proxy_timeout",
		    "no whole header came in time");
	conn_cut(c);
}

/* A Unix socket's mode says already who may speak for others. */
static bool sends_header(const struct conn *c)
{
	const struct config_accept_proxy *p =
		&c->listener->config->accept_proxy;

	return p->from.n && (listener_is_local(c->listener) ||
			     prefix_among(&p->from, &c->peer));
}

void conn_admit(struct conn *c)
{
	const struct config_accept_proxy *p =
		&c->listener->config->accept_proxy;

	if (sends_header(c)) {
		begin(c);
		c->state = CONN_HEADER;
		deadline_set(&c->listener->headers, &c->deadline,
			     c->worker->now_ms);
		recv_header(c);
	} else if (p->from.n && p->others_refuse) {
		refuse(c, METRIC_REFUSED_DIRECT, "no_proxy",
		       "it is none of those that accept_proxy names");
	} else if (conn_choose_early(c) && join(c)) {
		/* In this order: who is refused takes nobody's place. */
		begin(c);
		conn_shake_hands(c);
	}
}
