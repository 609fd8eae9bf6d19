/* SPDX-License-Identifier: MIT */
/*
 * What master and a worker say to each other over a SEQPACKET socketpair. A
 * worker that reads its end knows that master is gone, and stops as if told.
 */
#ifndef AGENT_CHANNEL_H
#define AGENT_CHANNEL_H

#include <stdint.h>

enum channel_type {
	CHANNEL_QUEUE_ADD,	/* to worker, with the queue's write end */
	CHANNEL_QUEUE_REMOVE,	/* to worker: send it nothing any more */
	CHANNEL_QUEUE_BROKEN,	/* to master: somebody shut it down */
	CHANNEL_STOP,		/* to worker */
};

/* @queue: the read end's inode number, which tells a route's queues apart */
struct channel_msg {
	uint32_t type;
	uint32_t route;
	uint64_t queue;
};

/*
 * channel_send - say something; @fd travels along unless it is -1
 * Borrowed @fd. Never blocks. Returns 0 or -errno of sendmsg(2).
 */
int channel_send(int channel, const struct channel_msg *msg, int fd);

/*
 * channel_recv - hear something, never blocks
 * @fd: gets the descriptor that came along, the caller's to close, or -1
 * Returns 1, 0 at the end (the other side is gone), or -errno; -EAGAIN: nothing
 * there; -EBADMSG: not a message of ours.
 */
int channel_recv(int channel, struct channel_msg *msg, int *fd);

#endif
