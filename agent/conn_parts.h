/* SPDX-License-Identifier: MIT */
/* What the files of a connection share; nobody else includes it. */
#ifndef AGENT_CONN_PARTS_H
#define AGENT_CONN_PARTS_H

#include <stddef.h>

#include "conn.h"
#include "metrics.h"

/* RFC 8446 6. */
#define ALERT_CERTIFICATE_UNKNOWN 46
#define ALERT_ILLEGAL_PARAMETER 47
#define ALERT_INTERNAL_ERROR 80

/* Its place in the slab, and its CONN_BUFFER bytes there. */
size_t conn_slot(const struct conn *c);
uint8_t *conn_buffer(const struct conn *c);
/* The name of the route that was chosen, or "-"; for log lines. */
const char *conn_route_name(const struct conn *c);

void conn_count(struct conn *c, enum metric id);
/* conn_fail - count and log it, once; what follows the output is the end */
void conn_fail(struct conn *c, enum hs_failure failure, const char *error);
/* conn_peer_gone - it went away, by @error or 0: count, log and free */
void conn_peer_gone(struct conn *c, int error);
/* conn_give_up - the client let us wait: count and log it, unless it failed */
void conn_give_up(struct conn *c, enum metric id, const char *reason,
		  const char *error);

/* conn_feed - the handshake sees what has arrived; returns how much it took */
size_t conn_feed(struct conn *c, const uint8_t *in, size_t len);
/*
 * conn_consume - take out of the socket what was only looked at
 * @at: where its @len bytes are in a buffer; they come there once more
 */
void conn_consume(struct conn *c, uint8_t *at, size_t len);
/* conn_cut - end it: the operation in flight does so at once */
void conn_cut(struct conn *c);
/* conn_flush - send the output, then do what c->step says */
void conn_flush(struct conn *c);
/* conn_attach - make the socket ready for the kernel's TLS; false: it is gone */
bool conn_attach(struct conn *c);

/*
 * conn_admit.c: conn_admit - find out who it is that was accepted, see whether
 * there is room for it, make some, and go on with conn_shake_hands()
 */
void conn_admit(struct conn *c);
void conn_shake_hands(struct conn *c);
/* conn_leave - it is no handshake in flight any more, or never was */
void conn_leave(struct conn *c);

/* conn_drop_message - to the consumer: it was sent, or never will be */
void conn_drop_message(struct conn *c);

/*
 * conn_route.c: conn_choose_early - decide what can be before a client has said
 * anything
 * Sets c->peeking. Returns false when it was not let in, and is gone.
 */
bool conn_choose_early(struct conn *c);
/* conn_choose - hs_new()'s callback, which sets c->route */
enum hs_choice conn_choose(void *arg, struct hs_hello *hello);
/* conn_stopped - the handshake was not to be performed: HS_PASS */
void conn_stopped(struct conn *c);

/*
 * conn_peek.c: conn_peek - look at the ClientHello where it is until the route
 * is chosen, then take it, or leave it there: conn_stopped()
 */
void conn_peek(struct conn *c);

/*
 * conn_handoff.c: conn_hand_off - every byte of the handshake is sent, none
 * behind it is read
 */
void conn_hand_off(struct conn *c);
/* conn_note_hello - write the message of a connection that is passed on */
void conn_note_hello(struct conn *c, const struct hs_hello *hello);
/* conn_pass - pass it on with that message, with nothing read of it */
void conn_pass(struct conn *c);

#endif
