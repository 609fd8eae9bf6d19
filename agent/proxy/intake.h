/* SPDX-License-Identifier: MIT */
/* A route's queue: registering for it, and taking connections. */
#ifndef AGENT_PROXY_INTAKE_H
#define AGENT_PROXY_INTAKE_H

#include "state.h"

/*
 * intake_init - a route, as master says; registers
 * @reg: a connection that nothing was said on yet; taken
 * Returns 0 or -errno: it could not.
 */
int intake_init(struct intake *in, struct proxy *p,
		const struct proxy_order *order, uint32_t route, int reg);
void intake_fini(struct intake *in);

/* intake_watch - take connections from now on, as they come */
void intake_watch(struct intake *in);
/* intake_leave - take what waits now, and then no more */
void intake_leave(struct intake *in);
/* intake_pause - take none until one ends, or a while is over; logs @why */
void intake_pause(struct proxy *p, const char *why);
/* intake_resume - there is room again for a connection */
void intake_resume(struct proxy *p);

#endif
