/* SPDX-License-Identifier: MIT */
/*
 * The relay: TLS in user space for a connection that the kernel cannot take.
 * The consumer gets one end of a socketpair instead of the client's socket.
 * Each direction has one operation in flight, so neither waits for the other.
 */
#ifndef AGENT_RELAY_H
#define AGENT_RELAY_H

#include <stddef.h>

struct conn;
struct relay;

/* Bytes of address space per relay; touched only when used. */
#define RELAY_SIZE (80 * 1024)

static inline struct relay *relay_at(struct relay *slab, size_t slot)
{
	return (struct relay *)((char *)slab + slot * RELAY_SIZE);
}

/*
 * relay_new - prepare to relay for @c
 * @far: gets the consumer's end; the caller closes it
 * Returns 0 or -errno of socketpair(2).
 */
int relay_new(struct relay *r, struct conn *c, int *far);

/* relay_start - begin; from here on the relay frees its connection */
void relay_start(struct relay *r);

/* relay_due - its connection's deadline has come */
void relay_due(struct relay *r);

/* relay_cut - end it now, whatever was on the way */
void relay_cut(struct relay *r);

#endif
