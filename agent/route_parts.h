/* SPDX-License-Identifier: MIT */
/* Inside of route*.c: a route and its registrations. */
#ifndef AGENT_ROUTE_PARTS_H
#define AGENT_ROUTE_PARTS_H

#include <sys/socket.h>

#include "route.h"
#include "route_queue.h"

/* A consumer that connects must have said hello by then. */
#define ROUTE_HELLO_MS 5000

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
	int loop;
	bool paused;		/* another process may serve it now */
	struct route_queues queues;
	struct registration *registrations;
	unsigned int n_registrations;	/* live ones */
	uint64_t grace_until_ms, tend_ms;
};

/*
 * registration_new - one more, in REG_HELLO, of a connection
 * Takes @fd. Returns NULL when there is no memory.
 */
struct registration *registration_new(struct route *route, int fd);
/* registration_free - its consumer has left, or has to */
void registration_free(struct registration *r);
/*
 * registration_give - give one that brings no queue the route's, or a new one
 * Or let it wait, at first, for one that brings one; or refuse and free it.
 */
void registration_give(struct registration *r);
/*
 * registration_make_room - when @newest is one too many of its route's, end
 * another one, or it
 */
void registration_make_room(struct registration *newest);

/* route_deaf - stop listening for consumers, if it did */
void route_deaf(struct route *route);
/* route_choose - who sends where has changed */
void route_choose(struct route *route);
/* route_make_queue - one that nobody has yet; NULL: no descriptors, no memory */
struct route_queue *route_make_queue(struct route *route);

#endif
