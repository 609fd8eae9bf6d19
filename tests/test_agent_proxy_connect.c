/* SPDX-License-Identifier: MIT */
#include "proxy_rig.h"

#include <sys/resource.h>
#include <sys/un.h>

TestSuite(agent_proxy_connect, .timeout = 20, .init = rig_start,
	  .fini = rig_stop);

static void refuse(unsigned int i)
{
	close(listeners[i]);
	listeners[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

Test(agent_proxy_connect, tries_another_server_when_one_refuses)
{
	refuse(0);
	rig_client();
	rig_accept(1);
	rig_turn_for(20);
	cr_expect_eq(rig_count(PROXY_CONNECT_FAILED), 1);
	cr_expect_eq(rig_count(PROXY_CONNECTED), 1);
	cr_expect_neq(proxy_board_health(&p.board, 0)->down_until, 0);
}

Test(agent_proxy_connect, passes_over_a_kind_of_address_that_is_switched_off)
{
	in.order.backend[0].addr.ss_family = AF_MAX;
	rig_client();
	cr_expect_not(p.full, "others would wait for nothing");
	rig_accept(1);
	cr_expect_eq(rig_count(PROXY_CONNECT_FAILED), 1);
	cr_expect_eq(rig_count(PROXY_CONNECTED), 1);
}

Test(agent_proxy_connect, cuts_the_client_off_when_all_refuse)
{
	refuse(0);
	refuse(1);
	rig_client();
	rig_turn_to_end();
	cr_expect_eq(rig_count(PROXY_NO_BACKEND), 1);
	cr_expect_eq(rig_count(PROXY_CONNECT_FAILED), 2);
	cr_expect_not(ktls_ended_cleanly(client_end));
}

/* Fills the backlog, so that nothing is answered any more. */
static void fill(unsigned int i, int full[4])
{
	int k;

	close(listeners[i]);
	rig_listen(i, 0);
	for (k = 0; k < 4; k++) {
		full[k] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(full[k], (void *)&in.order.backend[i].addr,
			in.order.backend[i].addr_len);
	}
}

Test(agent_proxy_connect, tries_another_server_when_one_does_not_answer)
{
	int full[4], k;

	deadline_list_init(&in.connects, 200, tunnel_connect_late);
	fill(0, full);
	rig_client();
	rig_accept(1);
	cr_expect_eq(rig_count(PROXY_CONNECT_FAILED), 1);
	for (k = 0; k < 4; k++)
		close(full[k]);
}

Test(agent_proxy_connect, ends_while_it_still_connects)
{
	int full[4], k;

	fill(0, full);
	in.order.n = 1;
	rig_client();
	rig_turn();
	cr_assert_eq(p.n_tunnels, 1);
	tunnel_end(TAILQ_FIRST(&p.tunnels), PROXY_DRAINED, 0);
	rig_turn_to_end();
	for (k = 0; k < 4; k++)
		close(full[k]);
}

static void use_unix(const char *path, int backlog)
{
	struct sockaddr_un *un = (void *)&in.order.backend[0].addr;

	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, path);
	in.order.backend[0].addr_len = sizeof(*un);
	in.order.n = 1;
	close(listeners[0]);
	listeners[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(listeners[0], (void *)un, sizeof(*un)), 0);
	cr_assert_eq(listen(listeners[0], backlog), 0);
}

Test(agent_proxy_connect, waits_for_room_in_a_unix_sockets_backlog)
{
	static const char *const names[] = { "s", NULL };
	char dir[32], path[64];
	int other, taken;

	case_make_dir(dir);
	snprintf(path, sizeof(path), "%s/s", dir);
	use_unix(path, 0);
	other = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(connect(other, (void *)&in.order.backend[0].addr,
			     in.order.backend[0].addr_len), 0);
	rig_client();
	rig_turn_for(50);
	cr_expect_eq(rig_count(PROXY_CONNECTED), 0);
	cr_expect_eq(p.n_tunnels, 1);
	taken = accept(listeners[0], NULL, NULL);
	cr_assert_geq(taken, 0);
	rig_accept(0);
	cr_expect_eq(rig_count(PROXY_CONNECT_FAILED), 0);
	close(taken);
	close(other);
	case_remove_dir(dir, names);
}

Test(agent_proxy_connect, waits_for_a_descriptor_and_takes_no_more)
{
	struct rlimit limit, none;
	int a, b;

	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	/* Room for the pair that stands for the client. */
	a = dup(0);
	b = dup(0);
	none.rlim_cur = (rlim_t)b + 1;
	close(a);
	close(b);
	setrlimit(RLIMIT_NOFILE, &none);
	rig_client();
	cr_expect(p.full);
	rig_turn_for(30);
	cr_expect_eq(rig_count(PROXY_CONNECTED), 0);
	setrlimit(RLIMIT_NOFILE, &limit);
	rig_accept(0);
	cr_expect_eq(rig_count(PROXY_RESOURCES), 0);
}
