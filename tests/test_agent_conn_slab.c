// SPDX-License-Identifier: MIT
#include "agent/conn_slab.h"

#include "agent/conn.h"
#include "agent/relay.h"
#include "agent_case.h"

TestSuite(conn_slab, .timeout = 10);

static struct conn_slab slab;

static void start(void)
{
	cr_assert_eq(conn_slab_init(&slab, 4), 0);
}

static void stop(void)
{
	conn_slab_fini(&slab);
}

Test(conn_slab, promises_every_slot_once, .init = start, .fini = stop)
{
	struct conn *c;
	int i;

	for (i = 0; i < 4; i++)
		cr_assert(conn_slab_promise(&slab));
	cr_assert_not(conn_slab_promise(&slab));
	slab.promised--;
	c = conn_slab_get(&slab);
	cr_assert_not(conn_slab_promise(&slab), "three are promised");
	conn_slab_put(&slab, c);
	cr_assert(conn_slab_promise(&slab));
	cr_assert_not(conn_slab_promise(&slab));
}

Test(conn_slab, gives_different_slots_with_their_own_memory, .init = start,
     .fini = stop)
{
	struct conn *c[4];
	int i;

	for (i = 0; i < 4; i++) {
		c[i] = conn_slab_get(&slab);
		cr_assert_eq(c[i], &slab.conns[i], "the lowest first");
	}
	cr_assert_eq(slab.used, 4);
	slab.buffers[4 * CONN_BUFFER - 1] = 1;
	((char *)relay_at(slab.relays, 3))[RELAY_SIZE - 1] = 1;
	conn_slab_put(&slab, c[2]);
	cr_assert_eq(conn_slab_get(&slab), c[2]);
}

Test(conn_slab, that_there_is_no_memory_for_is_an_error)
{
	cr_assert_eq(conn_slab_init(&slab, 0xffffffff), -ENOMEM);
}
