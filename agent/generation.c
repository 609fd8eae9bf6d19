/* SPDX-License-Identifier: MIT */
#include "generation_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "listener.h"
#include "log.h"
#include "loop.h"
#include "machine.h"

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
	if (find_support(config, previous, &g->support) &&
	    ticket_keys_check(config)) {
		machine_check(config, &g->support, !previous);
		g->certs = certs_load(config, g->support.pairs ?
				      g->support.pairs : KTLS_ALL_PAIRS,
				      ticket_keys_get(tickets),
				      previous ? previous->certs : NULL);
	}
	if (g->certs && staples_check(config, g->certs))
		return g;
	generation_free(g);
	return NULL;
}

static void start_workers(struct generation *g, uint64_t now)
{
	g->started = true;
	g->ready_by_ms = now + READY_MS;
	workers_tick(g->workers, now);
	proxies_tick(g->proxies, now);
}

int generation_ready(struct generation *g, uint64_t now)
{
	int ret;

	if (!g->started && !staples_settled(g->staples, now))
		return 0;
	if (!g->started)
		start_workers(g, now);
	ret = workers_ready(g->workers);
	if (ret > 0)
		ret = proxies_ready(g->proxies);
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
	g->doors = doors_new(g->config, g->listeners, g->foreign,
			     generation_is_route_up, g);
	return g->doors ? doors_open(g->doors) : generation_no_memory();
}

static void update_routes(struct generation *g,
			  const struct generation *previous)
{
	size_t i;

	for (i = 0; previous && i < g->config->n_routes; i++)
		if (generation_find_route(previous, &g->config->routes[i]))
			route_update(g->routes[i], &g->config->routes[i]);
}

static int move_control(struct generation *g)
{
	int err = g->control < 0 ? 0 : control_move(g->host->control,
						    g->config->control,
						    g->control);

	if (err)
		return generation_no_memory();
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
	if (err) {
		if (previous)
			doors_open(previous->doors);
		return err;
	}
	update_routes(g, previous);
	staples_take_over(g->staples, previous ? previous->staples : NULL);
	workers_tickets(g->workers);
	workers_accept(g->workers);
	proxies_accept(g->proxies);
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
		if (!serving || generation_index_of(serving, g->routes[i]) ==
				serving->config->n_routes)
			g->routes[i] = NULL;
}

static void close_routes(struct generation *g,
			 const struct generation *serving)
{
	size_t i;

	for (i = 0; g->routes && i < g->config->n_routes; i++) {
		if (!g->routes[i] ||
		    generation_find_route(serving,
					  route_config(g->routes[i])))
			continue;
		route_close(g->routes[i]);
		g->routes[i] = NULL;
	}
}

/* Where others take the connections, these do not any more; but else they do. */
static void stop_proxies(struct generation *g,
			 const struct generation *serving)
{
	size_t i;

	for (i = 0; serving && i < g->config->n_routes; i++)
		if (generation_find_route(serving, &g->config->routes[i]))
			proxies_leave(g->proxies, i);
	proxies_stop(g->proxies);
}

void generation_stop(struct generation *g, const struct generation *serving)
{
	if (g->stopping)
		return;
	g->stopping = true;
	doors_free(g->doors);
	g->doors = NULL;
	if (g->host && g->host->guest)
		generation_return(g);
	if (g->proxies)
		stop_proxies(g, serving);
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
	due = g->started ? proxies_tick(g->proxies, now) : UINT64_MAX;
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
	       (g->proxies && proxies_ended(g->proxies, pid, status)) ||
	       (g->staples && staples_ended(g->staples, pid, status));
}

bool generation_running(const struct generation *g)
{
	return (g->workers && workers_count(g->workers)) ||
	       (g->proxies && proxies_count(g->proxies)) ||
	       (g->staples && staples_running(g->staples));
}

void generation_free(struct generation *g)
{
	if (!g)
		return;
	workers_free(g->workers);
	proxies_free(g->proxies);
	staples_free(g->staples);
	free(g->routes);
	free(g->listeners);
	free(g->foreign);
	keylog_close(g->keylog);
	certs_free(g->certs);
	config_free(g->config);
	free(g);
}
