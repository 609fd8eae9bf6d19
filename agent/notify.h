/* SPDX-License-Identifier: MIT */
/*
 * What a service manager is told, see sd_notify(3): nothing, unless it has set
 * NOTIFY_SOCKET. Each waits for a second at most.
 */
#ifndef AGENT_NOTIFY_H
#define AGENT_NOTIFY_H

#include <sys/types.h>

/* notify_ready - it serves, for the first time or after notify_reloading() */
void notify_ready(void);
/* notify_reloading - it goes on serving, but not by its newest configuration */
void notify_reloading(void);
/* notify_stopping - it serves no more */
void notify_stopping(void);
/* notify_main - another process is ready, and the one to watch from now on */
void notify_main(pid_t pid);

#endif
