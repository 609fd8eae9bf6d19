/* SPDX-License-Identifier: MIT */
/*
 * The proxy processes of a configuration, as master sees them: as many as there
 * are workers, each for all routes with servers of their own, or none.
 */
#ifndef AGENT_PROXIES_H
#define AGENT_PROXIES_H

#include <stdbool.h>

#include "config/config.h"
#include "metrics.h"
#include "proxy_metrics.h"
#include "route.h"

struct proxies;

/*
 * struct proxies_setup - borrowed for the proxies' life
 * @routes:  by the index of @config's; NULL: closed
 * @metrics: master's own
 */
struct proxies_setup {
	const struct config *config;
	struct route *const *routes;
	int loop;
	struct metrics *metrics;
	struct proxy_metrics *counts;
};

/* proxies_new - none runs before the first proxies_tick(). NULL: no memory */
struct proxies *proxies_new(const struct proxies_setup *setup);
void proxies_free(struct proxies *all);		/* takes NULL */

/*
 * proxies_ready - are all registered?
 * Returns 1, 0: not yet, or -ECHILD when one ended instead; it is not replaced.
 */
int proxies_ready(const struct proxies *all);

/* proxies_accept - take connections; from now on one that ends is replaced */
void proxies_accept(struct proxies *all);

/*
 * proxies_leave - others take this route's connections from now on
 * @route: by the index of the configuration's
 */
void proxies_leave(struct proxies *all, size_t route);
/*
 * proxies_stop - end once there are no connections any more, nor anybody who
 * sends some; after drain_timeout in any case, and then they are killed
 */
void proxies_stop(struct proxies *all);

/* proxies_ended - was waited for. Returns false when @pid is not a proxy's. */
bool proxies_ended(struct proxies *all, pid_t pid, int status);
unsigned int proxies_count(const struct proxies *all);

/* Returns when to be called again, in loop_now_ms() terms, or UINT64_MAX. */
uint64_t proxies_tick(struct proxies *all, uint64_t now_ms);

void proxies_print(const struct proxies *all, FILE *out);

#endif
