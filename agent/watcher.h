/* SPDX-License-Identifier: MIT */
/*
 * Notices that files which a configuration was read from, itself aside, have
 * changed: as they are replaced one after another, at their end.
 */
#ifndef AGENT_WATCHER_H
#define AGENT_WATCHER_H

#include "config/config.h"

struct watcher;

struct watcher *watcher_new(void);	/* NULL when out of memory */
void watcher_free(struct watcher *watcher);	/* takes NULL */

/*
 * watcher_use - from now on what is read for @config counts, as it is now
 * Before it is read, so that nothing can change in between and stay unnoticed.
 * @config: not needed afterwards
 * Logs what cannot be watched.
 */
void watcher_use(struct watcher *watcher, const struct config *config);

/* watcher_done - all was read, whoever asked for it; @failed: and is of no use */
void watcher_done(struct watcher *watcher, bool failed, uint64_t now_ms);

/*
 * watcher_attach - hear of changes from now on, and of those since watcher_use()
 * @loop: outlives it
 */
void watcher_attach(struct watcher *watcher, int loop);

/*
 * watcher_tick - is it time to read everything again?
 * That is once what has changed has been quiet for half a second, or has not for
 * five; and once more a second after what was read then has failed, in case that
 * one of two files was read that belong together.
 */
bool watcher_tick(struct watcher *watcher, uint64_t now_ms);
/* watcher_due - when watcher_tick() is next to be called, or UINT64_MAX */
uint64_t watcher_due(const struct watcher *watcher);

#endif
