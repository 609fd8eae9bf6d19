/* SPDX-License-Identifier: MIT */
/*
 * The keys of session tickets, as master has them: three random ones, of which
 * each is in turn next, current and previous, for ticket_lifetime each, and so
 * outlives every ticket it made; kept in state_dir, so that sessions outlive a
 * restart. Or those of a file that somebody else changes.
 */
#ifndef AGENT_TICKET_KEYS_H
#define AGENT_TICKET_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "handshake/tickets.h"

struct ticket_keys;

/*
 * ticket_keys_new - random ones, for as long as no configuration says more
 * Returns NULL when out of memory.
 */
struct ticket_keys *ticket_keys_new(void);
void ticket_keys_free(struct ticket_keys *keys);	/* wipes; takes NULL */

/* ticket_keys_get - for contexts and workers; the same object for ever */
struct hs_tickets *ticket_keys_get(const struct ticket_keys *keys);

/*
 * ticket_keys_check - would ticket_keys_use() work?
 * Logs why not, and warns when others can read the file; call it before.
 */
bool ticket_keys_check(const struct config *config);

/*
 * ticket_keys_use - the first configuration, or another
 * @now_ms: loop_now_ms(), by which keys are rotated
 * @wall_s: time(NULL), by which it is known after a restart how old they are
 * A file is read again, and so are the keys in state_dir, unless there are our
 * own already: then these stay, and none is current for longer than the new
 * lifetime. What is stored and of no use is replaced, and where nothing can be
 * stored they are kept in memory only; both are logged. Where no listener has
 * tickets, nothing is stored.
 * The caller tells running workers. Returns false after logging what is wrong
 * with the file; then all is as before.
 */
bool ticket_keys_use(struct ticket_keys *keys, const struct config *config,
		     uint64_t now_ms, int64_t wall_s);

/*
 * ticket_keys_tick - rotate them when it is time
 * Returns whether they have changed: the caller tells the workers.
 */
bool ticket_keys_tick(struct ticket_keys *keys, uint64_t now_ms,
		      int64_t wall_s);
/* When to call that again, in loop_now_ms() terms, or UINT64_MAX. */
uint64_t ticket_keys_due(const struct ticket_keys *keys);

#endif
