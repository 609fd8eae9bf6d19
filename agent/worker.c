/* SPDX-License-Identifier: MIT */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "clock.h"
#include "conn.h"
#include "log.h"
#include "relay.h"
#include "rules.h"

/*
 * How long a connection may wait that a stopped worker was woken for: as long as
 * it is since one came, so that who has nothing to do sleeps, within these.
 */
#define CHECK_MIN_MS 100
#define CHECK_MAX_MS 500

static uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct ktls_bytes worker_unique_id(struct worker *w)
{
	uint64_t count;

	memcpy(&count, w->unique_id + 8, sizeof(count));
	count++;
	memcpy(w->unique_id + 8, &count, sizeof(count));
	return (struct ktls_bytes){ w->unique_id, sizeof(w->unique_id) };
}

static void stop(struct worker *w)
{
	size_t i;

	if (w->stopping)
		return;
	w->stopping = true;
	w->stop_by_ms = w->now_ms + w->config->drain_timeout_ms;
	for (i = 0; i < w->config->n_listeners; i++)
		listener_stop(&w->listeners[i]);
}

/* Without a descriptor free here the kernel leaves a message's behind. */
static void add_queue(struct worker *w, const struct channel_msg *msg, int fd)
{
	const char *error = "its descriptor was lost: too many open files";

	if (fd >= 0) {
		if (!queue_add(&w->routes[msg->route].queue, msg->id, fd))
			return;
		error = "the route has too many queues";
	}
	log_error("event=queue_refused route=%s queue=%llu error=\"%s\"",
		  w->config->routes[msg->route].name,
		  (unsigned long long)msg->id, error);
}

/* A handshake that copies the old one has done so, or has not begun to. */
static void take_staple(struct worker *w, const struct channel_in *in)
{
	const struct channel_staple *staple = &in->staple;
	struct channel_msg answer = {
		.type = CHANNEL_STAPLE_TAKEN,
		.id = staple->id,
	};
	struct hs_cert *cert = staple->cert < w->certs->n ?
			       w->certs->cert[staple->cert] : NULL;

	if (!cert || staple->depth >= hs_cert_depths(cert) ||
	    hs_cert_set_staple(cert, staple->depth, in->der, &staple->times))
		answer.type = CHANNEL_STAPLE_LOST;
	channel_send(w->channel, &answer, -1);
}

static void take_message(struct worker *w, struct channel_in *in, int fd)
{
	const struct channel_msg *msg = &in->msg;
	bool known = msg->route < w->config->n_routes;

	switch (msg->type) {
	case CHANNEL_STAPLE:
		take_staple(w, in);
		break;
	case CHANNEL_TICKETS:
		hs_tickets_set(w->tickets, &in->tickets.keys);
		channel_wipe(in);
		break;
	case CHANNEL_ACCEPT:
		w->accepting = true;
		break;
	case CHANNEL_LEAVE:
		if (msg->id < w->config->n_listeners)
			listener_leave(&w->listeners[msg->id]);
		break;
	case CHANNEL_STOP:
		stop(w);
		break;
	case CHANNEL_QUEUE_ADD:
		if (known)
			add_queue(w, msg, fd);
		break;
	case CHANNEL_QUEUE_REMOVE:
		if (known)
			queue_remove(&w->routes[msg->route].queue, msg->id);
		break;
	case CHANNEL_ROUTE_UP:
	case CHANNEL_ROUTE_DOWN:
		if (known)
			w->routes[msg->route].down =
				msg->type == CHANNEL_ROUTE_DOWN;
		break;
	}
}

static void watch_channel(struct worker *w);

static void on_channel(struct ring_op *op, int result)
{
	struct worker *w = container_of(op, struct worker, channel_op);
	static struct channel_in in;
	int n, fd;

	(void)result;
	while ((n = channel_recv(w->channel, &in, &fd)) == 1)
		take_message(w, &in, fd);
	if (n == -EAGAIN)
		watch_channel(w);
	else
		stop(w);	/* master is gone */
}

static void watch_channel(struct worker *w)
{
	w->channel_op.done = on_channel;
	io_uring_prep_poll_add(ring_prepare(&w->ring, &w->channel_op),
			       w->channel, POLLIN);
}

static void on_broken(struct queue *q, uint64_t id)
{
	struct worker_route *route =
		container_of(q, struct worker_route, queue);
	struct channel_msg msg = {
		.type = CHANNEL_QUEUE_BROKEN,
		.route = route->index,
		.id = id,
	};

	channel_send(route->worker->channel, &msg, -1);
}

/* Load balancers keep some ready that may never have a client. */
static void give_up_headers(struct worker *w)
{
	size_t i;

	for (i = 0; i < w->config->n_listeners; i++)
		deadline_run(&w->listeners[i].headers, UINT64_MAX);
}

/*
 * drain_timeout is over: nothing waits for a consumer or a header, and no relay
 * goes on.
 */
static void give_up(struct worker *w)
{
	unsigned int i;

	give_up_headers(w);
	for (i = 0; i < w->config->n_routes; i++)
		queue_flush(&w->routes[i].queue, UINT64_MAX);
	for (i = 0; i < w->slab.size; i++)
		if (w->slab.conns[i].state == CONN_RELAY)
			relay_cut(w->slab.conns[i].relay);
}

static uint64_t check_after_ms(const struct worker *w)
{
	uint64_t idle = w->now_ms - w->accepted_ms;

	if (idle < CHECK_MIN_MS)
		return CHECK_MIN_MS;
	return idle < CHECK_MAX_MS ? idle : CHECK_MAX_MS;
}

/* Returns when to do it again. */
static uint64_t look_after_listeners(struct worker *w)
{
	uint64_t next;
	bool check = w->now_ms >= w->next_check_ms;
	size_t i;

	if (check)
		w->next_check_ms = w->now_ms + check_after_ms(w);
	for (i = 0; i < w->config->n_listeners; i++) {
		struct listener *l = &w->listeners[i];

		if (check && l->armed)
			listener_check(l);
		else if (check || !(l->paused || l->shut))
			listener_arm(l);
	}
	next = limits_accept_at(&w->limits, w->now_ms);
	return next ? clock_earlier(next, w->next_check_ms) : w->next_check_ms;
}

static bool is_over(const struct worker *w)
{
	return w->stopping && !w->slab.used && !w->slab.promised;
}

/* Once every accept under way has ended. */
static void say_left(struct worker *w)
{
	if (w->left || w->slab.promised)
		return;
	w->left = true;
	channel_send(w->channel, &(struct channel_msg){ CHANNEL_LEFT, 0, 0 },
		     -1);
}

/*
 * Who was in time is not late because we are, who had no CPU for a while: what
 * waits to be heard may be what a deadline is about. Returns the next one.
 */
static uint64_t run_deadlines(struct worker *w)
{
	uint64_t next = clock_earlier(deadline_run(&w->handshakes, w->heard_ms),
				      deadline_run(&w->closing, w->heard_ms));
	size_t i;

	for (i = 0; i < w->config->n_listeners; i++)
		next = clock_earlier(next,
				     deadline_run(&w->listeners[i].headers,
						  w->heard_ms));
	return next;
}

/* What time has brought; returns how long to wait for the next thing, in ms. */
static int64_t run_timers(struct worker *w)
{
	uint64_t next, now;
	size_t i;

	next = run_deadlines(w);
	/* All that has come by now is heard when we have waited. */
	now = w->heard_ms = w->now_ms = monotonic_ms();
	for (i = 0; i < w->config->n_routes; i++)
		next = clock_earlier(next,
				     queue_flush(&w->routes[i].queue, now));
	if (w->stopping) {
		say_left(w);
		if (now >= w->stop_by_ms)
			give_up(w);
		else
			next = clock_earlier(next, w->stop_by_ms);
	} else if (w->accepting) {
		next = clock_earlier(next, look_after_listeners(w));
	}
	/* What was given up above may have been the last: nothing would wake us. */
	if (is_over(w))
		return 0;
	if (next == UINT64_MAX)
		return -1;
	return next > now ? (int64_t)(next - now) : 0;
}

static int init_routes(struct worker *w)
{
	size_t i;

	w->routes = calloc(w->config->n_routes, sizeof(*w->routes));
	if (!w->routes)
		return -ENOMEM;
	for (i = 0; i < w->config->n_routes; i++) {
		struct worker_route *route = &w->routes[i];

		route->worker = w;
		route->index = (unsigned int)i;
		queue_init(&route->queue);
		route->queue.hold_ms = w->config->routes[i].hold_timeout_ms;
		route->queue.metrics = w->metrics;
		route->queue.broken = on_broken;
	}
	return 0;
}

static int init_listeners(struct worker *w, const struct worker_setup *setup)
{
	size_t i;

	w->listeners = calloc(w->config->n_listeners, sizeof(*w->listeners));
	if (!w->listeners)
		return -ENOMEM;
	for (i = 0; i < w->config->n_listeners; i++) {
		struct listener *l = &w->listeners[i];

		l->worker = w;
		l->config = &w->config->listeners[i];
		deadline_list_init(&l->headers,
				   l->config->accept_proxy.timeout_ms,
				   conn_header_due);
		l->ctx = setup->certs->contexts[i];
		l->fd = setup->listener_fds[i];
		l->rules = rules_new(l->config, w->config->routes);
		if (!l->rules)
			return -ENOMEM;
	}
	return 0;
}

static int init(struct worker *w, const struct worker_setup *setup)
{
	int err;

	deadline_list_init(&w->handshakes, w->config->handshake_timeout_ms,
			   conn_handshake_due);
	deadline_list_init(&w->closing, WORKER_LINGER_MS, conn_closing_due);
	if (getrandom(w->unique_id, 8, 0) != 8)
		return -errno;
	err = conn_slab_init(&w->slab, setup->slots);
	if (!err)
		err = limits_init(&w->limits, &w->config->limits,
				  w->config->workers, setup->slots);
	if (!err)
		err = init_routes(w);
	if (!err)
		err = init_listeners(w, setup);
	if (!err)
		err = ring_init(&w->ring);
	return err;
}

static void fini(struct worker *w)
{
	size_t i;
	unsigned int j;

	ring_fini(&w->ring);
	for (i = 0; i < w->config->n_routes; i++)
		for (j = 0; j < w->routes[i].queue.n_ends; j++)
			close(w->routes[i].queue.end[j].fd);
	conn_slab_fini(&w->slab);
	limits_fini(&w->limits);
	for (i = 0; i < w->config->n_listeners; i++)
		rules_free(w->listeners[i].rules);
	free(w->listeners);
	free(w->routes);
	close(w->channel);
}

int worker_run(const struct worker_setup *setup)
{
	struct worker w = {
		.config = setup->config,
		.certs = setup->certs,
		.tickets = setup->tickets,
		.support = setup->support,
		.metrics = setup->metrics,
		.channel = setup->channel,
	};
	int err = init(&w, setup);

	keylog_use(setup->keylog);
	if (err) {
		log_error("event=worker_failed error=\"%s\"", strerror(-err));
		return 1;
	}
	watch_channel(&w);
	channel_send(w.channel, &(struct channel_msg){ CHANNEL_READY, 0, 0 },
		     -1);
	while (!err && !is_over(&w)) {
		err = ring_wait(&w.ring, run_timers(&w));
		/* What begins now has its time from now on. */
		w.now_ms = monotonic_ms();
		ring_call_back(&w.ring);
	}
	if (err)
		log_error("event=ring_failed error=\"%s\"", strerror(-err));
	fini(&w);
	return err ? 1 : 0;
}
