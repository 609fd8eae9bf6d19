/* SPDX-License-Identifier: MIT */
/* A generation that another process goes on with. */
#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "generation_parts.h"
#include "listener.h"

/* --- the old process ------------------------------------------------------- */

void generation_pause(struct generation *g)
{
	size_t i;

	for (i = 0; i < g->config->n_routes; i++)
		route_pause(g->routes[i]);
	control_pause(g->host->control);
}

void generation_resume(struct generation *g)
{
	size_t i;

	for (i = 0; i < g->config->n_routes; i++)
		route_resume(g->routes[i]);
	control_resume(g->host->control);
	/* The other one may have shut listeners, or opened them. */
	doors_open(g->doors);
}

static void give_listener(const struct generation *g, size_t i,
			  struct upgrade_writer *w)
{
	const struct config_listener *l = &g->config->listeners[i];

	upgrade_write(w, &(struct upgrade_record){
		      .type = UPGRADE_LISTENER,
		      .flags = (l->v6only ? UPGRADE_V6ONLY : 0) |
			       (g->foreign[i] ? UPGRADE_FOREIGN : 0),
		      .number = (uint32_t)i,
		      .data_len = l->addr_len },
		      &g->listeners[i], &l->addr);
}

void generation_give(const struct generation *g, struct upgrade_writer *w)
{
	const char *path = control_path(g->host->control);
	int fd = control_fd(g->host->control);
	size_t i;

	if (g->config->n_listeners + g->config->n_routes >= UPGRADE_TAKEN_MAX)
		w->err = -E2BIG;
	for (i = 0; i < g->config->n_listeners; i++)
		give_listener(g, i, w);
	upgrade_write(w, &(struct upgrade_record){
		      .type = UPGRADE_CONTROL,
		      .data_len = (uint32_t)strlen(path) }, &fd, path);
	for (i = 0; i < g->config->n_routes; i++)
		route_give(g->routes[i], (uint32_t)i, w);
	staples_give(g->staples, w);
}

static bool is_taken(const struct upgrade_taken *taken, size_t n,
		     enum upgrade_type type, size_t number)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (taken[i].type == type && taken[i].number == number)
			return true;
	return false;
}

void generation_leave(struct generation *g, const struct upgrade_taken *taken,
		      size_t n)
{
	size_t i;

	for (i = 0; i < g->config->n_listeners; i++) {
		if (is_taken(taken, n, UPGRADE_LISTENER, i)) {
			close(g->listeners[i]);
		} else {
			workers_leave(g->workers, i);
			listener_close(&g->config->listeners[i],
				       g->listeners[i], g->foreign[i]);
		}
		g->listeners[i] = -1;
	}
	for (i = 0; i < g->config->n_routes; i++) {
		/* Else who is in a handshake has nobody but these proxies. */
		if (is_taken(taken, n, UPGRADE_PROXY, i))
			proxies_leave(g->proxies, i);
		if (!is_taken(taken, n, UPGRADE_ROUTE, i))
			continue;
		route_leave(g->routes[i]);
		g->routes[i] = NULL;
	}
	control_leave(g->host->control, is_taken(taken, n, UPGRADE_CONTROL, 0));
}

/* --- the new one ----------------------------------------------------------- */

static void close_fds(const int *fds, size_t n)
{
	while (n)
		close(fds[--n]);
}

/* Something of the route that was named last; NULL: which there is not here. */
static int take_part(struct route *route, const struct upgrade_record *record,
		     const int *fds)
{
	if (!route) {
		close_fds(fds, upgrade_fds(record->type));
		return 0;
	}
	return record->type == UPGRADE_QUEUE ?
	       route_take_queue(route, fds[0], fds[1]) :
	       route_take_registration(route, record, fds[0]);
}

/* @route: NULL when there is none here. Returns 0 or -ENOMEM. */
static int find(const struct generation *g, const struct upgrade_record *record,
		const uint8_t *data, struct route **route)
{
	char text[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct config_route config = { .name = text };

	memcpy(text, data, record->data_len);
	text[record->data_len] = '\0';
	if (record->type == UPGRADE_ROUTE)
		config.handoff = text;
	*route = generation_find_route(g, &config);
	if (!*route || record->type != UPGRADE_PROXY)
		return 0;
	/* Taken, for the answer, as a socket is once it has a place. */
	return inherit_add(&g->host->inherit, &(struct inherit_socket){
			   .kind = INHERIT_PROXY,
			   .number = record->number,
			   .fd = -1 });
}

/* A file that was made here, for a new route, stays for whoever comes next. */
void generation_return(struct generation *g)
{
	size_t i;

	for (i = 0; g->listeners && i < g->config->n_listeners; i++) {
		if (g->listeners[i] >= 0)
			close(g->listeners[i]);
		g->listeners[i] = -1;
	}
	for (i = 0; g->routes && i < g->config->n_routes; i++) {
		if (g->routes[i])
			route_leave(g->routes[i]);
		g->routes[i] = NULL;
	}
}

int generation_take(struct generation *g, struct upgrade_reader r,
		    const int *fds)
{
	struct upgrade_record record;
	struct route *route = NULL;
	const uint8_t *data;
	int err = 0, ret = 0;
	size_t i;

	while (!err && (ret = upgrade_read(&r, &record, &data)) > 0) {
		if (record.type == UPGRADE_STAPLE)
			err = staples_take(g->staples, &record, data);
		else if (record.type == UPGRADE_ROUTE ||
			 record.type == UPGRADE_PROXY)
			err = find(g, &record, data, &route);
		else if (record.type == UPGRADE_QUEUE ||
			 record.type == UPGRADE_REGISTRATION)
			err = take_part(route, &record, fds);
		fds += upgrade_fds(record.type);
	}
	if (err || ret)
		return err ? err : ret;
	staples_taken(g->staples);
	for (i = 0; i < g->config->n_routes; i++)
		route_taken(g->routes[i]);
	return 0;
}
