/* SPDX-License-Identifier: MIT */
#include "proxy_rig.h"

#include "ktls/descriptors.h"
#include "ktls/message.h"
#include "ktls/register.h"

TestSuite(agent_proxy_intake, .timeout = 20, .init = rig_start,
	  .fini = rig_stop);

static int master_end, queue[2];

/* Plays master: hears hello, answers with a queue. */
static void register_with(enum ktls_reg_status status)
{
	struct ktls_answer answer = {
		.magic = KTLS_REG_MAGIC, .version = KTLS_REG_VERSION,
		.status = (uint16_t)status, .hold_ms = 1000,
	};
	struct proxy_order order = in.order;
	struct ktls_hello hello;
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, queue), 0);
	master_end = pair[0];
	p.options.drain_ms = 1000;
	cr_assert_eq(intake_init(&in, &p, &order, 0, pair[1]), 0);
	cr_assert_eq(recv(master_end, &hello, sizeof(hello), 0),
		     sizeof(hello));
	cr_expect_str_eq(hello.magic, KTLS_REG_MAGIC);
	cr_assert_eq(ktls_send_fds(master_end, &answer, sizeof(answer), queue,
				   status == KTLS_REG_OK ? 2 : 0), 0);
	rig_turn_for(20);
}

static void start(void)
{
	register_with(KTLS_REG_OK);
	cr_assert(in.registered);
	p.accepting = true;
	intake_watch(&in);
	rig_turn();
}

/* A connection into the queue. */
static void hand_over(void)
{
	struct ktls_info info = { .mode = KTLS_RELAY };
	struct timespec now;
	uint8_t buf[256];
	ssize_t n;
	int pair[2];

	clock_gettime(CLOCK_MONOTONIC, &now);
	info.handoff_ns = (uint64_t)now.tv_sec * 1000000000 +
			  (uint64_t)now.tv_nsec;
	n = ktls_msg_encode(&info, NULL, buf, sizeof(buf));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_assert_eq(ktls_send_fds(queue[1], buf, (size_t)n, &pair[1], 1), 0);
	close(pair[1]);
	rig_close(&client_end);
	client_end = pair[0];
}

static void finish(void)
{
	close(queue[0]);
	close(queue[1]);
	close(master_end);
	rig_turn_for(20);
	intake_fini(&in);
	in.reg = in.queue_fd = -1;
}

Test(agent_proxy_intake, takes_connections_once_it_may)
{
	register_with(KTLS_REG_OK);
	hand_over();
	rig_turn_for(30);
	cr_expect_eq(p.n_tunnels, 0, "nobody said that it may");
	p.accepting = true;
	intake_watch(&in);
	rig_accept(1);
	finish();
}

Test(agent_proxy_intake, is_over_when_it_is_refused)
{
	register_with(KTLS_REG_ERROR);
	cr_expect(p.over);
	cr_expect_eq(p.status, 1);
	finish();
}

Test(agent_proxy_intake, passes_over_what_is_no_connection)
{
	start();
	cr_assert_eq(send(queue[1], "nonsense", 8, 0), 8);
	hand_over();
	rig_accept(1);
	finish();
}

Test(agent_proxy_intake, leaves_the_others_in_the_queue_when_it_is_full)
{
	p.places = 1;
	start();
	hand_over();
	rig_accept(1);
	rig_turn_for(20);
	hand_over();		/* which ends the first */
	rig_turn_for(50);
	cr_expect_eq(p.n_tunnels, 1);
	cr_expect_eq(rig_count(PROXY_CLIENT_CUT), 1);
	rig_close(&server_end);
	rig_accept(0);
	finish();
}

Test(agent_proxy_intake, takes_what_waits_before_it_leaves)
{
	start();
	hand_over();
	intake_leave(&in);
	rig_accept(1);
	rig_turn_for(20);
	cr_expect(in.left);
	cr_expect_eq(rig_count(PROXY_CONNECTED), 1);
	finish();
}

Test(agent_proxy_intake, leaves_when_nobody_sends_any_more)
{
	start();
	p.stopping = true;
	close(queue[1]);
	close(queue[0]);
	rig_turn_for(30);
	cr_expect(in.left);
	cr_expect_eq(p.status, 0);
	queue[0] = dup(0);
	queue[1] = dup(0);
	finish();
}

Test(agent_proxy_intake, stops_the_process_when_its_queue_is_shut)
{
	start();
	shutdown(queue[1], SHUT_RDWR);
	rig_turn_for(30);
	cr_expect(in.left);
	cr_expect(p.stopping);
	cr_expect_eq(p.status, 1);
	finish();
}
