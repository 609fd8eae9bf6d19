/* SPDX-License-Identifier: MIT */
/* What a generation needs, and what its processes are told and ask for. */
#include "generation_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "listener.h"
#include "log.h"
#include "process.h"

/* --- what it needs ------------------------------------------------------- */

int generation_no_memory(void)
{
	log_error("event=start_failed error=\"out of memory\"");
	return -ENOMEM;
}

/* What helps, for an address of IP. */
static const char *remedy(const struct config_listener *l, int err)
{
	if (l->addr.ss_family == AF_UNIX)
		return "";
	switch (err) {
	case -EADDRINUSE:
		return " remedy=\"ss -ltnp shows who has it\"";
	case -EADDRNOTAVAIL:
		return " remedy=\"ip addr shows which addresses this machine "
		       "has; net.ipv4.ip_nonlocal_bind allows others\"";
	case -EACCES:
		return " remedy=\"ports below "
		       "net.ipv4.ip_unprivileged_port_start are root's\"";
	}
	return "";
}

static int fail_listener(const struct config_listener *l, int err)
{
	log_error("event=listen_failed at=%s:%u:%u bind=%s error=\"%s\"%s",
		  l->mark.file, l->mark.line, l->mark.column, l->bind,
		  strerror(-err), remedy(l, err));
	return err;
}

static bool same_address(const struct config_listener *a,
			 const struct config_listener *b)
{
	return a->addr_len == b->addr_len && a->v6only == b->v6only &&
	       !memcmp(&a->addr, &b->addr, a->addr_len);
}

/* The same open file, or -1. Each port that was not chosen is one's own. */
static int keep_listener(struct generation *g, size_t i,
			 const struct generation *previous)
{
	const struct config_listener *l = &g->config->listeners[i];
	size_t n = previous ? previous->config->n_listeners : 0, j, nth = 0;

	for (j = 0; j < i; j++)
		nth += same_address(&g->config->listeners[j], l);
	for (j = 0; j < n; j++) {
		if (!same_address(&previous->config->listeners[j], l) || nth--)
			continue;
		g->foreign[i] = previous->foreign[j];
		return fcntl(previous->listeners[j], F_DUPFD_CLOEXEC, 0);
	}
	return -1;
}

/*
 * After a kill -9 the kernel goes on closing the workers' rings, and the sockets
 * that they accept from, for a moment after the workers are gone.
 */
#define BIND_TRIES 20
#define BIND_PAUSE_MS 100

static int bind_first(const struct config_listener *l)
{
	int fd = listener_bind(l), i;

	for (i = 1; i < BIND_TRIES && fd == -EADDRINUSE &&
		    l->addr.ss_family != AF_UNIX; i++) {
		usleep(BIND_PAUSE_MS * 1000);
		fd = listener_bind(l);
	}
	return fd;
}

static int open_listener(struct generation *g, size_t i,
			 const struct generation *previous)
{
	const struct config_listener *l = &g->config->listeners[i];
	int fd = keep_listener(g, i, previous);

	if (fd >= 0)
		return fd;
	fd = inherit_listener(&g->host->inherit, l, &g->foreign[i]);
	if (fd < 0)		/* who serves already does not wait */
		return previous ? listener_bind(l) : bind_first(l);
	log_info("event=socket_inherited bind=%s", l->bind);
	return fd;
}

static int open_listeners(struct generation *g,
			  const struct generation *previous)
{
	size_t n = g->config->n_listeners, i;

	g->foreign = calloc(n + 1, sizeof(*g->foreign));
	if (g->foreign)
		g->listeners = malloc((n + 1) * sizeof(*g->listeners));
	if (!g->listeners)
		return generation_no_memory();
	memset(g->listeners, -1, n * sizeof(*g->listeners));
	for (i = 0; i < n; i++) {
		int fd = open_listener(g, i, previous);

		if (fd < 0)
			return fail_listener(&g->config->listeners[i], fd);
		g->listeners[i] = fd;
	}
	return 0;
}

struct route *generation_find_route(const struct generation *g,
				    const struct config_route *config)
{
	size_t n = g ? g->config->n_routes : 0, i;

	for (i = 0; i < n; i++)
		if (g->routes[i] && route_is(g->routes[i], config))
			return g->routes[i];
	return NULL;
}

static int open_routes(struct generation *g, const struct generation *previous)
{
	size_t n = g->config->n_routes, i;
	char error[256] = "";

	g->routes = calloc(n + 1, sizeof(*g->routes));
	if (!g->routes)
		return generation_no_memory();
	for (i = 0; i < n; i++) {
		const struct config_route *r = &g->config->routes[i];

		g->routes[i] = generation_find_route(previous, r);
		if (!g->routes[i])
			g->routes[i] = route_open(r, !r->handoff ? -1 :
				inherit_path(&g->host->inherit, INHERIT_ROUTE,
					     r->handoff),
				g->host->loop, &g->host->routes, error,
				sizeof(error));
		if (g->routes[i])
			continue;
		log_error("event=route_failed at=%s:%u:%u route=%s "
			  "error=\"%s\"", r->mark.file, r->mark.line,
			  r->mark.column, r->name, error);
		return -EINVAL;
	}
	return 0;
}

static int open_control(struct generation *g)
{
	const char *path = g->config->control;
	char error[256] = "";

	if (!g->host->control ||
	    !strcmp(path, control_path(g->host->control)))
		return 0;
	g->control = control_listen(path, error, sizeof(error));
	if (g->control >= 0)
		return 0;
	log_error("event=control_failed key=control error=\"%s\"", error);
	return g->control;
}

static int try_worker(struct generation *g)
{
	char error[256] = "";
	int err = process_limit(g->config, &g->slots, error, sizeof(error));

	if (err) {
		log_error("event=limit_too_low error=\"%s\"", error);
		return err;
	}
	process_lift_memory();
	err = process_try(g->config, error, sizeof(error));
	if (err)
		log_error("event=worker_impossible error=\"%s\"", error);
	return err;
}

/* --- its workers --------------------------------------------------------- */

size_t generation_index_of(const struct generation *g,
			   const struct route *route)
{
	size_t i;

	for (i = 0; i < g->config->n_routes && g->routes[i] != route; i++)
		;
	return i;
}

void generation_tell(const struct generation *g, const struct route *route,
		     enum channel_type type, uint64_t queue, int fd)
{
	size_t i = g->workers ? generation_index_of(g, route) :
				g->config->n_routes;

	if (i < g->config->n_routes)
		workers_tell(g->workers, &(struct channel_msg){
			     type, (uint32_t)i, queue }, fd);
	if (g->doors && (type == CHANNEL_ROUTE_UP ||
			 type == CHANNEL_ROUTE_DOWN))
		doors_update(g->doors);
}

/* struct announced - the worker that hears of a route's queues */
struct announced {
	const struct generation *generation;
	unsigned int worker;
};

static void send_queue(void *arg, const struct route *route, uint64_t id,
		       int fd)
{
	const struct announced *to = arg;
	const struct generation *g = to->generation;

	workers_say(g->workers, to->worker, &(struct channel_msg){
		    CHANNEL_QUEUE_ADD,
		    (uint32_t)generation_index_of(g, route), id }, fd);
}

bool generation_is_route_up(void *arg, unsigned int route)
{
	const struct generation *g = arg;

	return g->routes[route] && route_registrations(g->routes[route]);
}

static void announce(void *arg, unsigned int worker)
{
	const struct generation *g = arg;
	struct announced to = { g, worker };
	unsigned int i;

	for (i = 0; i < g->config->n_routes; i++) {
		struct channel_msg msg = { CHANNEL_ROUTE_DOWN, i, 0 };

		if (!g->routes[i])
			continue;
		if (generation_is_route_up(arg, i))
			msg.type = CHANNEL_ROUTE_UP;
		route_announce(g->routes[i], send_queue, &to);
		workers_say(g->workers, worker, &msg, -1);
	}
}

static void on_queue_broken(void *arg, unsigned int route, uint64_t id)
{
	const struct generation *g = arg;

	if (route < g->config->n_routes && g->routes[route])
		route_broken(g->routes[route], id);
}

static void on_staple_changed(void *arg, size_t slot)
{
	const struct generation *g = arg;

	workers_staple(g->workers, slot);
}

static bool is_staple_everywhere(void *arg, size_t slot)
{
	const struct generation *g = arg;

	return workers_have(g->workers, slot);
}

static int new_staples(struct generation *g, const struct generation *previous)
{
	struct staples_setup setup = {
		.config = g->config,
		.certs = g->certs,
		.metrics = metrics_master(g->host->metrics),
		.loop = g->host->loop,
		.changed = on_staple_changed,
		.everywhere = is_staple_everywhere,
		.arg = g,
		.socket = -1,
	};

	g->staples = staples_new(&setup, previous ? previous->staples : NULL);
	return g->staples ? 0 : generation_no_memory();
}

static int new_workers(struct generation *g)
{
	struct worker_setup setup = {
		.config = g->config,
		.certs = g->certs,
		.tickets = ticket_keys_get(g->host->tickets),
		.listener_fds = g->listeners,
		.support = g->support,
		.keylog = g->keylog,
		.slots = g->slots,
	};
	struct workers_events events = { announce, on_queue_broken, g };

	g->workers = workers_new(&setup, g->host->metrics, g->host->loop,
				 &events, staples_list(g->staples));
	return g->workers ? 0 : generation_no_memory();
}

static int new_proxies(struct generation *g)
{
	struct proxies_setup setup = {
		.config = g->config,
		.routes = g->routes,
		.loop = g->host->loop,
		.metrics = metrics_master(g->host->metrics),
		.counts = g->host->proxy_metrics,
	};

	g->proxies = proxies_new(&setup);
	return g->proxies ? 0 : generation_no_memory();
}

int generation_open(struct generation *g, struct generation_host *host,
		    unsigned int number, const struct generation *previous)
{
	int err;

	g->host = host;
	g->number = number;
	err = try_worker(g);
	if (!err)
		err = open_listeners(g, previous);
	if (!err)
		err = open_routes(g, previous);
	if (!err)
		err = open_control(g);
	if (!err)
		err = keylog_open(g->config, &g->keylog);
	if (!err)
		err = new_staples(g, previous);
	if (!err)
		err = new_workers(g);
	if (!err)
		err = new_proxies(g);
	return err;
}
