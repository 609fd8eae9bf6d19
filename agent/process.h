/* SPDX-License-Identifier: MIT */
/*
 * What a process may do: whose it is, which descriptors it holds, how many.
 */
#ifndef AGENT_PROCESS_H
#define AGENT_PROCESS_H

#include <stddef.h>

#include "config/config.h"

/*
 * process_limit - raise RLIMIT_NOFILE and say how many connections fit
 * @slots: gets the connections that one worker can have at a time
 * Descriptors in a queue count against their sender, so the limit covers all
 * routes' queues and, per slot, a connection and a relay's two ends.
 * Returns 0, or -EMFILE with a sentence in @error.
 */
int process_limit(const struct config *config, unsigned int *slots,
		  char *error, size_t error_len);

/*
 * process_lift_memory - raise RLIMIT_MEMLOCK, as far as may be
 * Newer kernels count against it the rings of all processes of a user: of our
 * workers, and of those of the configurations before that are not done yet.
 */
void process_lift_memory(void);

/*
 * process_drop - become this account, when root, for good
 * Whoever it was, execve(2) gives no privileges any more. Returns 0 or -errno.
 */
int process_drop(uid_t uid, gid_t gid);

/*
 * process_environ - what of @all, see environ(7), a process may have that hears
 * strangers: how libraries find files, names and the time, and no more, for in
 * containers secrets are in the environment
 * @kept: gets some of @all and NULL
 */
#define PROCESS_ENVIRON_MAX 16
void process_environ(char *const all[], char *kept[PROCESS_ENVIRON_MAX]);

/* process_keep - close every descriptor above 2 but @fds, which it sorts */
void process_keep(int *fds, size_t n);

/*
 * process_try - can a worker become the configured user, and have its ring?
 * Tried in a child: master itself never has one. Returns 0, or -errno with a
 * sentence in @error.
 */
int process_try(const struct config *config, char *error, size_t error_len);

#endif
