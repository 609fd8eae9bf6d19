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
#include "local.h"
#include "log.h"
#include "waiting.h"

/* After a start, registrations wait so long for one that brings a queue. */
#define GRACE_MS 1000
/* A consumer that connects must have said hello by then. */
#define HELLO_MS 5000
/* How often queues that nobody reads are looked through. */
#define DRAIN_MS 500
/* Registrations per route at a time. */
#define REGISTRATIONS_MAX 256
/*
 * What one connection in a queue costs of the socket's send buffer, in bytes:
 * a message of up to 600 bytes with its bookkeeping, halved because the kernel
 * doubles what is asked for.
 */
#define MESSAGE_COST (1280 / 2)

/* struct route_queue - both ends, so that the queue outlives its consumers */
struct route_queue {
	struct route_queue *next;
	uint64_t id;
	int read_fd, write_fd;
	unsigned int registrations;
	bool announced;
};

enum registration_state { REG_HELLO, REG_WAITS, REG_LIVE };

struct registration {
	struct watch watch;
	struct registration *next;
	struct route *route;
	struct route_queue *queue;
	enum registration_state state;
	uint64_t due_ms;	/* of HELLO and WAITS */
	struct ucred peer;
};

struct route {
	struct watch watch;
	const struct config_route *config;
	unsigned int index;
	int loop;
	const struct route_events *events;
	struct route_queue *queues;
	struct registration *registrations;
	unsigned int n_registrations;
	uint64_t grace_until_ms, next_drain_ms;
};

static void announce(struct route *route, struct route_queue *q, bool live)
{
	const struct route_events *ev = route->events;

	if (q->announced == live)
		return;
	q->announced = live;
	if (live)
		ev->added(ev->arg, route->index, q->id, q->write_fd);
	else
		ev->removed(ev->arg, route->index, q->id);
}

static void set_size(const struct route *route, int write_fd)
{
	int size = (int)route->config->queue * MESSAGE_COST;

	if (setsockopt(write_fd, SOL_SOCKET, SO_SNDBUFFORCE, &size,
		       sizeof(size)))
		setsockopt(write_fd, SOL_SOCKET, SO_SNDBUF, &size,
			   sizeof(size));
}

/* Takes both descriptors, also on failure. */
static struct route_queue *new_queue(struct route *route, int read_fd,
				     int write_fd)
{
	struct route_queue *q = calloc(1, sizeof(*q));
	struct stat st;

	if (!q || fstat(read_fd, &st)) {
		close(read_fd);
		close(write_fd);
		free(q);
		return NULL;
	}
	q->id = st.st_ino;
	q->read_fd = read_fd;
	q->write_fd = write_fd;
	set_size(route, write_fd);
	q->next = route->queues;
	route->queues = q;
	return q;
}

static void free_queue(struct route *route, struct route_queue *q)
{
	struct route_queue **p = &route->queues;

	announce(route, q, false);
	while (*p != q)
		p = &(*p)->next;
	*p = q->next;
	close(q->read_fd);
	close(q->write_fd);
	free(q);
}

static struct route_queue *find_live(struct route *route)
{
	struct route_queue *q;

	for (q = route->queues; q; q = q->next)
		if (q->registrations)
			return q;
	return NULL;
}

/*
 * The queues that the workers send to: those with a registration, or, while
 * there is none, whatever there is. What waits in the others moves over.
 */
static void choose_queues(struct route *route)
{
	struct route_queue *live = find_live(route), *q, *next;

	for (q = route->queues; q; q = q->next)
		announce(route, q, !live || q->registrations);
	if (!live)
		return;
	for (q = route->queues; q; q = next) {
		next = q->next;
		if (!q->registrations &&
		    waiting_move(q->read_fd, live->write_fd))
			free_queue(route, q);
	}
}

static void free_registration(struct registration *r)
{
	struct route *route = r->route;
	struct registration **p = &route->registrations;

	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	loop_remove(route->loop, &r->watch);
	close(r->watch.fd);
	if (r->state == REG_LIVE) {
		log_info("event=consumer_left route=%s pid=%d uid=%u",
			 route->config->name, (int)r->peer.pid, r->peer.uid);
		r->queue->registrations--;
		route->n_registrations--;
		choose_queues(route);
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

	r->state = REG_LIVE;
	r->queue = q;
	q->registrations++;
	route->n_registrations++;
	log_info("event=consumer_registered route=%s pid=%d uid=%u queue=%llu "
		 "adopted=%d", route->config->name, (int)r->peer.pid,
		 r->peer.uid, (unsigned long long)q->id, adopted);
	hello_answer(r->watch.fd, adopted ? KTLS_REG_ADOPTED : KTLS_REG_OK, "",
		     route->config->hold_timeout_ms, adopted ? NULL : fds);
	choose_queues(route);
}

/* A registration that brings no queue gets the route's, or a new one. */
static void give_queue(struct registration *r)
{
	struct route *route = r->route;
	struct route_queue *q = find_live(route);
	int pair[2];

	if (!q)
		q = route->queues;
	if (!q && loop_now_ms() < route->grace_until_ms) {
		r->state = REG_WAITS;
		r->due_ms = route->grace_until_ms;
		return;
	}
	if (!q && !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		q = new_queue(route, pair[0], pair[1]);
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

static void adopt(struct registration *r, int fds[2])
{
	struct route *route = r->route;
	struct route_queue *q;
	char error[128];
	struct stat st;

	if (local_check_pair(fds[0], fds[1], error, sizeof(error)) ||
	    fstat(fds[0], &st)) {
		close(fds[0]);
		close(fds[1]);
		refuse(r, KTLS_REG_BAD_OFFER, error);
		return;
	}
	for (q = route->queues; q && q->id != st.st_ino; q = q->next)
		;
	if (q) {
		close(fds[0]);
		close(fds[1]);
	} else {
		q = new_queue(route, fds[0], fds[1]);
	}
	if (!q) {
		refuse(r, KTLS_REG_ERROR, "ktlsd is out of memory");
		return;
	}
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

static void check_hello(struct registration *r, const struct ktls_hello *hello,
			ssize_t len, int fds[2], int n_fds)
{
	bool known = len == sizeof(*hello) &&
		     !memcmp(hello->magic, KTLS_REG_MAGIC,
			     sizeof(hello->magic));

	if (known && hello->version == KTLS_REG_VERSION) {
		if (n_fds)
			adopt(r, fds);
		else
			give_queue(r);
		return;
	}
	if (n_fds) {
		close(fds[0]);
		close(fds[1]);
	}
	refuse(r, KTLS_REG_BAD_VERSION, known ?
	       "this ktlsd speaks another version of the registration" :
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
	/* The end, or more than there is to say. */
	if (n_fds) {
		close(fds[0]);
		close(fds[1]);
	}
	free_registration(r);
}

static void check_peer(struct registration *r)
{
	const struct config_route *config = r->route->config;
	socklen_t len = sizeof(r->peer);
	unsigned int n = 0;
	struct registration *i;
	char text[200];

	for (i = r->route->registrations; i; i = i->next)
		n++;
	if (n > REGISTRATIONS_MAX) {
		refuse(r, KTLS_REG_ERROR, "too many registrations");
		return;
	}
	if (getsockopt(r->watch.fd, SOL_SOCKET, SO_PEERCRED, &r->peer, &len))
		r->peer.uid = (uid_t)-1;
	if (may_register(config, r->peer.uid))
		return;
	snprintf(text, sizeof(text), "uid %u may not register for route %s: "
		 "add it to the route's allow_uids", r->peer.uid,
		 config->name);
	refuse(r, KTLS_REG_REFUSED, text);
}

static void on_connect(struct watch *w)
{
	struct route *route = (struct route *)w;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct registration *r = fd < 0 ? NULL : calloc(1, sizeof(*r));

	if (!r) {
		if (fd >= 0)
			close(fd);
		return;
	}
	r->watch = (struct watch){ .fd = fd, .ready = on_registration };
	r->route = route;
	r->due_ms = loop_now_ms() + HELLO_MS;
	r->next = route->registrations;
	route->registrations = r;
	loop_add(route->loop, &r->watch);
	check_peer(r);
}

static void drain(struct route *route, uint64_t now_ms)
{
	struct route_queue *q;
	unsigned int n;

	for (q = route->queues; q; q = q->next) {
		if (q->registrations)
			continue;
		n = waiting_drop(q->read_fd, route->config->hold_timeout_ms);
		if (n)
			log_warn("event=queue_expired route=%s connections=%u "
				 "remedy=\"start a consumer, or raise "
				 "hold_timeout\"", route->config->name, n);
	}
	choose_queues(route);
	route->next_drain_ms = now_ms + DRAIN_MS;
}

uint64_t route_tick(struct route *route, uint64_t now_ms)
{
	struct registration *r, *next;
	uint64_t due = UINT64_MAX;

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
	if (route->queues && !find_live(route)) {
		if (now_ms >= route->next_drain_ms)
			drain(route, now_ms);
		due = route->next_drain_ms < due ? route->next_drain_ms : due;
	}
	return due;
}

void route_announce(const struct route *route,
		    void (*added)(void *arg, unsigned int route, uint64_t id,
				  int write_fd),
		    void *arg)
{
	struct route_queue *q;

	for (q = route->queues; q; q = q->next)
		if (q->announced)
			added(arg, route->index, q->id, q->write_fd);
}

void route_broken(struct route *route, uint64_t id)
{
	struct registration *r, *next;
	struct route_queue *q;

	for (q = route->queues; q && q->id != id; q = q->next)
		;
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
	for (q = route->queues; q && q->id != id; q = q->next)
		;
	if (q)
		free_queue(route, q);
}

unsigned int route_registrations(const struct route *route)
{
	return route->n_registrations;
}

struct route *route_open(const struct config_route *config,
			 unsigned int index, int loop,
			 const struct route_events *events, char *error,
			 size_t error_len)
{
	struct local_access access = { config->user, config->group,
				       config->mode };
	struct route *route = calloc(1, sizeof(*route));

	if (!route) {
		snprintf(error, error_len, "out of memory");
		return NULL;
	}
	route->watch.ready = on_connect;
	route->config = config;
	route->index = index;
	route->loop = loop;
	route->events = events;
	route->grace_until_ms = loop_now_ms() + GRACE_MS;
	route->watch.fd = local_listen(config->handoff, SOCK_SEQPACKET,
				       &access, error, error_len);
	if (route->watch.fd < 0) {
		free(route);
		return NULL;
	}
	loop_add(loop, &route->watch);
	return route;
}

void route_close(struct route *route)
{
	if (!route)
		return;
	unlink(route->config->handoff);
	loop_remove(route->loop, &route->watch);
	close(route->watch.fd);
	while (route->registrations) {
		/* The consumer sees the end and looks for the next ktlsd. */
		route->registrations->state = REG_HELLO;
		free_registration(route->registrations);
	}
	while (route->queues) {
		/* The workers go on sending: their own ends stay open. */
		route->queues->announced = false;
		free_queue(route, route->queues);
	}
	free(route);
}
