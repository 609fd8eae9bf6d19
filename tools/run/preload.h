/* SPDX-License-Identifier: MIT */
#ifndef RUN_PRELOAD_H
#define RUN_PRELOAD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "tools/run/options.h"

/*
 * struct run_preload - the library's part in a server that is to be started
 * @report: a pair of sockets that the library reports by; -1: none
 * @path:   the library
 * @text:   what its variable is to be
 */
struct run_preload {
	int report[2];
	char path[4096];
	char text[4096];
};

struct ktls_registration;
struct preload_report;

/*
 * run_preload_init - find the library, and whether it can be in the server
 * @reg:   of each queue of @o, borrowed
 * @error: gets a sentence if not
 * Returns 0; -EACCES: not in this program; -ENOENT: there is no such program;
 * or another -errno.
 */
int run_preload_init(struct run_preload *p, const struct run_options *o,
		     struct ktls_registration *const *reg, char *error,
		     size_t error_len);
/* Also when it was not initialised, but for @report. */
void run_preload_free(struct run_preload *p);

/* In the server's process, before it is executed. Returns 0 or -errno. */
int run_preload_enter(const struct run_preload *p);

/*
 * run_preload_wait - until the library has said that it is there
 * Returns 0; -ETIMEDOUT after 5 s; or -ECHILD when the server has ended, or has
 * become another program without it.
 */
int run_preload_wait(struct run_preload *p);

/*
 * run_preload_next - what the library has to report, later on
 * Never waits. Returns whether there was anything. When nobody is left who could
 * report, @report is closed.
 */
bool run_preload_next(struct run_preload *p, struct preload_report *report);

#endif
