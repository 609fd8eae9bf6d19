/* SPDX-License-Identifier: MIT */
#include "proxy_rig.h"

#include <time.h>

TestSuite(agent_proxy_tunnel, .timeout = 20, .init = rig_start,
	  .fini = rig_stop);

static uint64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

Test(agent_proxy_tunnel, counts_a_connection_while_it_lasts)
{
	rig_client();
	rig_accept(0);
	rig_turn_for(20);
	cr_expect_eq(proxy_board_load(&p.board, 0), 1);
	cr_expect_eq(rig_count(PROXY_CONNECTED), 1);
	rig_close(&client_end);
	rig_turn_to_end();
	cr_expect_eq(proxy_board_load(&p.board, 0), 0);
}

Test(agent_proxy_tunnel, sends_the_header_before_anything_else)
{
	char buf[64];

	in.order.header = PROXY_HEADER_V1;
	rig_client();
	cr_assert_eq(send(client_end, "GET", 3, 0), 3);
	rig_accept(0);
	rig_turn_for(20);
	cr_assert_eq(recv(server_end, buf, sizeof(buf), 0), 15 + 3);
	cr_expect_eq(memcmp(buf, "PROXY UNKNOWN\r\nGET", 18), 0);
}

/* It would, if it were asked again and again whether there is room. */
Test(agent_proxy_tunnel, does_not_spin_for_a_client_that_ended_and_stalls)
{
	static char bytes[65536];
	uint64_t before;
	unsigned int turns = 0;

	rig_client();
	rig_accept(0);
	ktls_end_cleanly(client_end);
	while (send(server_end, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		rig_turn_for(20);
	rig_turn_for(50);
	before = cpu_ms();
	for (turns = 0; turns < 40; turns++)
		rig_turn();
	cr_expect_leq(cpu_ms() - before, 20);
	cr_expect_geq(loop_now_ms(), p.now_ms);
	cr_expect(TAILQ_EMPTY(&p.again));
}

Test(agent_proxy_tunnel, ends_one_whose_client_says_nothing_after_the_server)
{
	char c;

	rig_client();
	rig_accept(0);
	shutdown(server_end, SHUT_WR);
	rig_turn_for(30);
	cr_expect_eq(p.n_tunnels, 1);
	cr_expect_eq(recv(client_end, &c, 1, MSG_DONTWAIT), 0);
	rig_turn_to_end();
}

Test(agent_proxy_tunnel, cuts_both_sides_off_when_it_is_ended)
{
	char c;

	rig_client();
	rig_accept(0);
	tunnel_end(TAILQ_FIRST(&p.tunnels), PROXY_DRAINED, -ETIMEDOUT);
	rig_turn_to_end();
	cr_expect_eq(rig_count(PROXY_DRAINED), 1);
	cr_expect_eq(recv(client_end, &c, 1, 0), 0);
	cr_expect_not(ktls_ended_cleanly(client_end));
	cr_expect_eq(recv(server_end, &c, 1, 0), -1);
	cr_expect_eq(errno, ECONNRESET);
}

Test(agent_proxy_tunnel, cuts_a_client_off_that_it_cannot_introduce)
{
	struct ktls_conn conn = { .mode = KTLS_RELAY };
	static const uint8_t big[16384];
	struct ktls_info info = { .server_name = { big, sizeof(big) } };
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	client_end = pair[0];
	conn.fd = pair[1];
	in.order.header = PROXY_HEADER_V2;
	tunnel_new(&in, &conn, &info);
	cr_expect_eq(p.n_tunnels, 0);
	cr_expect_eq(rig_count(PROXY_RESOURCES), 1);
	cr_expect_not(ktls_ended_cleanly(client_end));
}
