/* SPDX-License-Identifier: MIT */
#ifndef STATIC_WORKER_H
#define STATIC_WORKER_H

/*
 * worker_run - take connections from a queue and serve them, in one loop
 * @root:     folder the files are below
 * @queue_fd: the queue's read end
 * @hold_ms:  as ktls_queue_new() has it
 * SIGTERM and SIGINT, which must be blocked, end it once no response is under
 * way. Returns the process's exit status.
 */
int worker_run(int root, int queue_fd, unsigned int hold_ms);

#endif
