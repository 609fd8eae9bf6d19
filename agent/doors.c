/* SPDX-License-Identifier: MIT */
#include "doors.h"

#include <stdlib.h>
#include <string.h>

#include "listener.h"
#include "log.h"
#include "loop.h"

/* How soon to listen again where somebody else does, just now. */
#define RETRY_MS 1000

enum door { DOOR_UNKNOWN = 0, DOOR_OPEN, DOOR_SHUT };

struct doors {
	const struct config *config;
	const int *fds;
	const bool *foreign;
	bool (*is_up)(void *arg, unsigned int route);
	void *arg;
	enum door *door;	/* by listener */
	bool *leads;		/* by listener, then route */
	bool serving;
	uint64_t retry_ms;	/* 0: there is nothing to try */
};

static void add_route(struct doors *d, size_t listener, unsigned int route)
{
	if (route != CONFIG_DENY)
		d->leads[listener * d->config->n_routes + route] = true;
}

struct doors *doors_new(const struct config *config, const int *fds,
			const bool *foreign,
			bool (*is_up)(void *arg, unsigned int route),
			void *arg)
{
	struct doors *d = calloc(1, sizeof(*d));
	size_t i, j;

	if (!d)
		return NULL;
	*d = (struct doors){ config, fds, foreign, is_up, arg, NULL, NULL,
			     false, 0 };
	d->door = calloc(config->n_listeners, sizeof(*d->door));
	d->leads = calloc(config->n_listeners, config->n_routes);
	if (!d->door || !d->leads) {
		doors_free(d);
		return NULL;
	}
	for (i = 0; i < config->n_listeners; i++) {
		const struct config_listener *l = &config->listeners[i];

		add_route(d, i, l->route);
		for (j = 0; j < l->n_rules; j++)
			add_route(d, i, l->rules[j].route);
	}
	return d;
}

void doors_free(struct doors *d)
{
	if (!d)
		return;
	free(d->door);
	free(d->leads);
	free(d);
}

/* One that leads nowhere at all has nothing to wait for. */
static bool is_wanted(const struct doors *d, size_t listener)
{
	const struct config *config = d->config;
	const bool *leads = d->leads + listener * config->n_routes;
	bool any = false;
	unsigned int i;

	for (i = 0; i < config->n_routes; i++) {
		if (!leads[i])
			continue;
		if (!config->routes[i].refuse || d->is_up(d->arg, i))
			return true;
		any = true;
	}
	return !any;
}

static const char *route_name(const struct doors *d,
			      const struct config_listener *l)
{
	return l->route == CONFIG_DENY ? "deny" :
	       d->config->routes[l->route].name;
}

/* Also one that listens: for another generation, which may differ in details. */
static int set_open(struct doors *d, size_t i)
{
	const struct config_listener *l = &d->config->listeners[i];
	bool listened = listener_listens(d->fds[i]);
	int err = listener_set_tcp(l, d->fds[i]);

	if (!err && !d->foreign[i])
		err = listener_listen(l, d->fds[i]);
	if (err) {
		log_error("event=listen_failed at=%s:%u:%u bind=%s "
			  "error=\"%s\"", l->mark.file, l->mark.line,
			  l->mark.column, l->bind, strerror(-err));
		d->retry_ms = loop_now_ms() + RETRY_MS;
		return err;
	}
	d->door[i] = DOOR_OPEN;
	if (!listened)
		listener_log(l, route_name(d, l), d->fds[i]);
	return 0;
}

static int set_shut(struct doors *d, size_t i)
{
	const struct config_listener *l = &d->config->listeners[i];
	int err = listener_shut(l, d->fds[i]);

	if (err)
		return err;
	d->door[i] = DOOR_SHUT;
	log_warn("event=listener_down bind=%s route=%s error=\"no consumer is "
		 "registered\"", l->bind, route_name(d, l));
	return 0;
}

/* A Unix socket that was shut cannot listen again, so it goes on. */
static bool is_always_open(const struct doors *d, size_t i)
{
	return d->config->listeners[i].addr.ss_family == AF_UNIX ||
	       d->foreign[i];
}

static enum door right_for(const struct doors *d, size_t i)
{
	return is_always_open(d, i) || is_wanted(d, i) ? DOOR_OPEN : DOOR_SHUT;
}

/* Opens or shuts those that should be. Returns the first error. */
static int set_all(struct doors *d, enum door wanted)
{
	int err = 0, result;
	size_t i;

	for (i = 0; i < d->config->n_listeners; i++) {
		if (d->fds[i] < 0 || d->door[i] == wanted ||
		    right_for(d, i) != wanted)
			continue;
		result = wanted == DOOR_OPEN ? set_open(d, i) : set_shut(d, i);
		err = err ? err : result;
	}
	return err;
}

int doors_open(struct doors *d)
{
	int err;

	memset(d->door, 0, d->config->n_listeners * sizeof(*d->door));
	err = set_all(d, DOOR_OPEN);
	/* One that cannot be opened changes nothing about the others. */
	if (err)
		return err;
	d->serving = true;
	set_all(d, DOOR_SHUT);
	return 0;
}

static void set_right(struct doors *d)
{
	d->retry_ms = 0;
	set_all(d, DOOR_SHUT);
	set_all(d, DOOR_OPEN);
}

void doors_update(struct doors *d)
{
	if (d->serving)
		set_right(d);
}

uint64_t doors_tick(struct doors *d, uint64_t now_ms)
{
	if (!d->serving)
		return UINT64_MAX;
	if (d->retry_ms && d->retry_ms <= now_ms)
		set_right(d);
	return d->retry_ms ? d->retry_ms : UINT64_MAX;
}
