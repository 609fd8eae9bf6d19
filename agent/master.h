/* SPDX-License-Identifier: MIT */
/*
 * master: holds what outlives a worker (listeners, certificates, queues), and
 * supervises. It reads from no client's socket, and has no ring.
 */
#ifndef AGENT_MASTER_H
#define AGENT_MASTER_H

#include "generation.h"
#include "ticket_keys.h"
#include "watcher.h"

/*
 * master_run - serve until told to stop by SIGTERM or SIGINT, or until another
 *              master has taken this one's place
 * @file:    the configuration, read again at SIGHUP
 * @argv:    the program's arguments, for an upgrade
 * @first:   what it said at the start; taken
 * @tickets: that generation's; outlives it
 * @watcher: of the files that were read for it; outlives it, too
 * Logs what goes wrong. Returns the process's exit status; never returns
 * twice, although it forks: workers end in it.
 */
int master_run(const char *file, char *const *argv, struct generation *first,
	       struct ticket_keys *tickets, struct watcher *watcher);

#endif
