/* SPDX-License-Identifier: MIT */
/*
 * A proxy in the test's own process: one route with servers at 127.0.0.1, and
 * clients that are ends of a relay, as those are where the kernel has no TLS.
 */
#ifndef TESTS_PROXY_RIG_H
#define TESTS_PROXY_RIG_H

#include <netinet/in.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <time.h>

#include "agent/loop.h"
#include "agent/proxy/intake.h"
#include "agent/proxy/tunnel.h"
#include "ktls/end.h"

#include "agent_case.h"

#define SERVERS 2

static struct proxy p;
static struct intake in;
static int listeners[SERVERS], client_end, server_end;
static unsigned int fds_before;

/* A listening socket, and its address as a server of the route's. */
static inline void rig_listen(unsigned int i, int backlog)
{
	struct sockaddr_in *addr = (void *)&in.order.backend[i].addr;
	socklen_t len = sizeof(*addr);

	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listeners[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(listeners[i], (void *)addr, sizeof(*addr)), 0);
	cr_assert_eq(listen(listeners[i], backlog), 0);
	cr_assert_eq(getsockname(listeners[i], (void *)addr, &len), 0);
	in.order.backend[i].addr_len = len;
}

static inline void rig_start(void)
{
	unsigned int i;

	signal(SIGPIPE, SIG_IGN);	/* as the program does */
	fds_before = case_fds();
	memset(&p, 0, sizeof(p));
	memset(&in, 0, sizeof(in));
	cr_assert_eq(ring_init(&p.ring), 0);
	p.board = (struct proxy_board){ 1, 1, SERVERS, 0, NULL };
	close(proxy_board_new(&p.board));
	TAILQ_INIT(&p.tunnels);
	TAILQ_INIT(&p.again);
	TAILQ_INIT(&p.starved);
	deadline_list_init(&p.retries, 20, tunnel_retry);
	deadline_list_init(&p.halves, 300, tunnel_half_late);
	p.pipes.max = 8;
	p.places = 100;
	p.intakes = &in;
	p.n_intakes = 1;
	in.proxy = &p;
	in.reg = in.queue_fd = -1;
	in.counts = proxy_board_counts(&p.board, 0, 0);
	in.order.n = SERVERS;
	in.order.max_fails = 1;
	in.order.fail_ms = 10000;
	in.order.connect_ms = 10000;
	in.backends = (struct backends){ &p.board, 0, &in.order, SERVERS - 1 };
	deadline_list_init(&in.connects, 10000, tunnel_connect_late);
	for (i = 0; i < SERVERS; i++)
		rig_listen(i, 16);
	client_end = server_end = -1;
	p.now_ms = loop_now_ms();
}

/* One round of the proxy's loop. */
static inline void rig_turn(void)
{
	tunnel_run_again(&p);
	deadline_run(&p.retries, p.now_ms);
	deadline_run(&p.halves, p.now_ms);
	deadline_run(&in.connects, p.now_ms);
	cr_assert_eq(ring_wait(&p.ring, TAILQ_EMPTY(&p.again) ? 5 : 0), 0);
	p.now_ms = loop_now_ms();
	ring_call_back(&p.ring);
}

static inline void rig_turn_for(uint64_t ms)
{
	uint64_t end = loop_now_ms() + ms;

	while (loop_now_ms() < end)
		rig_turn();
}

/* Until the connection is gone; at most 3 s. */
static inline void rig_turn_to_end(void)
{
	uint64_t end = loop_now_ms() + 3000;

	while (p.n_tunnels && loop_now_ms() < end)
		rig_turn();
	cr_assert_eq(p.n_tunnels, 0, "the connection is still there");
}

/* A client comes. */
static inline void rig_client(void)
{
	struct ktls_conn conn = { .mode = KTLS_RELAY };
	struct ktls_info info = { .mode = KTLS_RELAY };
	int pair[2], on = 1;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	client_end = pair[0];
	conn.fd = pair[1];
	ioctl(conn.fd, FIONBIO, &on);
	tunnel_new(&in, &conn, &info);
}

/* The connection that server @i gets; it must. */
static inline void rig_accept(unsigned int i)
{
	uint64_t end = loop_now_ms() + 5000;

	do {
		rig_turn();
		server_end = accept4(listeners[i], NULL, NULL, SOCK_NONBLOCK);
	} while (server_end < 0 && loop_now_ms() < end);
	cr_assert_geq(server_end, 0, "server %u got no connection", i);
}

static inline void rig_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline uint64_t rig_count(enum proxy_counter id)
{
	return in.counts->value[id];
}

/* Nothing may be left: connections, pipes, counts or descriptors. */
static inline void rig_stop(void)
{
	unsigned int i;

	rig_close(&client_end);
	rig_close(&server_end);
	if (p.n_tunnels)
		rig_turn_to_end();
	for (i = 0; i < SERVERS; i++) {
		close(listeners[i]);
		cr_expect_eq(proxy_board_load(&p.board, i), 0);
	}
	cr_expect_eq(p.pipes.n, p.pipes.n_idle, "a pipe was lost");
	pipes_fini(&p.pipes);
	proxy_board_free(&p.board);
	ring_fini(&p.ring);
	cr_expect_eq(case_fds(), fds_before, "descriptors were left");
}

#endif
