/* SPDX-License-Identifier: MIT */
#include "route.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hello.h"
#include "ktls/descriptors.h"
#include "local.h"
#include "log.h"
#include "route_parts.h"

/* After a start, registrations wait so long for one that brings a queue. */
#define GRACE_MS 1000
/* Registrations per route at a time. */
#define REGISTRATIONS_MAX 256

/* Who sends where has changed, and idle queues want to be looked after. */
void route_choose(struct route *route)
{
	route_queues_choose(&route->queues);
	route->tend_ms = 0;
}

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

static void free_registration(struct registration *r)
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
		     r->route->config->hold_timeout_ms, NULL);
	free_registration(r);
}

static void go_live(struct registration *r, struct route_queue *q,
		    bool adopted)
{
	struct route *route = r->route;
	int fds[2] = { q->read_fd, q->write_fd };

	/* One that got no queue must not stand for a consumer. */
	if (hello_answer(r->watch.fd, adopted ? KTLS_REG_ADOPTED : KTLS_REG_OK,
			 "", route->config->hold_timeout_ms,
			 adopted ? NULL : fds)) {
		free_registration(r);
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

struct route_queue *route_make_queue(struct route *route)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return NULL;
	return route_queue_new(&route->queues, pair[0], pair[1]);
}

/* A registration that brings no queue gets the route's, or a new one. */
static void give_queue(struct registration *r)
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
			give_queue(r);
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
			give_queue(r);
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
	free_registration(r);
}

/*
 * When there are too many, the one that has said nothing for longest has to go:
 * it may be of a user who may not register, and keep out those who may.
 */
static void make_room(struct registration *newest)
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
		free_registration(silent);
	else
		refuse(newest, KTLS_REG_ERROR, "too many registrations");
}

struct registration *route_registration(struct route *route, int fd)
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

static void on_connect(struct watch *w)
{
	struct route *route = (struct route *)w;
	int fd = local_accept(w->fd);
	struct registration *r = fd < 0 ? NULL : route_registration(route, fd);
	socklen_t len = sizeof(r->peer);

	if (!r)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &r->peer, &len))
		r->peer.uid = (uid_t)-1;
	make_room(r);
}

/* Returns when to be called again. */
static uint64_t tend_queues(struct route *route, uint64_t now_ms)
{
	unsigned int ms;

	if (now_ms >= route->tend_ms) {
		ms = route_queues_tend(&route->queues);
		route->tend_ms = ms ? now_ms + ms : UINT64_MAX;
	}
	return route->tend_ms;
}

uint64_t route_tick(struct route *route, uint64_t now_ms)
{
	struct registration *r, *next;
	uint64_t due = UINT64_MAX, tend;

	if (route->paused)
		return UINT64_MAX;
	for (r = route->registrations; r; r = next) {
		next = r->next;
		if (r->state == REG_LIVE)
			continue;
		if (r->due_ms > now_ms)
			due = r->due_ms < due ? r->due_ms : due;
		else if (r->state == REG_WAITS)
			give_queue(r);
		else
			free_registration(r);
	}
	tend = tend_queues(route, now_ms);
	return tend < due ? tend : due;
}

void route_announce(const struct route *route,
		    void (*added)(void *arg, const struct route *owner,
				  uint64_t id, int write_fd),
		    void *arg)
{
	struct route_queue *q;

	for (q = route->queues.first; q; q = q->next)
		if (q->announced)
			added(arg, route, q->id, q->write_fd);
}

void route_broken(struct route *route, uint64_t id)
{
	struct route_queue *q = route_queue_find(&route->queues, id);
	struct registration *r, *next;

	if (!q)
		return;
	log_warn("event=queue_shut_down route=%s queue=%llu",
		 route->config->name, (unsigned long long)id);
	for (r = route->registrations; r; r = next) {
		next = r->next;
		if (r->queue == q)
			free_registration(r);
	}
	/* Nothing was left to move, so it may be gone already. */
	q = route_queue_find(&route->queues, id);
	if (q)
		route_queue_free(&route->queues, q);
}

unsigned int route_registrations(const struct route *route)
{
	return route->n_registrations;
}

const struct config_route *route_config(const struct route *route)
{
	return route->config;
}

bool route_is(const struct route *route, const struct config_route *config)
{
	const struct config_route *own = route->config;

	if (own->handoff && config->handoff)
		return !strcmp(own->handoff, config->handoff);
	return !own->handoff && !config->handoff &&
	       !strcmp(own->name, config->name);
}

int route_register(struct route *route, pid_t pid, uid_t uid, gid_t gid)
{
	struct registration *r;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0, pair))
		return -errno;
	r = route_registration(route, pair[0]);
	if (!r) {
		close(pair[1]);
		return -ENOMEM;
	}
	r->peer = (struct ucred){ pid, uid, gid };
	return pair[1];
}

static struct local_access access_of(const struct config_route *config)
{
	return (struct local_access){ config->user, config->group,
				      config->mode };
}

void route_update(struct route *route, const struct config_route *config)
{
	struct local_access access = access_of(config);
	int err = config->handoff ? local_admit(config->handoff, &access) : 0;

	if (err)
		log_warn("event=route_access route=%s error=\"%s: %s\"",
			 config->name, config->handoff, strerror(-err));
	route->config = config;
	route_queues_update(&route->queues, config);
}

/* A socket that listens at the path, perhaps with another's owner and mode. */
static int have_socket(const struct config_route *config, int fd, char *error,
		       size_t error_len)
{
	struct local_access access = access_of(config);
	int err;

	if (fd < 0)
		return local_listen(config->handoff, SOCK_SEQPACKET, &access,
				    error, error_len);
	err = local_admit(config->handoff, &access);
	if (!err)
		return fd;
	snprintf(error, error_len, "%s: %s", config->handoff, strerror(-err));
	close(fd);
	return err;
}

struct route *route_open(const struct config_route *config, int fd, int loop,
			 const struct route_events *events, char *error,
			 size_t error_len)
{
	struct route *route = calloc(1, sizeof(*route));

	if (!route) {
		if (fd >= 0)
			close(fd);
		snprintf(error, error_len, "out of memory");
		return NULL;
	}
	route->watch.ready = on_connect;
	route->config = config;
	route->loop = loop;
	route->queues.route = route;
	route->queues.config = config;
	route->queues.events = events;
	route->watch.fd = -1;
	if (!config->handoff)
		return route;
	route->grace_until_ms = loop_now_ms() + GRACE_MS;
	route->watch.fd = have_socket(config, fd, error, error_len);
	if (route->watch.fd < 0) {
		free(route);
		return NULL;
	}
	loop_add(loop, &route->watch);
	return route;
}

void route_deaf(struct route *route)
{
	if (route->watch.fd < 0)
		return;
	loop_remove(route->loop, &route->watch);
	close(route->watch.fd);
}

void route_close(struct route *route)
{
	if (!route)
		return;
	if (route->config->handoff)
		unlink(route->config->handoff);
	route_deaf(route);
	while (route->registrations) {
		/* The consumer sees the end and looks for the next ktlsd. */
		route->registrations->state = REG_HELLO;
		free_registration(route->registrations);
	}
	while (route->queues.first) {
		/* The workers go on sending: their own ends stay open. */
		route->queues.first->announced = false;
		route_queue_free(&route->queues, route->queues.first);
	}
	free(route);
}
