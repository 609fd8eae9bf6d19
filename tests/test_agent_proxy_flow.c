/* SPDX-License-Identifier: MIT */
#include "proxy_rig.h"

#include <fcntl.h>
#include <sys/syscall.h>

static unsigned int n_splices, n_nothings;

/* The C library's, and a kernel that has something else to say at first. */
ssize_t splice(int in_fd, off64_t *in_off, int out_fd, off64_t *out_off,
	       size_t len, unsigned int flags)
{
	n_splices++;
	if (n_nothings) {
		n_nothings--;
		errno = EINTR;
		return -1;
	}
	return syscall(SYS_splice, in_fd, in_off, out_fd, out_off, len, flags);
}

TestSuite(agent_proxy_flow, .timeout = 20, .init = rig_start, .fini = rig_stop);

static char bytes[1 << 20], got[1 << 20];

static void make_bytes(void)
{
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + i / 251);
}

/* Sends all, through, while the proxy turns. */
static void expect_through(int from, int to)
{
	size_t sent = 0, seen = 0;
	uint64_t end = loop_now_ms() + 5000;
	ssize_t n;

	make_bytes();
	while (seen < sizeof(bytes) && loop_now_ms() < end) {
		n = send(from, bytes + sent, sizeof(bytes) - sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		rig_turn();
		n = recv(to, got + seen, sizeof(got) - seen, MSG_DONTWAIT);
		seen += n > 0 ? (size_t)n : 0;
	}
	cr_assert_eq(seen, sizeof(bytes));
	cr_expect_eq(memcmp(bytes, got, sizeof(bytes)), 0);
}

Test(agent_proxy_flow, moves_bytes_both_ways_and_counts_them)
{
	rig_client();
	rig_accept(0);
	expect_through(client_end, server_end);
	expect_through(server_end, client_end);
	cr_expect_eq(rig_count(PROXY_BYTES_UP), sizeof(bytes));
	cr_expect_eq(rig_count(PROXY_BYTES_DOWN), sizeof(bytes));
}

Test(agent_proxy_flow, has_a_pipe_only_while_there_are_bytes_in_it)
{
	rig_client();
	rig_accept(0);
	rig_turn_for(20);
	cr_expect_eq(p.pipes.n, p.pipes.n_idle);
	while (send(client_end, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		rig_turn_for(20);
	cr_expect_eq(p.pipes.n - p.pipes.n_idle, 1, "the server takes nothing");
}

Test(agent_proxy_flow, waits_for_a_pipe_and_goes_on)
{
	char c;

	p.pipes.max = 0;
	rig_client();
	rig_accept(0);
	cr_assert_eq(send(client_end, "x", 1, 0), 1);
	rig_turn_for(30);
	cr_expect_lt(recv(server_end, &c, 1, MSG_DONTWAIT), 0);
	cr_expect_not(TAILQ_EMPTY(&p.starved));
	p.pipes.max = 1;
	tunnel_run_starved(&p);
	rig_turn_for(30);
	cr_expect_eq(recv(server_end, &c, 1, MSG_DONTWAIT), 1);
}

Test(agent_proxy_flow, gives_others_a_turn_when_what_comes_is_no_data)
{
	char c;

	rig_client();
	rig_accept(0);
	rig_turn_for(20);
	n_nothings = 1000;
	n_splices = 0;
	cr_assert_eq(send(client_end, "x", 1, 0), 1);
	rig_turn();
	cr_expect_leq(n_splices, 32, "%u in one turn", n_splices);
	rig_turn_for(50);
	cr_expect_eq(n_nothings, 0);
	cr_expect_eq(recv(server_end, &c, 1, MSG_DONTWAIT), 1);
}

Test(agent_proxy_flow, passes_the_end_of_each_direction_on_alone)
{
	char buf[8];

	rig_client();
	rig_accept(0);
	cr_assert_eq(send(client_end, "up", 2, 0), 2);
	cr_assert_eq(ktls_end_cleanly(client_end), 0);
	rig_turn_for(30);
	cr_expect_eq(recv(server_end, buf, sizeof(buf), 0), 2);
	cr_expect_eq(recv(server_end, buf, sizeof(buf), 0), 0);
	cr_assert_eq(send(server_end, "down", 4, 0), 4);
	shutdown(server_end, SHUT_WR);
	rig_turn_to_end();
	cr_expect_eq(recv(client_end, buf, sizeof(buf), MSG_DONTWAIT), 4);
	cr_expect_eq(recv(client_end, buf, sizeof(buf), MSG_DONTWAIT), 0);
	cr_expect(ktls_ended_cleanly(client_end));
	cr_expect_eq(rig_count(PROXY_CLIENT_CUT), 0);
	cr_expect_eq(rig_count(PROXY_BACKEND_CUT), 0);
}

Test(agent_proxy_flow, makes_a_reset_of_what_a_client_cut_off)
{
	char c;

	rig_client();
	rig_accept(0);
	rig_close(&client_end);
	rig_turn_to_end();
	cr_expect_eq(recv(server_end, &c, 1, 0), -1);
	cr_expect_eq(errno, ECONNRESET);
	cr_expect_eq(rig_count(PROXY_CLIENT_CUT), 1);
}

static void reset(int *fd)
{
	static const struct linger now = { .l_onoff = 1 };

	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	rig_close(fd);
}

Test(agent_proxy_flow, says_no_clean_end_for_a_server_that_made_a_reset)
{
	char buf[8];

	rig_client();
	rig_accept(0);
	cr_assert_eq(send(server_end, "half", 4, 0), 4);
	rig_turn_for(20);
	reset(&server_end);
	rig_turn_to_end();
	cr_expect_eq(recv(client_end, buf, sizeof(buf), 0), 4);
	cr_expect_eq(recv(client_end, buf, sizeof(buf), 0), 0);
	cr_expect_not(ktls_ended_cleanly(client_end));
	cr_expect_eq(rig_count(PROXY_BACKEND_CUT), 1);
}

Test(agent_proxy_flow, finds_a_reset_by_writing_too)
{
	unsigned int i;

	rig_client();
	rig_accept(0);
	for (i = 0; i < 20; i++) {
		send(client_end, bytes, sizeof(bytes), MSG_DONTWAIT);
		rig_turn();
	}
	/* Its input is unread. */
	rig_close(&server_end);
	rig_turn_for(20);
	for (i = 0; i < 200 && p.n_tunnels; i++) {
		send(client_end, bytes, sizeof(bytes),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
		rig_turn();
	}
	rig_turn_to_end();
	cr_expect_not(ktls_ended_cleanly(client_end));
	cr_expect_eq(rig_count(PROXY_BACKEND_CUT), 1);
}

Test(agent_proxy_flow, lets_an_answer_through_that_ends_an_upload_early)
{
	char buf[8];
	int i;

	rig_client();
	rig_accept(0);
	cr_assert_eq(send(client_end, "x", 1, 0), 1);
	rig_turn_for(20);
	cr_assert_eq(recv(server_end, buf, 1, 0), 1);
	cr_assert_eq(send(server_end, "no", 2, 0), 2);
	rig_close(&server_end);
	rig_turn_for(20);
	for (i = 0; i < 5; i++) {
		send(client_end, bytes, 1000, MSG_DONTWAIT | MSG_NOSIGNAL);
		rig_turn_for(10);
	}
	cr_expect_eq(recv(client_end, buf, sizeof(buf), MSG_DONTWAIT), 2);
	cr_expect_eq(recv(client_end, buf, sizeof(buf), MSG_DONTWAIT), 0);
	cr_expect(ktls_ended_cleanly(client_end));
	ktls_end_cleanly(client_end);
	rig_turn_to_end();
	cr_expect_eq(rig_count(PROXY_BACKEND_CUT), 0);
}
