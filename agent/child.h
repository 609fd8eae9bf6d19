/* SPDX-License-Identifier: MIT */
/* A process that master starts, talks to, and starts again when it ends. */
#ifndef AGENT_CHILD_H
#define AGENT_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "loop.h"

/*
 * struct child - zeroed: it is to be started at once
 * @socket: master's end of a SEQPACKET pair, CLOEXEC, while there is a process;
 *          first, so that a watch's callback finds the child. Its owner sets
 *          @socket.ready
 * @name:   what it is, for the log: "worker"
 * @pid:    0 while there is none
 */
struct child {
	struct watch socket;
	const char *name;
	pid_t pid;
	unsigned int backoff_ms;
	uint64_t started_ms;
	uint64_t restart_ms;	/* when to start it, while there is none */
};

/*
 * child_start - a new process
 * @run: called in it with @arg and its end of the pair (CLOEXEC); returns its
 *       exit status. Nothing of master's has been closed there. Signals that a
 *       terminal or a service manager sends to the whole group are ignored:
 *       the end of the pair tells it to stop.
 * Returns 0, or -errno after logging it; then @child->restart_ms is later.
 */
int child_start(struct child *child, int loop,
		int (*run)(void *arg, int socket), void *arg);

/*
 * child_become - in the new process: this very program, executed anew
 * @part: which part of it, as in `ktlsd --stapler`: "stapler"
 * @fd:   where that finds @socket, of all of master's the one descriptor it gets
 * @uid, @gid: become, when root. So there is nothing secret in its memory.
 * Returns its exit status, after logging why it could not.
 */
int child_become(const char *part, int socket, int fd, uid_t uid, gid_t gid);

/*
 * child_ended - it was waited for
 * Closes the socket. Unless @expected, logs how it ended and waits before the
 * next start, twice as long each time, unless it ran for longer than that.
 */
void child_ended(struct child *child, int loop, int status, bool expected);

#endif
