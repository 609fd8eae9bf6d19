/* SPDX-License-Identifier: MIT */
/* What the files of generation*.c share. */
#ifndef AGENT_GENERATION_PARTS_H
#define AGENT_GENERATION_PARTS_H

#include "generation.h"

/* generation_no_memory - logs it, and returns -ENOMEM */
int generation_no_memory(void);

/* generation_find_route - that route_is(); NULL: none. @g may be NULL */
struct route *generation_find_route(const struct generation *g,
				    const struct config_route *config);
/* generation_index_of - @route's index, or config's n_routes */
size_t generation_index_of(const struct generation *g,
			   const struct route *route);

/* generation_is_route_up - for doors_new(); @arg: the generation */
bool generation_is_route_up(void *arg, unsigned int route);

/* generation_return - stop having sockets and routes, which another master has */
void generation_return(struct generation *g);

#endif
