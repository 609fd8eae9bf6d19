/* SPDX-License-Identifier: MIT */
#ifndef RUN_START_H
#define RUN_START_H

#include <signal.h>
#include <sys/types.h>

#include "tools/run/options.h"
#include "tools/run/preload.h"

/*
 * run_start - start the server with its queues
 * @queue_fds: the queues' read ends, one for each of @o; borrowed
 * @hold_ms:   what ktlsd says of each: how long a connection may wait, 0: not yet
 * @mask:      the signals that it blocks
 * @preload:   what the library needs, or NULL
 * Waits until it is executed. Returns its pid, or -errno of execvp(3) or of
 * what came before it.
 */
pid_t run_start(const struct run_options *o, const int *queue_fds,
		const unsigned int *hold_ms, const sigset_t *mask,
		const struct run_preload *preload);

/*
 * run_names - what LISTEN_FDNAMES says of the first @n queues' descriptors
 * The file names of their sockets without .sock, a colon between them.
 * Returns 0, or -E2BIG when @len is too small.
 */
int run_names(const struct run_options *o, int n, char *buf, size_t len);

/*
 * run_hold_times - what KTLS_HOLD_MS says of the first @n queues' descriptors
 * Their @hold_ms in the same order, a colon between them. 0 or -E2BIG.
 */
#define RUN_HOLD_ENV "KTLS_HOLD_MS"
int run_hold_times(const struct run_options *o, int n,
		   const unsigned int *hold_ms, char *buf, size_t len);

/* run_out_of_way - a copy of @fd, CLOEXEC, behind all queues' places. -errno. */
int run_out_of_way(const struct run_options *o, int fd);

/* How many descriptors without a gap, from the first on, are queues? */
int run_listen_fds(const struct run_options *o);

#endif
