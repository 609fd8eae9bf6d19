/* SPDX-License-Identifier: MIT */
#include "conn_slab.h"

#include <errno.h>
#include <sys/mman.h>

#include "conn.h"
#include "relay.h"

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int conn_slab_init(struct conn_slab *slab, unsigned int size)
{
	unsigned int i;

	*slab = (struct conn_slab){ .size = size };
	slab->conns = map(size * sizeof(*slab->conns));
	slab->buffers = map((size_t)size * CONN_BUFFER);
	slab->relays = map((size_t)size * RELAY_SIZE);
	if (!slab->conns || !slab->buffers || !slab->relays) {
		conn_slab_fini(slab);
		return -ENOMEM;
	}
	/* The lowest slot on top, so that few pages are ever touched. */
	for (i = size; i-- > 0;) {
		slab->conns[i].next_free = slab->free;
		slab->free = &slab->conns[i];
	}
	return 0;
}

void conn_slab_fini(struct conn_slab *slab)
{
	if (slab->conns)
		munmap(slab->conns, slab->size * sizeof(*slab->conns));
	if (slab->buffers)
		munmap(slab->buffers, (size_t)slab->size * CONN_BUFFER);
	if (slab->relays)
		munmap(slab->relays, (size_t)slab->size * RELAY_SIZE);
}

bool conn_slab_promise(struct conn_slab *slab)
{
	if (slab->used + slab->promised >= slab->size)
		return false;
	slab->promised++;
	return true;
}

struct conn *conn_slab_get(struct conn_slab *slab)
{
	struct conn *c = slab->free;

	slab->free = c->next_free;
	slab->used++;
	return c;
}

void conn_slab_put(struct conn_slab *slab, struct conn *c)
{
	c->next_free = slab->free;
	slab->free = c;
	slab->used--;
}
