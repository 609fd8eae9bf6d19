/* SPDX-License-Identifier: MIT */
/*
 * A connection, from accept to hand-off:
 *
 *	HEADER (from a load balancer) -> HANDSHAKE
 *	HANDSHAKE -> HANDOFF -> gone
 *	                 \-> RELAY (when the kernel cannot) -> gone
 *	HANDSHAKE, on failure, -> CLOSING -> gone
 *
 * Where it goes is chosen by the ClientHello. On the way to HANDOFF the keys go
 * to the kernel, unless the ClientHello is left for the consumer to read. Each
 * state has one set of operations in flight and one deadline, and a connection
 * is freed only when nothing of it is in flight.
 */
#ifndef AGENT_CONN_H
#define AGENT_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "deadline.h"
#include "handshake/handshake.h"
#include "queue.h"
#include "ring.h"

struct listener;
struct relay;
struct worker;

enum conn_state {
	CONN_FREE,
	CONN_HEADER,
	CONN_HANDSHAKE,
	CONN_HANDOFF,
	CONN_RELAY,
	CONN_CLOSING,	/* sending an alert, then waiting for the peer */
	CONN_DEAD,	/* nothing more to do, but something is in flight */
};

struct conn {
	struct ring_op op;	/* the one operation; a relay has its own */
	struct deadline deadline;
	struct worker *worker;
	struct listener *listener;
	struct hs *hs;
	struct relay *relay;	/* NULL unless this is one */
	struct handoff handoff;
	struct conn *next_free;
	int fd;
	enum conn_state state;
	enum hs_step step;	/* what to do once the output is sent */
	unsigned int route;	/* CONFIG_DENY until it is chosen */
	bool peeking;		/* the ClientHello stays where it is, */
	bool patient;		/* and is awaited in large pieces */
	unsigned int looks;	/* at it, in vain */
	size_t fed;		/* bytes of it that the handshake has seen */
	bool flight_sent;	/* from here on a Finished may arrive */
	bool in_flight, joined;	/* what struct limits counts of it */
	unsigned int header_len;	/* of a PROXY header, what is taken */
	/* By a PROXY header, where there was one; @local is AF_UNSPEC for the
	 * socket's own. */
	struct sockaddr_storage peer, local;
};

/* conn_start - begin with an accepted socket; takes @fd */
void conn_start(struct worker *w, struct listener *l, int fd,
		const struct sockaddr_storage *peer);

/* conn_free - close and forget; nothing may be in flight */
void conn_free(struct conn *c);

/* Deadline callbacks of struct worker's lists. */
void conn_handshake_due(struct deadline *d);
void conn_header_due(struct deadline *d);	/* of struct listener's */
void conn_closing_due(struct deadline *d);

/* "203.0.113.7:4711" of the peer or "unix", for log lines; a static buffer. */
const char *conn_peer(const struct conn *c);

#endif
