/* SPDX-License-Identifier: MIT */
/* A route that goes to another process, which takes this one's place. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "route_parts.h"

_Static_assert((int)REG_HELLO == UPGRADE_SILENT &&
	       (int)REG_WAITS == UPGRADE_WAITS &&
	       (int)REG_LIVE == UPGRADE_LIVE, "they are the same");

/* --- the old process ------------------------------------------------------- */

void route_pause(struct route *route)
{
	struct registration *r;

	route->paused = true;
	if (route->watch.fd >= 0)
		loop_remove(route->loop, &route->watch);
	for (r = route->registrations; r; r = r->next)
		loop_remove(route->loop, &r->watch);
}

void route_resume(struct route *route)
{
	struct registration *r;

	route->paused = false;
	if (route->watch.fd >= 0)
		loop_add(route->loop, &route->watch);
	for (r = route->registrations; r; r = r->next)
		loop_add(route->loop, &r->watch);
}

/* What workers hold for want of a queue must not stay in them. */
static void have_queue(struct route *route)
{
	if (!route->queues.first && route_make_queue(route))
		route_choose(route);
}

void route_give(struct route *route, uint32_t number, struct upgrade_writer *w)
{
	const struct config_route *config = route->config;
	const char *name = config->handoff ? config->handoff : config->name;
	const struct registration *r;
	const struct route_queue *q;

	have_queue(route);
	upgrade_write(w, &(struct upgrade_record){
		      .type = config->handoff ? UPGRADE_ROUTE : UPGRADE_PROXY,
		      .number = number,
		      .data_len = (uint32_t)strlen(name) },
		      &route->watch.fd, name);
	for (q = route->queues.first; q; q = q->next)
		upgrade_write(w, &(struct upgrade_record){
			      .type = UPGRADE_QUEUE },
			      (int[]){ q->read_fd, q->write_fd }, "");
	for (r = route->registrations; r; r = r->next)
		upgrade_write(w, &(struct upgrade_record){
			      .type = UPGRADE_REGISTRATION,
			      .registration = {
				      .queue = r->queue ? r->queue->id : 0,
				      .stage = r->state,
				      .pid = r->peer.pid,
				      .uid = r->peer.uid,
				      .gid = r->peer.gid,
			      } }, &r->watch.fd, "");
}

void route_leave(struct route *route)
{
	struct registration *r;
	struct route_queue *q;

	route_deaf(route);
	while ((r = route->registrations)) {
		route->registrations = r->next;
		loop_remove(route->loop, &r->watch);
		close(r->watch.fd);
		free(r);
	}
	while ((q = route->queues.first)) {
		q->announced = false;
		route_queue_free(&route->queues, q);
	}
	free(route);
}

/* --- the new one ----------------------------------------------------------- */

int route_take_queue(struct route *route, int read_fd, int write_fd)
{
	return route_queue_new(&route->queues, read_fd, write_fd) ? 0 : -ENOMEM;
}

int route_take_registration(struct route *route,
			    const struct upgrade_record *record, int fd)
{
	struct registration *r;
	struct route_queue *q = NULL;

	if (record->registration.stage == UPGRADE_LIVE) {
		q = route_queue_find(&route->queues,
				     record->registration.queue);
		if (!q) {
			close(fd);
			return -EBADMSG;
		}
	}
	r = registration_new(route, fd);
	if (!r)
		return -ENOMEM;
	r->peer = (struct ucred){ record->registration.pid,
				  record->registration.uid,
				  record->registration.gid };
	r->state = (enum registration_state)record->registration.stage;
	r->queue = q;
	if (q) {
		q->registrations++;
		route->n_registrations++;
	}
	return 0;
}

void route_taken(struct route *route)
{
	const struct route_events *events = route->queues.events;

	route_choose(route);
	if (route->n_registrations)
		events->live(events->arg, route, true);
}
