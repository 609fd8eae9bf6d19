/* SPDX-License-Identifier: MIT */
#include "route_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hello.h"
#include "ktls/descriptors.h"
#include "local.h"
#include "log.h"

/* Registrations per route at a time. */
#define REGISTRATIONS_MAX 256

/* A registration more or less; when it makes the difference, master hears. */
static void count_live(struct route *route, bool more)
{
	const struct route_events *events = route->queues.events;

	route->n_registrations += more ? 1 : -1;
	route_choose(route);
	if (route->n_registrations == (more ? 1 : 0))
		events->live(events->arg, route, more);
}

static void close_pair(const int fds[2])
{
	struct ktls_fds pair = { .n = 2, .fd = { fds[0], fds[1] } };

	ktls_close_fds(&pair);
}

void registration_free(struct registration *r)
{
	struct route *route = r->route;
	struct registration **p = &route->registrations;

	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	loop_remove(route->loop, &r->watch);
	local_close(r->watch.fd);
	if (r->state == REG_LIVE) {
		log_info("event=consumer_left route=%s pid=%d uid=%u",
			 route->config->name, (int)r->peer.pid, r->peer.uid);
		r->queue->registrations--;
		count_live(route, false);
	}
	free(r);
}

static void refuse(struct registration *r, enum ktls_reg_status status,
		   const char *text)
{
	log_warn("event=consumer_refused route=%s pid=%d uid=%u error=\"%s\"",
		 r->route->config->name, (int)r->peer.pid, r->peer.uid, text);
	hello_answer(r->watch.fd, status, text,
		     r->route->config->hold_timeout_ms, 0, NULL);
	registration_free(r);
}

static void go_live(struct registration *r, struct route_queue *q,
		    bool adopted)
{
	struct route *route = r->route;
	int fds[2] = { q->read_fd, q->write_fd };

	/* One that got no queue must not stand for a consumer. */
	if (hello_answer(r->watch.fd, adopted ? KTLS_REG_ADOPTED : KTLS_REG_OK,
			 "", route->config->hold_timeout_ms,
			 route->config->ipv6 ? KTLS_REG_IPV6 : 0,
			 adopted ? NULL : fds)) {
		registration_free(r);
		return;
	}
	r->state = REG_LIVE;
	r->queue = q;
	q->registrations++;
	log_info("event=consumer_registered route=%s pid=%d uid=%u queue=%llu "
		 "adopted=%d", route->config->name, (int)r->peer.pid,
		 r->peer.uid, (unsigned long long)q->id, adopted);
	count_live(route, true);
}

void registration_give(struct registration *r)
{
	struct route *route = r->route;
	struct route_queue *q = route_queue_live(&route->queues);

	if (!q)
		q = route_queue_idle(&route->queues);
	if (!q && loop_now_ms() < route->grace_until_ms) {
		r->state = REG_WAITS;
		r->due_ms = route->grace_until_ms;
		return;
	}
	if (!q)
		q = route_make_queue(route);
	if (q)
		go_live(r, q, false);
	else
		refuse(r, KTLS_REG_ERROR, "ktlsd cannot make a queue: out of "
		       "descriptors or memory");
}

/* Those that waited for an offer have one now. */
static void serve_waiting(struct route *route)
{
	struct registration *r, *next;

	for (r = route->registrations; r; r = next) {
		next = r->next;
		if (r->state == REG_WAITS)
			registration_give(r);
	}
}

/* A queue made of an offer, or the one that it is already; or a refusal. */
static struct route_queue *take_offer(struct registration *r, int fds[2])
{
	struct route_queues *queues = &r->route->queues;
	struct route_queue *q;
	char error[128];
	struct stat st;

	if (local_check_pair(fds[0], fds[1], error, sizeof(error)) ||
	    fstat(fds[0], &st)) {
		close_pair(fds);
		refuse(r, KTLS_REG_BAD_OFFER, error);
		return NULL;
	}
	q = route_queue_find(queues, st.st_ino);
	if (q || route_queues_full(queues)) {
		close_pair(fds);
		if (!q)
			refuse(r, KTLS_REG_ERROR, "the route has as many "
			       "queues as it may have");
		return q;
	}
	q = route_queue_new(queues, fds[0], fds[1]);
	if (!q)
		refuse(r, KTLS_REG_ERROR, "ktlsd is out of memory");
	return q;
}

static void adopt(struct registration *r, int fds[2])
{
	struct route *route = r->route;
	struct route_queue *q = take_offer(r, fds);

	if (!q)
		return;
	go_live(r, q, true);
	serve_waiting(route);
}

static bool may_register(const struct config_route *config, uid_t uid)
{
	size_t i;

	for (i = 0; i < config->n_allow_uids; i++)
		if (config->allow_uids[i] == uid)
			return true;
	return !config->n_allow_uids || uid == 0;
}

/*
 * Refused here and not when it connects: closing a socket that has not been
 * read destroys the answer.
 */
static void refuse_user(struct registration *r)
{
	char text[200];

	snprintf(text, sizeof(text), "uid %u may not register for route %s: "
		 "add it to the route's allow_uids", r->peer.uid,
		 r->route->config->name);
	refuse(r, KTLS_REG_REFUSED, text);
}

static void check_hello(struct registration *r, const struct ktls_hello *hello,
			ssize_t len, int fds[2], int n_fds)
{
	bool allowed = may_register(r->route->config, r->peer.uid);
	bool known = len == sizeof(*hello) &&
		     !memcmp(hello->magic, KTLS_REG_MAGIC,
			     sizeof(hello->magic));

	if (allowed && known && hello->version == KTLS_REG_VERSION) {
		if (n_fds)
			adopt(r, fds);
		else
			registration_give(r);
		return;
	}
	if (n_fds)
		close_pair(fds);
	if (!allowed)
		refuse_user(r);
	else
		refuse(r, KTLS_REG_BAD_VERSION, known ? "this ktlsd speaks "
		       "another version of the registration" :
		       "this is no registration; see handoff(7)");
}

static void on_registration(struct watch *w)
{
	struct registration *r = (struct registration *)w;
	struct ktls_hello hello;
	int fds[2], n_fds;
	ssize_t n = hello_recv(w->fd, &hello, fds, &n_fds);

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n > 0 && r->state == REG_HELLO) {
		check_hello(r, &hello, n, fds, n_fds);
		return;
	}
	if (n == -EPROTO && r->state == REG_HELLO) {
		refuse(r, KTLS_REG_BAD_OFFER, "an offer is two descriptors: a "
		       "queue's read end and its write end");
		return;
	}
	/* The end, or more than there is to say. */
	if (n_fds)
		close_pair(fds);
	registration_free(r);
}

/*
 * When there are too many, the one that has said nothing for longest has to go:
 * it may be of a user who may not register, and keep out those who may.
 */
void registration_make_room(struct registration *newest)
{
	struct registration *r, *silent = NULL;
	unsigned int n = 0;

	for (r = newest; r; r = r->next) {
		n++;
		if (r != newest && r->state == REG_HELLO)
			silent = r;
	}
	if (n <= REGISTRATIONS_MAX)
		return;
	if (silent)
		registration_free(silent);
	else
		refuse(newest, KTLS_REG_ERROR, "too many registrations");
}

struct registration *registration_new(struct route *route, int fd)
{
	struct registration *r = calloc(1, sizeof(*r));

	if (!r) {
		close(fd);
		return NULL;
	}
	r->watch = (struct watch){ .fd = fd, .ready = on_registration };
	r->route = route;
	r->due_ms = loop_now_ms() + ROUTE_HELLO_MS;
	r->next = route->registrations;
	route->registrations = r;
	loop_add(route->loop, &r->watch);
	return r;
}
