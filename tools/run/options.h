/* SPDX-License-Identifier: MIT */
#ifndef RUN_OPTIONS_H
#define RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Exit codes: ours, and those of a shell for a command it cannot start. */
#define RUN_USAGE 100
#define RUN_SYSTEM 111
#define RUN_REFUSED 126 /* it may not, or must not be executed */
#define RUN_NOT_FOUND 127

#define RUN_QUEUES_MAX 16
#define RUN_FD_FIRST 3
#define RUN_FD_MAX 255

/*
 * struct run_queue - one queue that the server gets
 * @path:    the route's socket
 * @fd:      its descriptor in the server
 * @preload: the library is to pass it off as a listening socket
 * @port:    in the place of which one, by the port that it is bound to; 0: the
 *           first one
 */
struct run_queue {
	const char *path;
	int fd;
	bool preload;
	int port;
};

/* @command: ends with a NULL; the strings are those of argv. */
struct run_options {
	struct run_queue queues[RUN_QUEUES_MAX];
	size_t n;
	char **command;
};

/*
 * run_parse_options - read the command line
 * @error: gets a sentence when it is wrong
 * A queue without --fd gets the first descriptor from 3 on that no queue has.
 * Returns 0 or -EINVAL.
 */
int run_parse_options(struct run_options *o, int argc, char **argv, char *error,
		      size_t error_len);

/* The descriptor behind those of all queues. */
int run_first_free(const struct run_options *o);
/* Is the library wanted for any of them? */
bool run_wants_preload(const struct run_options *o);

#endif
