// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <sys/un.h>

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
	turn_until_gone();
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

/* The client hangs up after its ClientHello, and waits for route "pass". */
static void wait_for_consumer(void)
{
	dial(0);
	SSL_do_handshake(client);
	hang_up_client();
	turn(0);
	turn(0);
	turn(0);
}

Test(conn_admit, drops_what_waits_for_a_route_when_it_has_the_most_slots,
     .init = start, .fini = stop)
{
	struct queue *queue = &worker_routes[1].queue;
	unsigned int i;

	queue_remove(queue, 1);
	queue->hold_ms = 60000;
	listener_config.route = 1;
	rules_free(listener.rules);
	listener.rules = rules_new(&listener_config, route_config);
	for (i = 0; i < MOST - 3; i++)
		wait_for_consumer();
	cr_assert_eq(queue->n_waiting, MOST - 3);
	for (i = 0; i < 3; i++)
		stall(i, true);
	cr_expect_eq(queue->n_waiting, MOST - 4);
	cr_expect_eq(metrics.value[METRIC_QUEUE_EXPIRED], 1);
	cr_expect_eq(metrics.value[METRIC_FAILED_EVICTED], 0);
	expect_open(0, 3);
	/* Now handshakes have as many. */
	stall(3, true);
	cr_expect_eq(queue->n_waiting, MOST - 4);
	cr_expect_eq(metrics.value[METRIC_FAILED_EVICTED], 1);
	expect_open(1, 4);
	while (queue->n_waiting)
		queue_drop(queue);
	all_gone(4);
	rules_free(listener.rules);
	listener.rules = NULL;
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

/* --- headers of load balancers ------------------------------------------ */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(text) text, sizeof(text) - 1
#define V1 "PROXY TCP4 192.0.2.7 198.51.100.2 40000 443\r\n"
#define V2 SIGNATURE "\x21\x11\0\x10\xc0\x00\x02\x07\xc6\x33\x64\x02" \
	   "\x9c\x40\x01\xbb" "\x04\0\x01x"
#define V2_SIX SIGNATURE "\x21\x21\0\x24" \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x9c\x40\x01\xbb"

static struct config_prefix from[1];

/* Who connects from here is a load balancer. */
static void start_behind_one(void)
{
	from[0] = (struct config_prefix){
		{ [10] = 0xff, [11] = 0xff, [12] = 127 }, 96 + 8 };
	listener_config.accept_proxy.from = (struct config_prefixes){ from, 1 };
	config.listeners = &listener_config;
	config.n_listeners = 1;
	start();
}

static void others_are(const char *first_byte)
{
	from[0].addr[12] = (uint8_t)*first_byte;
}

static const struct {
	const char *data;
	size_t len;
	const char *peer, *local;	/* NULL: the socket's own */
} headers[] = {
	{ BYTES(V1), "192.0.2.7:40000", "198.51.100.2:443" },
	{ BYTES(V2), "192.0.2.7:40000", "198.51.100.2:443" },
	{ BYTES(V2_SIX), "[2001:db8::1]:40000", "[2001:db8::2]:443" },
	{ BYTES("PROXY UNKNOWN\r\n"), NULL, NULL },
	{ BYTES(SIGNATURE "\x20\0\0\0"), NULL, NULL },
};

static const char *text_of(const struct sockaddr_storage *addr)
{
	struct conn c = { .peer = *addr };

	return conn_peer(&c);
}

static void expect_own(const struct ktls_info *info)
{
	struct sockaddr_storage me = { 0 }, server = { 0 };
	socklen_t len = sizeof(me);
	char text[64];

	getsockname(client_fd, (void *)&me, &len);
	snprintf(text, sizeof(text), "%s", text_of(&me));
	cr_expect_str_eq(text_of(&info->peer), text);
	len = sizeof(server);
	getpeername(client_fd, (void *)&server, &len);
	snprintf(text, sizeof(text), "%s", text_of(&server));
	cr_expect_str_eq(text_of(&info->local), text);
}

static void expect_told(size_t i)
{
	struct ktls_info info = take();

	if (headers[i].peer) {
		cr_expect_str_eq(text_of(&info.peer), headers[i].peer,
				 "header %zu", i);
		cr_expect_str_eq(text_of(&info.local), headers[i].local,
				 "header %zu", i);
	} else {
		expect_own(&info);
	}
	turn(0);
	end_relay();
	all_gone(0);
}

Test(conn_admit, takes_a_clients_addresses_from_a_header,
     .init = start_behind_one, .fini = stop)
{
	size_t i;

	for (i = 0; i < COUNT(headers); i++) {
		dial(0);
		cr_assert_eq(write(client_fd, headers[i].data, headers[i].len),
			     (ssize_t)headers[i].len);
		shake_hands();
		expect_told(i);
	}
}

Test(conn_admit, takes_a_header_byte_by_byte, .init = start_behind_one,
     .fini = stop)
{
	size_t i, j;

	for (i = 0; i < COUNT(headers); i++) {
		dial(0);
		for (j = 0; j < headers[i].len; j++) {
			cr_assert_eq(write(client_fd, headers[i].data + j, 1),
				     1);
			turn(2);
		}
		shake_hands();
		expect_told(i);
	}
}

/* Of one segment, the header or its second half, and no byte more is taken. */
Test(conn_admit, leaves_what_follows_a_header, .init = start_behind_one,
     .fini = stop)
{
	int on = 1, off = 0;
	size_t i, j, half;

	for (j = 0; j < 2 * COUNT(headers); j++) {
		i = j / 2;
		dial(0);
		half = j % 2 ? headers[i].len / 2 : 0;
		if (half)
			cr_assert_gt(write(client_fd, headers[i].data, half),
				     0);
		turn(2);
		setsockopt(client_fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
		cr_assert_gt(write(client_fd, headers[i].data + half,
				   headers[i].len - half), 0);
		SSL_do_handshake(client);
		setsockopt(client_fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
		shake_hands();
		expect_told(i);
	}
}

static const struct {
	const char *data;
	size_t len;
	bool leave;	/* then close */
	enum metric metric;
} nonsense[] = {
	{ BYTES("\x16\x03\x01\x02\x00"), false, METRIC_REFUSED_HEADER },
	{ BYTES("GET / HTTP/1.1\r\n"), false, METRIC_REFUSED_HEADER },
	{ BYTES("PROXY TCP4 nobody nowhere 1 1\r\n"), false,
	  METRIC_REFUSED_HEADER },
	{ BYTES(SIGNATURE "\x21\x11\xff\xff"), false, METRIC_REFUSED_HEADER },
	{ BYTES("PROXY TCP4 192."), true, METRIC_REFUSED_HEADER },
	{ BYTES("PROXY TCP4 192."), false, METRIC_REFUSED_HEADER_LATE },
	{ BYTES(""), false, METRIC_REFUSED_HEADER_LATE },
	{ BYTES(""), true, METRIC_FAILED_PROBE },	/* a health check */
	{ BYTES(SIGNATURE "\x20\0\0\0"), true, METRIC_FAILED_PROBE },
};

Test(conn_admit, ends_a_connection_without_the_header_it_must_have,
     .init = start_behind_one, .fini = stop)
{
	unsigned int id;
	size_t i;

	for (i = 0; i < COUNT(nonsense); i++) {
		memset(&metrics, 0, sizeof(metrics));
		dial(0);
		if (nonsense[i].len)
			cr_assert_gt(write(client_fd, nonsense[i].data,
					   nonsense[i].len), 0);
		if (nonsense[i].leave)
			shutdown(client_fd, SHUT_WR);
		turn_until_gone();
		for (id = 0; id < METRIC_COUNT; id++)
			cr_expect_eq(metrics.value[id],
				     id == nonsense[i].metric ||
				     id == METRIC_ACCEPTED ? 1 : 0,
				     "case %zu, metric %u", i, id);
		hang_up_client();
		all_gone(0);
	}
}

Test(conn_admit, is_direct_for_those_who_are_no_load_balancers,
     .init = start_behind_one, .fini = stop)
{
	struct ktls_info info;

	others_are("\x0a");
	dial(0);
	shake_hands();
	info = take();
	expect_own(&info);
	turn(0);
	end_relay();
	all_gone(0);
	listener_config.accept_proxy.others_refuse = true;
	dial(0);
	cr_assert_eq(metrics.value[METRIC_REFUSED_DIRECT], 1);
	cr_assert_eq(w.slab.used, 0);
	hang_up_client();
}

static void local_pair(int pair[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	listener_config.addr.ss_family = AF_UNIX;
}

/* Through a Unix socket, whatever @head is sent before. */
static struct ktls_info serve_locally(const char *head, size_t len)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNIX };
	struct ktls_info info;
	int pair[2];

	local_pair(pair);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	client_fd = pair[0];
	client = SSL_new(duo.client_ctx);
	SSL_set_fd(client, client_fd);
	SSL_set_connect_state(client);
	w.now_ms = loop_now_ms();
	w.support.pairs = KTLS_ALL_PAIRS;
	conn_start(&w, &listener, pair[1], &peer);
	if (len)
		cr_assert_eq(write(client_fd, head, len), (ssize_t)len);
	shake_hands();
	client_says("hello");
	info = take();
	cr_expect_eq(info.mode, KTLS_RELAY);
	turn(5);
	cr_expect_eq(metrics.value[METRIC_RELAYED_UNIX], 1);
	cr_expect_eq(metrics.value[METRIC_HANDED_OFF_RELAY], 1);
	return info;
}

static void expect_hello(void)
{
	char text[8] = "";
	int i;

	for (i = 0; i < 100 && recv(consumer, text, 7, MSG_DONTWAIT) < 0; i++)
		turn(5);
	cr_expect_str_eq(text, "hello");
	end_relay();
	all_gone(0);
}

Test(conn_admit, knows_no_address_at_a_unix_socket, .init = start,
     .fini = stop)
{
	struct ktls_info info = serve_locally("", 0);

	cr_expect_eq(info.peer.ss_family, AF_UNSPEC);
	cr_expect_eq(info.local.ss_family, AF_UNSPEC);
	expect_hello();
}

Test(conn_admit, believes_whoever_may_connect_to_a_unix_socket,
     .init = start_behind_one, .fini = stop)
{
	struct ktls_info info = serve_locally(BYTES(V2));

	cr_expect_str_eq(text_of(&info.peer), "192.0.2.7:40000");
	cr_expect_str_eq(text_of(&info.local), "198.51.100.2:443");
	expect_hello();
}

static void connect_other(int i)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int pair[2];

	tcp_pair(pair);
	other[i] = pair[0];
	getpeername(pair[1], (void *)&peer, &len);
	w.now_ms = loop_now_ms();
	conn_start(&w, &listener, pair[1], &peer);
}

/* Not the load balancer, from which all of them come. */
Test(conn_admit, counts_the_clients_that_headers_name,
     .init = start_behind_one, .fini = stop)
{
	static const char *const sources[] = { "192.0.2.7", "192.0.2.8",
					       "192.0.2.7" };
	char head[128];
	int i;

	limit((struct config_limits){ .handshakes_per_client = 1 });
	for (i = 0; i < 3; i++) {
		connect_other(i);
		snprintf(head, sizeof(head),
			 "PROXY TCP4 %s 198.51.100.2 40000 443\r\n",
			 sources[i]);
		cr_assert_gt(write(other[i], head, strlen(head)), 0);
		turn(5);
		turn(5);
	}
	cr_expect_not(is_closed(0));
	cr_expect_not(is_closed(1));
	cr_expect(is_closed(2));
	cr_expect_eq(metrics.value[METRIC_REFUSED_CLIENT], 1);
	all_gone(3);
}

Test(conn_admit, gives_up_those_without_a_header_too, .init = start_behind_one,
     .fini = stop)
{
	int i;

	limit((struct config_limits){ .handshakes = 2 });
	for (i = 0; i < 3; i++) {
		connect_other(i);
		turn(5);
	}
	expect_open(1, 3);
	cr_expect_eq(metrics.value[METRIC_FAILED_EVICTED], 1);
	all_gone(3);
}
