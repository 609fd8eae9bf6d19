// SPDX-License-Identifier: MIT
#include "agent/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "agent/conn.h"
#include "agent/loop.h"
#include "agent/rules.h"
#include "agent/worker.h"
#include "agent_case.h"

TestSuite(listener, .timeout = 20);

static struct config_route route = { .name = (char *)"web" };
static struct config config = { .routes = &route, .n_routes = 1 };
static struct worker_route worker_route;
static struct metrics metrics;
static struct config_listener setup = { .backlog = 16 };
static struct listener listener = { .config = &setup };
static struct worker w = {
	.config = &config,
	.metrics = &metrics,
	.listeners = &listener,
};
static struct sockaddr_storage bound;
static socklen_t bound_len = sizeof(bound);

static void listen_at(int family)
{
	struct sockaddr_in *in = (void *)&setup.addr;
	struct sockaddr_in6 *in6 = (void *)&setup.addr;

	memset(&setup.addr, 0, sizeof(setup.addr));
	setup.addr.ss_family = (sa_family_t)family;
	if (family == AF_INET)
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		in6->sin6_addr = in6addr_any;
	setup.addr_len = family == AF_INET ? sizeof(*in) : sizeof(*in6);
	listener.fd = listener_bind(&setup);
	if (listener.fd == -EAFNOSUPPORT)
		cr_skip_test("no IPv6 here");
	cr_assert_geq(listener.fd, 0, "%s", strerror(-listener.fd));
	cr_assert_eq(listener_listen(&setup, listener.fd), 0);
	cr_assert_eq(getsockname(listener.fd, (void *)&bound, &bound_len), 0);
}

static void start(void)
{
	listen_at(AF_INET);
	listener.worker = &w;
	w.routes = &worker_route;
	queue_init(&worker_route.queue);
	listener.rules = rules_new(&setup, &route);
	deadline_list_init(&w.handshakes, 200, conn_handshake_due);
	deadline_list_init(&w.closing, 200, conn_closing_due);
	cr_assert_eq(conn_slab_init(&w.slab, 4), 0);
	cr_assert_eq(ring_init(&w.ring), 0);
}

static void stop(void)
{
	ring_fini(&w.ring);
	conn_slab_fini(&w.slab);
	rules_free(listener.rules);
	if (listener.fd >= 0)
		close(listener.fd);
}

static void turn(void)
{
	w.now_ms = loop_now_ms();
	deadline_run(&w.handshakes, w.now_ms);
	cr_assert_eq(ring_wait(&w.ring, 5), 0);
	w.now_ms = loop_now_ms();
	ring_call_back(&w.ring);
}

static void turn_until_accepted(uint64_t n)
{
	int i;

	for (i = 0; i < 400 && metrics.value[METRIC_ACCEPTED] < n; i++)
		turn();
	cr_assert_eq(metrics.value[METRIC_ACCEPTED], n);
}

static int dial(void)
{
	int fd = socket(bound.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(connect(fd, (void *)&bound, bound_len), 0);
	return fd;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	cr_assert_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static const struct {
	struct config_tcp tcp;
	int nodelay, keepalive, idle, user_timeout;
} tcps[] = {
	{ { true, 0, 0, 0 }, 1, 0, -1, 0 },
	{ { false, 0, 0, 0 }, 0, 0, -1, 0 },
	{ { true, 30, 0, 5000 }, 1, 1, 30, 5000 },
	{ { false, 32767, 0, 1 }, 0, 1, 32767, 1 },
};

Test(listener, gives_its_connections_what_is_configured)
{
	size_t i;

	for (i = 0; i < COUNT(tcps); i++) {
		int client, fd;

		setup.tcp = tcps[i].tcp;
		listen_at(AF_INET);
		cr_expect_eq(fcntl(listener.fd, F_GETFD), FD_CLOEXEC);
		client = dial();
		fd = accept(listener.fd, NULL, NULL);
		cr_expect_eq(option(fd, IPPROTO_TCP, TCP_NODELAY),
			     tcps[i].nodelay, "case %zu", i);
		cr_expect_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE),
			     tcps[i].keepalive, "case %zu", i);
		if (tcps[i].idle >= 0)
			cr_expect_eq(option(fd, IPPROTO_TCP, TCP_KEEPIDLE),
				     tcps[i].idle, "case %zu", i);
		cr_expect_eq(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT),
			     tcps[i].user_timeout, "case %zu", i);
		close(client);
		close(fd);
		close(listener.fd);
	}
}

/* On a socket that goes on under another configuration. */
Test(listener, takes_back_what_was_configured_before)
{
	setup.tcp = (struct config_tcp){ true, 30, 5, 5000 };
	listen_at(AF_INET);
	cr_assert_gt(option(listener.fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
	setup.tcp = (struct config_tcp){ 0 };
	cr_assert_eq(listener_set_tcp(&setup, listener.fd), 0);
	cr_expect_eq(option(listener.fd, IPPROTO_TCP, TCP_NODELAY), 0);
	cr_expect_eq(option(listener.fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	cr_expect_eq(option(listener.fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
	cr_expect_eq(option(listener.fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	setup.tcp.keepalive_s = 40000;	/* the kernel has room for 32767 */
	cr_expect_eq(listener_set_tcp(&setup, listener.fd), -EINVAL);
}

/* A client that says nothing is nobody's before its time is over. */
Test(listener, leaves_silent_clients_to_the_kernel_where_configured)
{
	setup.tcp.defer_accept_s = 5;
	listen_at(AF_INET);
	dial();
	cr_assert_not(case_readable(listener.fd, 100));
	cr_assert_eq(write(dial(), "x", 1), 1);
	cr_assert(case_readable(listener.fd, 5000));
}

Test(listener, takes_ipv4_clients_at_the_ipv6_wildcard)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd;

	listen_at(AF_INET6);
	in.sin_port = ((struct sockaddr_in6 *)&bound)->sin6_port;
	/* Another test may have that port of 127.0.0.1. */
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + getpid() % 65536);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(connect(fd, (void *)&in, sizeof(in)), 0);
}

Test(listener, takes_no_ipv4_clients_where_it_is_for_ipv6_only)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd;

	setup.v6only = true;
	listen_at(AF_INET6);
	in.sin_port = ((struct sockaddr_in6 *)&bound)->sin6_port;
	/* Another test may have that port of 127.0.0.1. */
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + getpid() % 65536);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(connect(fd, (void *)&in, sizeof(in)), -1);
	cr_assert_eq(errno, ECONNREFUSED);
	/* Both may have the port. */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(bind(fd, (void *)&in, sizeof(in)), 0);
}

static char dir[32];

static void bind_local(void)
{
	struct sockaddr_un *un = (void *)&setup.addr;

	un->sun_family = AF_UNIX;
	snprintf(un->sun_path, sizeof(un->sun_path), "%s/tls", dir);
	setup.addr_len = bound_len = sizeof(*un);
	memcpy(&bound, un, sizeof(*un));
	listener.fd = listener_bind(&setup);
}

static void make_dir(void)
{
	case_make_dir(dir);
}

static void remove_dir(void)
{
	static const char *const names[] = { "tls", NULL };

	case_remove_dir(dir, names);
}

Test(listener, may_be_a_unix_socket, .init = make_dir, .fini = remove_dir)
{
	const char *path = ((struct sockaddr_un *)&setup.addr)->sun_path;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat st;

	bind_local();
	cr_assert_geq(listener.fd, 0, "%s", strerror(-listener.fd));
	cr_assert_eq(connect(fd, (void *)&bound, bound_len), -1);
	cr_assert_eq(errno, ECONNREFUSED, "it does not listen yet");
	cr_assert_eq(listener_set_tcp(&setup, listener.fd), 0);
	cr_assert_eq(listener_listen(&setup, listener.fd), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0660);
	cr_assert_not(fcntl(listener.fd, F_GETFL) & O_NONBLOCK,
		      "a ring's accept would not wait");
	close(fd);
	fd = dial();
	close(listener.fd);
	/* What a dead process left is no obstacle, a live one is. */
	bind_local();
	cr_assert_geq(listener.fd, 0);
	cr_assert_eq(listener_listen(&setup, listener.fd), 0);
	cr_assert_eq(listener_bind(&setup), -EADDRINUSE);
	listener_close(&setup, listener.fd, false);
	cr_assert_eq(stat(path, &st), -1);
	cr_assert_eq(errno, ENOENT);
}

Test(listener, takes_the_place_of_no_file, .init = make_dir, .fini = remove_dir)
{
	unsigned int before = case_fds();
	char path[64];

	snprintf(path, sizeof(path), "%s/tls", dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	bind_local();
	cr_assert_eq(listener.fd, -EADDRINUSE);
	cr_assert_eq(case_fds(), before);
	cr_assert_eq(access(path, F_OK), 0);
}

Test(listener, says_why_it_cannot_be_opened)
{
	unsigned int before;

	listen_at(AF_INET);
	before = case_fds();
	setup.addr = bound;
	cr_assert_eq(listener_bind(&setup), -EADDRINUSE);
	((struct sockaddr_in *)&setup.addr)->sin_addr.s_addr =
		htonl(0xcb007107);	/* 203.0.113.7, nobody's */
	cr_assert_eq(listener_bind(&setup), -EADDRNOTAVAIL);
	cr_assert_eq(case_fds(), before);
}

/* Until it listens, a client is refused, and tries the next address. */
Test(listener, has_its_port_before_it_listens)
{
	struct sockaddr_in other;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	listen_at(AF_INET);
	close(listener.fd);
	memset(&((struct sockaddr_in *)&setup.addr)->sin_port, 0, 2);
	listener.fd = listener_bind(&setup);
	cr_assert_geq(listener.fd, 0);
	bound_len = sizeof(bound);
	getsockname(listener.fd, (void *)&bound, &bound_len);
	memcpy(&other, &bound, sizeof(other));
	cr_assert_eq(connect(fd, (void *)&other, sizeof(other)), -1);
	cr_assert_eq(errno, ECONNREFUSED);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(bind(fd, (void *)&other, sizeof(other)), -1);
	cr_assert_eq(listener_listen(&setup, listener.fd), 0);
	cr_assert_eq(connect(fd, (void *)&other, sizeof(other)), 0);
	cr_assert_eq(listener_listen(&setup, -1), -EBADF);
}

Test(listener, accepts_one_after_the_other, .init = start, .fini = stop)
{
	int fd[3], i;

	listener_arm(&listener);
	listener_arm(&listener);
	cr_assert_eq(w.slab.promised, 1, "it is armed once");
	for (i = 0; i < 3; i++)
		fd[i] = dial();
	turn_until_accepted(3);
	cr_assert_eq(w.slab.used, 3);
	for (i = 0; i < 3; i++)
		close(fd[i]);
	while (w.slab.used)
		turn();
	cr_assert_eq(metrics.value[METRIC_FAILED_PROBE], 3);
}

Test(listener, knows_who_connected, .init = start, .fini = stop)
{
	struct sockaddr_in me;
	socklen_t len = sizeof(me);
	char name[32];
	int fd;

	listener_arm(&listener);
	fd = dial();
	getsockname(fd, (void *)&me, &len);
	turn_until_accepted(1);
	snprintf(name, sizeof(name), "127.0.0.1:%u", ntohs(me.sin_port));
	cr_assert_str_eq(conn_peer(&w.slab.conns[0]), name);
}

Test(listener, knows_nobody_at_a_unix_socket, .init = make_dir,
     .fini = remove_dir)
{
	int fd;

	start();
	close(listener.fd);
	bind_local();
	cr_assert_eq(listener_listen(&setup, listener.fd), 0);
	w.support.pairs = KTLS_ALL_PAIRS;	/* of no use here */
	listener_arm(&listener);
	fd = dial();
	turn_until_accepted(1);
	cr_assert_eq(w.slab.used, 1);
	cr_assert_str_eq(conn_peer(&w.slab.conns[0]), "unix");
	close(fd);
	while (w.slab.used)
		turn();
	cr_assert_eq(metrics.value[METRIC_FAILED_PROBE], 1);
	stop();
}

Test(listener, waits_for_a_slot_and_counts_that_once, .init = start,
     .fini = stop)
{
	int fd[6], i;

	listener_arm(&listener);
	for (i = 0; i < 6; i++)
		fd[i] = dial();
	for (i = 0; i < 4; i++) {
		turn_until_accepted((uint64_t)i + 1);
		/* As if its handshake were over: it can not be given up. */
		deadline_clear(&w.slab.conns[i].deadline);
	}
	for (i = 0; i < 5; i++) {
		listener_arm(&listener);
		turn();
	}
	cr_assert_eq(metrics.value[METRIC_ACCEPTED], 4);
	cr_assert(listener.starved);
	cr_assert_not(listener.armed);
	cr_assert_eq(metrics.value[METRIC_PAUSED_SLOTS], 1);
	close(fd[0]);
	close(fd[1]);
	while (w.slab.used == 4)
		turn();
	listener_arm(&listener);
	turn_until_accepted(6);
	cr_assert_not(listener.starved && !listener.armed &&
		      w.slab.used < 4);
}

Test(listener, accepts_no_faster_than_it_may, .init = start, .fini = stop)
{
	struct config_limits limits = { .accept_rate = 2 };
	uint64_t then;
	int i;

	cr_assert_eq(limits_init(&w.limits, &limits, 1, 4), 0);
	w.now_ms = then = loop_now_ms();
	listener_arm(&listener);
	for (i = 0; i < 3; i++)
		dial();
	turn_until_accepted(2);
	cr_assert_not(listener.armed);
	for (i = 0; i < 400 && metrics.value[METRIC_ACCEPTED] < 3; i++) {
		listener_arm(&listener);
		turn();
	}
	cr_assert_eq(metrics.value[METRIC_ACCEPTED], 3, "nobody is refused");
	cr_assert_geq(loop_now_ms(), then + 500);
	cr_assert_eq(metrics.value[METRIC_PAUSED_RATE], 1 + !listener.armed,
		     "a pause is counted once");
	cr_assert_eq(metrics.value[METRIC_PAUSED_SLOTS], 0);
}

/* Both in one: at EMFILE, and again when there is room. */
Test(listener, pauses_without_descriptors_and_resumes, .init = start,
     .fini = stop)
{
	struct rlimit limit, low;
	int first = dial(), i;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 0;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (i = 0; i < 5; i++) {
		listener_arm(&listener);
		turn();
	}
	cr_assert(listener.paused);
	cr_assert_not(listener.armed);
	cr_assert_eq(w.slab.promised, 0, "it holds no slot meanwhile");
	cr_assert_eq(metrics.value[METRIC_PAUSED_DESCRIPTORS], 1);
	cr_assert_eq(metrics.value[METRIC_ACCEPTED], 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	listener_arm(&listener);
	turn_until_accepted(1);
	cr_assert_not(listener.paused);
	close(first);
}

/* The accept that took the wake-up is not armed any more: look yourself. */
Test(listener, takes_a_connection_that_it_was_not_woken_for, .init = start,
     .fini = stop)
{
	int i;

	listener_arm(&listener);
	listener_check(&listener);
	turn();
	cr_assert(listener.armed, "nothing waits");
	dial();
	for (i = 0; i < 3; i++)
		listener_check(&listener);
	turn_until_accepted(1);
	cr_assert(listener.armed);
	cr_assert_eq(w.slab.promised, 1);
}

Test(listener, gives_its_slot_back_when_it_stops, .init = start, .fini = stop)
{
	unsigned int before = case_fds();
	int i;

	listener_arm(&listener);
	turn();
	w.stopping = true;
	listener_stop(&listener);
	for (i = 0; i < 50 && w.slab.promised; i++)
		turn();
	cr_assert_eq(w.slab.promised, 0);
	cr_assert_not(listener.armed);
	cr_assert_eq(listener.fd, -1);
	listener_arm(&listener);
	cr_assert_not(listener.armed);
	cr_assert_eq(case_fds(), before - 1);
	i = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(connect(i, (void *)&bound, bound_len), -1);
}

Test(listener, keeps_a_connection_that_comes_while_it_stops, .init = start,
     .fini = stop)
{
	int fd, i;

	listener_arm(&listener);
	turn();
	fd = dial();
	w.stopping = true;
	listener_stop(&listener);
	for (i = 0; i < 50 && w.slab.promised; i++)
		turn();
	cr_assert_eq(w.slab.promised, 0);
	cr_assert_eq(w.slab.used, metrics.value[METRIC_ACCEPTED]);
	close(fd);
	for (i = 0; i < 100 && w.slab.used; i++)
		turn();
	cr_assert_eq(w.slab.used, 0);
}

Test(listener, a_silent_client_is_gone_at_its_deadline, .init = start,
     .fini = stop)
{
	uint64_t then = loop_now_ms();
	char byte;
	int fd;

	listener_arm(&listener);
	fd = dial();
	turn_until_accepted(1);
	while (w.slab.used)
		turn();
	cr_assert_geq(loop_now_ms(), then + 195);
	cr_assert_eq(metrics.value[METRIC_FAILED_TIMEOUT], 1);
	cr_assert_eq(recv(fd, &byte, 1, 0), 0);
}

Test(listener, waits_without_a_sound_while_its_socket_is_shut, .init = start,
     .fini = stop)
{
	int i, fd;

	listener_arm(&listener);
	turn();
	cr_assert(listener.armed);
	cr_assert_eq(listener_shut(&setup, listener.fd), 0);
	cr_assert_eq(listener_shut(&setup, listener.fd), 0, "again");
	fd = socket(bound.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(fd, (void *)&bound, bound_len), -1);
	cr_assert_eq(errno, ECONNREFUSED);
	close(fd);
	for (i = 0; i < 20; i++)
		turn();
	cr_assert(listener.shut);
	cr_assert_not(listener.armed);
	cr_assert_eq(w.slab.promised, 0, "it holds no slot meanwhile");
	/* Whoever looks after it tries now and then. */
	listener_arm(&listener);
	turn();
	cr_assert(listener.shut);
	cr_assert_not(listener.armed);

	cr_assert_eq(listener_listen(&setup, listener.fd), 0);
	cr_assert_eq(getsockname(listener.fd, (void *)&bound, &bound_len), 0);
	fd = dial();
	listener_arm(&listener);
	turn_until_accepted(1);
	cr_assert_not(listener.shut);
	turn();
	cr_assert_eq(w.slab.used, 1, "it was ended from the start");
	close(fd);
}
