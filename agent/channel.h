/* SPDX-License-Identifier: MIT */
/*
 * What master and a worker say to each other over a SEQPACKET socketpair. A
 * worker that reads its end knows that master is gone, and stops as if told.
 */
#ifndef AGENT_CHANNEL_H
#define AGENT_CHANNEL_H

#include <stdint.h>

#include "handshake/tickets.h"
#include "ocsp/ocsp.h"

enum channel_type {
	CHANNEL_QUEUE_ADD,	/* to worker, with the queue's write end */
	CHANNEL_QUEUE_REMOVE,	/* to worker: send it nothing any more */
	CHANNEL_QUEUE_BROKEN,	/* to master: somebody shut it down */
	CHANNEL_ROUTE_UP,	/* to worker: somebody is registered, */
	CHANNEL_ROUTE_DOWN,	/* nobody is */
	CHANNEL_READY,		/* to master: it could begin to accept */
	CHANNEL_ACCEPT,		/* to worker: begin */
	CHANNEL_LEAVE,		/* to worker: accept what waits at this listener,
				 * and then no more, for nobody else will */
	CHANNEL_STOP,		/* to worker: accept no more, finish and end */
	CHANNEL_LEFT,		/* to master: it accepts no more */
	CHANNEL_STAPLE,		/* to worker: staple this from now on */
	CHANNEL_STAPLE_TAKEN,	/* to master: it does */
	CHANNEL_STAPLE_LOST,	/* to master: it cannot, and keeps the old one */
	CHANNEL_TICKETS,	/* to worker: use these keys from now on */
};

/*
 * @id: a queue's: the read end's inode number, which tells a route's queues
 *      apart; a staple's: as it came with it; a listener's: its index
 */
struct channel_msg {
	uint32_t type;
	uint32_t route;
	uint64_t id;
};

/*
 * struct channel_staple - CHANNEL_STAPLE, with the response behind it
 * @cert, @depth: see hs_cert_set_staple()
 * @id:           master's own
 */
struct channel_staple {
	uint32_t type;
	uint32_t cert, depth;
	uint32_t zero;
	uint64_t id;
	struct ocsp_times times;
};

/* struct channel_tickets - CHANNEL_TICKETS; whoever has one wipes it */
struct channel_tickets {
	uint32_t type;
	struct hs_ticket_keys keys;
};

/*
 * struct channel_in - what was heard: @staple with CHANNEL_STAPLE, @tickets with
 * CHANNEL_TICKETS, else @msg
 * @der: the response, in @buf
 */
struct channel_in {
	union {
		struct channel_msg msg;
		struct channel_staple staple;
		struct channel_tickets tickets;
	};
	struct ocsp_bytes der;
	uint8_t buf[sizeof(struct channel_staple) + OCSP_MAX_LEN];
};

/*
 * channel_send - say something; @fd travels along unless it is -1
 * Borrowed @fd. Never blocks. Returns 0 or -errno of sendmsg(2).
 */
int channel_send(int channel, const struct channel_msg *msg, int fd);

/* channel_send_staple - likewise; @der: at most OCSP_MAX_LEN bytes */
int channel_send_staple(int channel, const struct channel_staple *staple,
			struct ocsp_bytes der);

/* channel_send_tickets - likewise; @keys are borrowed */
int channel_send_tickets(int channel, const struct hs_ticket_keys *keys);

/* channel_wipe - nothing of a CHANNEL_TICKETS that was heard stays in @in */
void channel_wipe(struct channel_in *in);

/*
 * channel_recv - hear something, never blocks
 * @fd: gets the descriptor that came along, the caller's to close, or -1
 * Returns 1, 0 at the end (the other side is gone), or -errno; -EAGAIN: nothing
 * there; -EBADMSG: not a message of ours.
 */
int channel_recv(int channel, struct channel_in *in, int *fd);

#endif
