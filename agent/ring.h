/* SPDX-License-Identifier: MIT */
/*
 * A process's io_uring: operations with a callback each, and one wait.
 */
#ifndef AGENT_RING_H
#define AGENT_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/uring.h"

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/*
 * struct ring_op - an operation in flight
 * It lives, as do the buffers the operation names, until @done was called with
 * the result: 0 or more, or -errno, as the system call would have it. One with
 * several results (multishot) lives until a call without the ring's @more.
 */
struct ring_op {
	void (*done)(struct ring_op *op, int result);
};

/*
 * struct ring
 * @more: for the time of a callback: its operation goes on, and calls again
 */
struct ring {
	struct io_uring uring;
	bool more;
};

/*
 * ring_init - make this process's ring
 * Used by this process alone, so to be made after fork(2): whoever inherits a
 * ring can make its owner execute operations.
 * Returns 0 or as uring_open(); uring_denied() says what the error means.
 */
int ring_init(struct ring *ring);
void ring_fini(struct ring *ring);

/*
 * ring_prepare - an entry to fill in with io_uring_prep_*()
 * Never fails: a full submission queue is submitted first. The entry starts
 * with the next ring_wait().
 */
struct io_uring_sqe *ring_prepare(struct ring *ring, struct ring_op *op);

/*
 * ring_cancel - have an operation end, which then says -ECANCELED
 * Not by IORING_OP_POLL_REMOVE: a poll that is just being woken goes on.
 */
void ring_cancel(struct ring *ring, struct ring_op *op);

/*
 * ring_close - close @fd with the next ring_wait(), which spares a system call
 * From here on it is not the caller's any more.
 */
void ring_close(struct ring *ring, int fd);

/*
 * ring_wait - submit what was prepared, and wait until something is done
 * @timeout_ms: the longest wait; negative: no limit
 * Returns 0, also at the end of the time, or -errno of io_uring_enter(2).
 */
int ring_wait(struct ring *ring, int64_t timeout_ms);

/* ring_call_back - for what is done; apart, to look at the clock in between */
void ring_call_back(struct ring *ring);

#endif
