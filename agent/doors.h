/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets as load balancers see them: while each route that one leads
 * to refuses clients, for want of a consumer, it does not listen. Its port stays
 * taken.
 */
#ifndef AGENT_DOORS_H
#define AGENT_DOORS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct doors;

/*
 * doors_new - for the sockets of a configuration's listeners, which may listen
 * already, for the one before
 * @fds:     by the listener's index; borrowed, -1: none
 * @foreign: likewise: somebody else's, who has it listen, and how; it is never
 *           shut
 * @is_up:   does this route have a consumer?
 * Returns NULL when out of memory.
 */
struct doors *doors_new(const struct config *config, const int *fds,
			const bool *foreign,
			bool (*is_up)(void *arg, unsigned int route),
			void *arg);
void doors_free(struct doors *doors);	/* takes NULL */

/*
 * doors_open - from now on those listen that lead anywhere
 * Once more, when others have had the same sockets since. Logs those that did
 * not listen before. Returns 0, or, after logging it, -errno of
 * listen(2) or listener_set_tcp(); none was shut then.
 */
int doors_open(struct doors *doors);

/* doors_update - consumers came or went; nothing before doors_open() */
void doors_update(struct doors *doors);

/*
 * doors_tick - try again those that could not listen
 * Returns when to be called again, in loop_now_ms() terms, or UINT64_MAX.
 */
uint64_t doors_tick(struct doors *doors, uint64_t now_ms);

#endif
