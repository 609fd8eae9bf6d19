/* SPDX-License-Identifier: MIT */
#ifndef RUN_PRELOAD_H
#define RUN_PRELOAD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "tools/run/options.h"

/*
 * struct run_preload - the library's part in a server that is to be started
 * @report: a pipe that the library writes a byte to; -1: none
 * @path:   the library
 * @text:   what its variable is to be
 */
struct run_preload {
	int report[2];
	char path[4096];
	char text[4096];
};

/*
 * run_preload_init - find the library, and whether it can be in the server
 * @queue_fds, @hold_ms: of each queue of @o
 * @error: gets a sentence if not
 * Returns 0; -EACCES: not in this program; -ENOENT: there is no such program;
 * or another -errno.
 */
int run_preload_init(struct run_preload *p, const struct run_options *o,
		     const int *queue_fds, const unsigned int *hold_ms,
		     char *error, size_t error_len);
void run_preload_free(struct run_preload *p);

/* In the server's process, before it is executed. Returns 0 or -errno. */
int run_preload_enter(const struct run_preload *p);

/*
 * run_preload_wait - until the library has said that it is there
 * Returns 0; -ETIMEDOUT after 5 s; or -ECHILD when the server has ended, or has
 * become another program without it.
 */
int run_preload_wait(struct run_preload *p);

#endif
