/* SPDX-License-Identifier: MIT */
#include "generation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "listener.h"
#include "log.h"
#include "loop.h"
#include "process.h"

/* Workers are ready within milliseconds, unless something is very wrong. */
#define READY_MS 30000

static const char *why_unsupported(int error)
{
	if (error == -ENOENT)
		return "the kernel has no tls module loaded: modprobe tls";
	return error ? strerror(-error) :
	       "it has the tls module, but none of its ciphers";
}

/*
 * What to offload. Returns false when the configuration asks for more than
 * the kernel can.
 */
static bool find_support(const struct config *config,
			 const struct generation *previous,
			 struct ktls_support *support)
{
	bool known, required = config->ktls == CONFIG_KTLS_REQUIRE;
	int err;

	if (config->ktls == CONFIG_KTLS_OFF)
		return true;
	err = ktls_probe(support);
	if (err)
		support->error = err;
	if (support->pairs)
		return true;
	known = previous && previous->config->ktls == config->ktls &&
		!previous->support.pairs;
	if (required || !known)
		log_line(required ? LOG_L_ERROR : LOG_L_WARN,
			 "event=ktls_unavailable error=\"%s\"%s",
			 why_unsupported(support->error), required ?
			 " ktls=require" :
			 " effect=\"every connection is relayed in user "
			 "space\"");
	return !required;
}

struct generation *generation_new(struct config *config,
				  struct ticket_keys *tickets,
				  const struct generation *previous)
{
	struct generation *g = calloc(1, sizeof(*g));

	if (!g) {
		log_error("event=start_failed error=\"out of memory\"");
		config_free(config);
		return NULL;
	}
	g->config = config;
	g->control = -1;
	if (find_support(config, previous, &g->support) && ticket_keys_check(config))
		g->certs = certs_load(config, g->support.pairs ?
				      g->support.pairs : KTLS_ALL_PAIRS,
				      ticket_keys_get(tickets),
				      previous ? previous->certs : NULL);
	if (g->certs && staples_check(config, g->certs))
		return g;
	generation_free(g);
	return NULL;
}

/* --- what it needs --------------------------------------------------------- */

static int out_of_memory(void)
{
	log_error("event=start_failed error=\"out of memory\"");
	return -ENOMEM;
}

static int fail_listener(const struct config_listener *l, int err)
{
	log_error("event=listen_failed at=%s:%u:%u bind=%s error=\"%s\"",
		  l->mark.file, l->mark.line, l->mark.column, l->bind,
		  strerror(-err));
	return err;
}

static bool same_address(const struct config_listener *a,
			 const struct config_listener *b)
{
	return a->addr_len == b->addr_len && a->v6only == b->v6only &&
	       !memcmp(&a->addr, &b->addr, a->addr_len);
}

/* The same open file, or -1. Of ports that were not chosen each is one's own. */
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

static int open_listener(struct generation *g, size_t i,
			 const struct generation *previous)
{
	const struct config_listener *l = &g->config->listeners[i];
	int fd = keep_listener(g, i, previous);

	if (fd >= 0)
		return fd;
	fd = inherit_listener(&g->host->inherit, l, &g->foreign[i]);
	if (fd < 0)
		return listener_bind(l);
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
		return out_of_memory();
	memset(g->listeners, -1, n * sizeof(*g->listeners));
	for (i = 0; i < n; i++) {
		int fd = open_listener(g, i, previous);

		if (fd < 0)
			return fail_listener(&g->config->listeners[i], fd);
		g->listeners[i] = fd;
	}
	return 0;
}

static struct route *find_route(const struct generation *g, const char *path)
{
	size_t n = g ? g->config->n_routes : 0, i;

	for (i = 0; i < n; i++)
		if (g->routes[i] && !strcmp(route_path(g->routes[i]), path))
			return g->routes[i];
	return NULL;
}

static int open_routes(struct generation *g, const struct generation *previous)
{
	size_t n = g->config->n_routes, i;
	char error[256] = "";

	g->routes = calloc(n + 1, sizeof(*g->routes));
	if (!g->routes)
		return out_of_memory();
	for (i = 0; i < n; i++) {
		const struct config_route *r = &g->config->routes[i];

		g->routes[i] = find_route(previous, r->handoff);
		if (!g->routes[i])
			g->routes[i] = route_open(r, g->host->loop,
						  &g->host->routes, error,
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
	log_error("event=control_failed error=\"%s\"", error);
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
	err = process_try(g->config, error, sizeof(error));
	if (err)
		log_error("event=worker_impossible error=\"%s\"", error);
	return err;
}

/* --- its workers ------------------------------------------------------------ */

static size_t index_of(const struct generation *g, const struct route *route)
{
	size_t i;

	for (i = 0; i < g->config->n_routes && g->routes[i] != route; i++)
		;
	return i;
}

void generation_tell(const struct generation *g, const struct route *route,
		     enum channel_type type, uint64_t queue, int fd)
{
	size_t i = g->workers ? index_of(g, route) : g->config->n_routes;

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
		    CHANNEL_QUEUE_ADD, (uint32_t)index_of(g, route), id }, fd);
}

static bool is_route_up(void *arg, unsigned int route)
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
		if (is_route_up(arg, i))
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
	return g->staples ? 0 : out_of_memory();
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
	return g->workers ? 0 : out_of_memory();
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
	return err;
}

static void start_workers(struct generation *g, uint64_t now)
{
	g->started = true;
	g->ready_by_ms = now + READY_MS;
	workers_tick(g->workers, now);
}

int generation_ready(struct generation *g, uint64_t now)
{
	int ret;

	if (!g->started && !staples_settled(g->staples, now))
		return 0;
	if (!g->started)
		start_workers(g, now);
	ret = workers_ready(g->workers);
	if (!ret && now >= g->ready_by_ms)
		ret = -ETIMEDOUT;
	if (ret < 0)
		log_error("event=workers_failed error=\"%s\"",
			  ret == -ETIMEDOUT ? "they did not get ready in time" :
			  "one ended instead of getting ready");
	return ret;
}

/* --- the switch --------------------------------------------------------- */

/* Does it listen at this very socket? */
static bool has_socket(const struct generation *g, int fd)
{
	struct stat wanted, st;
	size_t i;

	if (fd < 0 || fstat(fd, &wanted))
		return false;
	for (i = 0; g && i < g->config->n_listeners; i++)
		if (!fstat(g->listeners[i], &st) && st.st_ino == wanted.st_ino)
			return true;
	return false;
}

static int open_doors(struct generation *g)
{
	g->doors = doors_new(g->config, g->listeners, g->foreign, is_route_up,
			     g);
	return g->doors ? doors_open(g->doors) : out_of_memory();
}

static void update_routes(struct generation *g,
			  const struct generation *previous)
{
	size_t i;

	for (i = 0; previous && i < g->config->n_routes; i++)
		if (find_route(previous, g->config->routes[i].handoff))
			route_update(g->routes[i], &g->config->routes[i]);
}

static int move_control(struct generation *g)
{
	int err = g->control < 0 ? 0 : control_move(g->host->control,
						    g->config->control,
						    g->control);

	if (err)
		return out_of_memory();
	g->control = -1;
	return 0;
}

static int use_tickets(const struct generation *g)
{
	return ticket_keys_use(g->host->tickets, g->config, loop_now_ms(),
			       time(NULL)) ? 0 : -EINVAL;
}

int generation_take_over(struct generation *g, struct generation *previous)
{
	int err = open_doors(g);

	if (!err)
		err = use_tickets(g);
	if (!err)
		err = move_control(g);
	if (err)
		return err;
	update_routes(g, previous);
	if (previous)
		staples_take_over(g->staples, previous->staples);
	workers_tickets(g->workers);
	workers_accept(g->workers);
	if (previous)
		generation_stop(previous, g);
	return 0;
}

/* --- the end ------------------------------------------------------------ */

/* Those that nobody else goes on with. */
static void close_listener(struct generation *g, size_t i,
			   const struct generation *serving)
{
	int fd = g->listeners[i];

	g->listeners[i] = -1;
	if (fd >= 0 && has_socket(serving, fd)) {
		close(fd);
		return;
	}
	if (g->workers && serving)
		workers_leave(g->workers, i);
	if (fd >= 0)
		listener_close(&g->config->listeners[i], fd, g->foreign[i]);
}

static void close_listeners(struct generation *g,
			    const struct generation *serving)
{
	size_t i;

	for (i = 0; g->listeners && i < g->config->n_listeners; i++)
		close_listener(g, i, serving);
}

void generation_forget(struct generation *g, const struct generation *serving)
{
	size_t i;

	for (i = 0; g->routes && i < g->config->n_routes; i++)
		if (!serving || index_of(serving, g->routes[i]) ==
				serving->config->n_routes)
			g->routes[i] = NULL;
}

static void close_routes(struct generation *g,
			 const struct generation *serving)
{
	size_t i;

	for (i = 0; g->routes && i < g->config->n_routes; i++) {
		if (!g->routes[i] ||
		    find_route(serving, route_path(g->routes[i])))
			continue;
		route_close(g->routes[i]);
		g->routes[i] = NULL;
	}
}

void generation_stop(struct generation *g, const struct generation *serving)
{
	if (g->stopping)
		return;
	g->stopping = true;
	doors_free(g->doors);
	g->doors = NULL;
	close_listeners(g, serving);
	close_routes(g, serving);
	if (g->control >= 0) {
		close(g->control);
		unlink(g->config->control);
		g->control = -1;
	}
	if (g->workers)
		workers_stop(g->workers);
	if (g->staples)
		staples_stop(g->staples);
}

uint64_t generation_tick(struct generation *g, uint64_t now)
{
	uint64_t next = g->staples ? staples_tick(g->staples, now) : UINT64_MAX;
	uint64_t due = g->started ? workers_tick(g->workers, now) : UINT64_MAX;
	size_t i;

	next = due < next ? due : next;
	due = g->doors ? doors_tick(g->doors, now) : UINT64_MAX;
	next = due < next ? due : next;
	for (i = 0; i < g->config->n_routes && !g->stopping; i++) {
		due = route_tick(g->routes[i], now);
		next = due < next ? due : next;
	}
	return next;
}

bool generation_ended(struct generation *g, pid_t pid, int status)
{
	return (g->workers && workers_ended(g->workers, pid, status)) ||
	       (g->staples && staples_ended(g->staples, pid, status));
}

bool generation_running(const struct generation *g)
{
	return (g->workers && workers_count(g->workers)) ||
	       (g->staples && staples_running(g->staples));
}

void generation_free(struct generation *g)
{
	if (!g)
		return;
	workers_free(g->workers);
	staples_free(g->staples);
	free(g->routes);
	free(g->listeners);
	free(g->foreign);
	keylog_close(g->keylog);
	certs_free(g->certs);
	config_free(g->config);
	free(g);
}
