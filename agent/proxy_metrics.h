/* SPDX-License-Identifier: MIT */
/*
 * What proxies have counted, by route: that of processes that there are, and of
 * those that there were. Counts outlive a reload.
 */
#ifndef AGENT_PROXY_METRICS_H
#define AGENT_PROXY_METRICS_H

#include <stdio.h>

#include "config/config.h"
#include "proxy_board.h"

struct proxy_metrics;

/* NULL when out of memory. */
struct proxy_metrics *proxy_metrics_new(void);
void proxy_metrics_free(struct proxy_metrics *all);	/* takes NULL */

/*
 * struct proxy_source - a board, and the routes in its order
 * @name: of each; borrowed
 */
struct proxy_source {
	struct proxy_source *next;
	const struct proxy_board *board;
	const char *const *name;
};

/* proxy_metrics_add - count @source in, until it is removed; borrowed */
void proxy_metrics_add(struct proxy_metrics *all, struct proxy_source *source);
/* proxy_metrics_remove - its processes are gone; what they counted stays */
void proxy_metrics_remove(struct proxy_metrics *all,
			  struct proxy_source *source);

/*
 * proxy_metrics_print - those of the configuration's routes
 * @board: of its proxies, for the servers; in the same order
 */
void proxy_metrics_print(const struct proxy_metrics *all,
			 const struct config *config,
			 const struct proxy_board *board, FILE *out);

#endif
