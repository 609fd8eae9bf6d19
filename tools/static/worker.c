// SPDX-License-Identifier: MIT
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "client.h"

#define IDLE_S 30 /* for a request to come, or a response to move */
#define FIRST_S 5 /* for a client's first request, while we stop */
#define REST_MS 1000 /* while we stop, until the last is handed off to us */
#define TICK_MS 500
#define EVENTS 64

struct worker {
	int root, epoll, queue_fd, signals;
	struct ktls_queue *queue;
	/* Longest without progress first, within a tick. */
	TAILQ_HEAD(, client) clients;
	bool listening, stopping;
	uint64_t rest_ns; /* what is handed off until then is ours, too */
	int status;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static time_t now_s(void)
{
	return now_ns() / 1000000000;
}

static int add(struct worker *w, int fd, uint32_t events, void *what)
{
	struct epoll_event event = {.events = events, .data.ptr = what};

	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Every worker waits for the one queue: a connection is to wake one of them. */
static void listen_again(struct worker *w)
{
	if (!w->listening && (!w->stopping || now_ns() < w->rest_ns))
		w->listening = !add(w, w->queue_fd, EPOLLIN | EPOLLEXCLUSIVE,
				    &w->queue_fd);
}

static void stop_listening(struct worker *w)
{
	epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->queue_fd, NULL);
	w->listening = false;
}

static void drop(struct worker *w, struct client *c)
{
	TAILQ_REMOVE(&w->clients, c, by_age);
	/*
	 * close() would not do it while ktlsd still has its copy of what it
	 * handed off: events would come for a client that is gone.
	 */
	epoll_ctl(w->epoll, EPOLL_CTL_DEL, c->conn.fd, NULL);
	client_free(c);
	/* That made room, if room was short. */
	listen_again(w);
}

/* While we stop: nothing of @c's is lost when it is closed now. */
static bool may_go(const struct client *c)
{
	return client_is_idle(c) && !(c->fresh && c->phase == REQUEST);
}

static void run(struct worker *w, struct client *c)
{
	const time_t before = c->since;
	struct epoll_event event = {.data.ptr = c};

	if (!client_run(c, w->root, now_s()) ||
	    (w->stopping && may_go(c))) {
		drop(w, c);
		return;
	}
	if (c->since != before) {
		TAILQ_REMOVE(&w->clients, c, by_age);
		TAILQ_INSERT_TAIL(&w->clients, c, by_age);
	}
	if (c->wants == c->armed)
		return;
	event.events = c->wants;
	if (epoll_ctl(w->epoll, c->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		      c->conn.fd, &event))
		drop(w, c);
	else
		c->armed = c->wants;
}

static void start_client(struct worker *w, struct ktls_conn *conn)
{
	struct client *c = client_new(conn, now_s());
	const int on = 1;

	if (!c) {
		close(ktls_release(conn));
		return;
	}
	/* Fails on a relay, which has no need of it. */
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->last = w->stopping;
	TAILQ_INSERT_TAIL(&w->clients, c, by_age);
	run(w, c);
}

/* One whose TLS is still to be spoken, which we do not. */
static void refuse_plain(const struct ktls_conn *conn)
{
	static bool said;

	if (!said)
		fprintf(stderr, "ktls-static: this route has tls: passthrough, "
				"and we do not speak TLS: closing its "
				"connections\n");
	said = true;
	close(conn->fd);
}

/*
 * One at a time: the others are awake for theirs. Returns when it was handed
 * off, or 0.
 */
static uint64_t on_queue(struct worker *w)
{
	struct ktls_conn conn;
	struct ktls_info info;
	const int rc = ktls_accept(w->queue, &conn, &info,
				   SOCK_NONBLOCK | SOCK_CLOEXEC);

	switch (rc) {
	case 0:
		if (conn.mode == KTLS_PLAIN)
			refuse_plain(&conn);
		else
			start_client(w, &conn);
		break;
	case -EMFILE:
		/* What waits stays in the queue, for us or for others. */
		stop_listening(w);
		break;
	case -EPIPE:
		stop_listening(w);
		/* Without ktlsd the registrar's was the last write end. */
		if (w->stopping)
			break;
		fprintf(stderr, "ktls-static: the queue was shut down\n");
		w->stopping = true;
		w->status = 1;
		break;
	}
	return rc ? 0 : info.handoff_ns;
}

/* Each has its answer, if it has asked; from then on none is waited for. */
static void stop(struct worker *w)
{
	struct client *c, *next;

	if (w->stopping)
		return;
	w->stopping = true;
	w->rest_ns = now_ns() + REST_MS * UINT64_C(1000000);
	for (c = TAILQ_FIRST(&w->clients); c; c = next) {
		next = TAILQ_NEXT(c, by_age);
		c->last = true;
		/* Its next request may have come. */
		run(w, c);
	}
}

/*
 * What is handed off before ktlsd's workers know that we are going is served:
 * nobody may come after us, and while there is no ktlsd the queue ends with its
 * last consumer. What comes later is for whoever is there: see handoff(7).
 */
static void take_rest(struct worker *w)
{
	uint64_t handoff_ns;

	if (!w->stopping || !w->listening || now_ns() < w->rest_ns)
		return;
	do
		handoff_ns = on_queue(w);
	while (handoff_ns && handoff_ns < w->rest_ns);
	stop_listening(w);
}

static void expire(struct worker *w)
{
	const time_t oldest = now_s() - IDLE_S, first = now_s() - FIRST_S;
	struct client *c, *next;

	while ((c = TAILQ_FIRST(&w->clients)) && c->since < oldest)
		drop(w, c);
	for (c = TAILQ_FIRST(&w->clients); c && w->stopping; c = next) {
		next = TAILQ_NEXT(c, by_age);
		if (c->fresh && c->since < first)
			drop(w, c);
	}
}

static void dispatch(struct worker *w, const struct epoll_event *events, int n)
{
	bool stopped = false;

	for (int i = 0; i < n; i++)
		if (events[i].data.ptr == &w->signals)
			stopped = true;
		else if (events[i].data.ptr == &w->queue_fd)
			on_queue(w);
		else
			run(w, events[i].data.ptr);
	/* Last, for it drops clients that other events speak of. */
	if (stopped)
		stop(w);
}

static int init(struct worker *w)
{
	sigset_t signals;

	TAILQ_INIT(&w->clients);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	w->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!w->queue || w->signals < 0 || w->epoll < 0 ||
	    add(w, w->signals, EPOLLIN, &w->signals))
		return -1;
	listen_again(w);
	return w->listening ? 0 : -1;
}

int worker_run(int root, int queue_fd, unsigned int hold_ms)
{
	struct worker w = {
		.root = root,
		.queue_fd = queue_fd,
		.queue = ktls_queue_new(queue_fd, hold_ms),
	};
	struct epoll_event events[EVENTS];
	int n;

	if (init(&w)) {
		fprintf(stderr, "ktls-static: worker: %s\n", strerror(errno));
		return 1;
	}
	while (!w.stopping || w.listening || !TAILQ_EMPTY(&w.clients)) {
		n = epoll_wait(w.epoll, events, EVENTS, TICK_MS);
		dispatch(&w, events, n);
		expire(&w);
		take_rest(&w);
		if (!n)
			listen_again(&w);
	}
	ktls_queue_free(w.queue);
	return w.status;
}
