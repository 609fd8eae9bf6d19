/* SPDX-License-Identifier: MIT */
/*
 * The memory of a worker's connections, allocated once.
 */
#ifndef AGENT_CONN_SLAB_H
#define AGENT_CONN_SLAB_H

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct relay;

/*
 * Input of a handshake, in bytes: a ClientHello fits, longer flights come in
 * pieces. Later it holds the message to the consumer.
 */
#define CONN_BUFFER 4096

/*
 * struct conn_slab - every connection a worker can have
 * @buffers:  CONN_BUFFER bytes each
 * @relays:   RELAY_SIZE bytes each
 * @promised: slots that armed accepts will need
 */
struct conn_slab {
	struct conn *conns, *free;
	uint8_t *buffers;
	struct relay *relays;
	unsigned int size, used, promised;
};

/* Maps the memory, which costs nothing until used. Returns 0 or -ENOMEM. */
int conn_slab_init(struct conn_slab *slab, unsigned int size);
void conn_slab_fini(struct conn_slab *slab);

/*
 * conn_slab_promise - set a slot aside for an accept
 * Returns false when all are taken. When the accept is done its @promised is
 * taken back, and then conn_slab_get() may be called once: it never fails.
 */
bool conn_slab_promise(struct conn_slab *slab);
/* The slot's content is from its last use; conn_slab_put() gives it back. */
struct conn *conn_slab_get(struct conn_slab *slab);
void conn_slab_put(struct conn_slab *slab, struct conn *c);

#endif
