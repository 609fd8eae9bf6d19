// SPDX-License-Identifier: MIT
#include "agent_rig.h"

TestSuite(conn_admit, .timeout = 20);

#define MOST 8

static int other[MOST];		/* clients that say nothing */

static void limit(struct config_limits limits)
{
	limits.client_v4 = 32;
	cr_assert_eq(limits_init(&w.limits, &limits, 1, MOST), 0);
}

static void start(void)
{
	start_worker();
	conn_slab_fini(&w.slab);
	cr_assert_eq(conn_slab_init(&w.slab, MOST), 0);
	limit((struct config_limits){ 0 });
}

static void stop(void)
{
	ring_fini(&w.ring);
	conn_slab_fini(&w.slab);
	limits_fini(&w.limits);
	duo_fini(&duo);
}

/* Client @i comes from an address of its own, or from the first one's. */
static void stall(unsigned int i, bool own_address)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };
	struct sockaddr_storage addr = { 0 };
	int pair[2];

	tcp_pair(pair);
	other[i] = pair[0];
	peer.sin_addr.s_addr = htonl(0xc0000201 + (own_address ? i : 0));
	memcpy(&addr, &peer, sizeof(peer));
	w.now_ms = loop_now_ms();
	conn_start(&w, &listener, pair[1], &addr);
	turn(0);
	turn(0);
}

static bool is_closed(unsigned int i)
{
	char byte;

	return recv(other[i], &byte, 1, MSG_DONTWAIT) == 0 || errno != EAGAIN;
}

static void expect_open(unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		cr_expect_eq(is_closed(i), i < first, "client %u", i);
}

/* Of the one connection that got so far. */
static void end_relay(void)
{
	unsigned int i;

	for (i = 0; i < MOST; i++)
		if (w.slab.conns[i].state == CONN_RELAY)
			relay_cut(w.slab.conns[i].relay);
	hang_up_client();
	close(consumer);
}

static void all_gone(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		close(other[i]);
	for (i = 0; i < 400 && w.slab.used; i++)
		turn(5);
	cr_assert_eq(w.slab.used, 0);
	cr_expect_eq(w.limits.in_flight, 0);
	if (w.limits.clients.table)
		for (i = 0; i <= w.limits.clients.mask; i++)
			cr_expect_eq(w.limits.clients.table[i].n, 0);
}

Test(conn_admit, gives_up_the_oldest_at_the_limit, .init = start, .fini = stop)
{
	unsigned int i;

	limit((struct config_limits){ .handshakes = 3 });
	for (i = 0; i < 5; i++)
		stall(i, true);
	expect_open(2, 5);
	cr_expect_eq(w.limits.in_flight, 3);
	cr_expect_eq(w.slab.used, 3);
	cr_expect_eq(metrics.value[METRIC_FAILED_EVICTED], 2);
	all_gone(5);
	cr_expect_eq(metrics.value[METRIC_FAILED_PROBE], 3);
}

Test(conn_admit, gives_up_the_oldest_when_every_slot_is_taken, .init = start,
     .fini = stop)
{
	unsigned int i;

	for (i = 0; i < MOST; i++)
		stall(i, true);
	expect_open(1, MOST);
	cr_expect_eq(metrics.value[METRIC_FAILED_EVICTED], 1);
	cr_expect(conn_slab_promise(&w.slab), "the next one can be accepted");
	w.slab.promised--;
	all_gone(MOST);
}

/* An honest client beside many that wait for nothing. */
Test(conn_admit, lets_an_honest_client_through, .init = start, .fini = stop)
{
	unsigned int i;

	limit((struct config_limits){ .handshakes = 3 });
	for (i = 0; i < 3; i++)
		stall(i, true);
	dial(0);
	for (i = 3; i < 5; i++)
		stall(i, true);
	shake_hands();
	take();
	cr_expect_eq(metrics.value[METRIC_HANDSHAKES_TLS13], 1);
	cr_expect_eq(w.limits.in_flight, 2, "what is over is not in flight");
	end_relay();
	all_gone(5);
}

Test(conn_admit, refuses_a_client_that_has_its_share, .init = start,
     .fini = stop)
{
	limit((struct config_limits){ .handshakes_per_client = 2 });
	stall(0, false);
	stall(1, false);
	stall(2, false);
	stall(3, true);
	cr_expect_not(is_closed(0));
	cr_expect_not(is_closed(1));
	cr_expect(is_closed(2), "the new one is closed, not an old one");
	cr_expect_not(is_closed(3), "others are not concerned");
	cr_expect_eq(metrics.value[METRIC_REFUSED_CLIENT], 1);
	cr_expect_eq(metrics.value[METRIC_ACCEPTED], 4);
	close(other[0]);
	while (w.slab.used > 2)
		turn(5);
	stall(0, false);
	cr_expect_not(is_closed(0), "there is room for it again");
	all_gone(4);
}

Test(conn_admit, takes_nobodys_place_for_one_that_it_refuses, .init = start,
     .fini = stop)
{
	unsigned int i;

	limit((struct config_limits){ .handshakes = 2,
				      .handshakes_per_client = 1 });
	stall(0, true);
	stall(1, true);
	for (i = 2; i < 6; i++) {
		stall(i, false);
		cr_expect(is_closed(i));
	}
	expect_open(0, 2);
	cr_expect_eq(metrics.value[METRIC_REFUSED_CLIENT], 4);
	cr_expect_eq(metrics.value[METRIC_FAILED_EVICTED], 0);
	all_gone(6);
}

/* Of a client's connections those count whose handshake is going on. */
Test(conn_admit, counts_nobody_whose_handshake_is_over, .init = start,
     .fini = stop)
{
	limit((struct config_limits){ .handshakes_per_client = 1 });
	dial(0);
	shake_hands();
	take();
	end_relay();
	dial(0);
	shake_hands();
	take();
	cr_expect_eq(metrics.value[METRIC_REFUSED_CLIENT], 0);
	end_relay();
	all_gone(0);
}
