/* SPDX-License-Identifier: MIT */
#include "route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "local.h"
#include "log.h"
#include "route_parts.h"

/* After a start, registrations wait so long for one that brings a queue. */
#define GRACE_MS 1000

/* Who sends where has changed, and idle queues want to be looked after. */
void route_choose(struct route *route)
{
	route_queues_choose(&route->queues);
	route->tend_ms = 0;
}

struct route_queue *route_make_queue(struct route *route)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return NULL;
	return route_queue_new(&route->queues, pair[0], pair[1]);
}

static void on_connect(struct watch *w)
{
	struct route *route = (struct route *)w;
	int fd = local_accept(w->fd);
	struct registration *r = fd < 0 ? NULL : registration_new(route, fd);
	socklen_t len = sizeof(r->peer);

	if (!r)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &r->peer, &len))
		r->peer.uid = (uid_t)-1;
	registration_make_room(r);
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
			registration_give(r);
		else
			registration_free(r);
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
			registration_free(r);
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
	r = registration_new(route, pair[0]);
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
		registration_free(route->registrations);
	}
	while (route->queues.first) {
		/* The workers go on sending: their own ends stay open. */
		route->queues.first->announced = false;
		route_queue_free(&route->queues, route->queues.first);
	}
	free(route);
}
