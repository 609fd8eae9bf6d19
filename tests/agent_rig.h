/* SPDX-License-Identifier: MIT */
/*
 * A worker in the test's own process, one TLS client over TCP, and the read end
 * of the queue that its connections are handed to.
 */
#ifndef TESTS_AGENT_RIG_H
#define TESTS_AGENT_RIG_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>

#include "agent/conn.h"
#include "agent/listener.h"
#include "agent/loop.h"
#include "agent/relay.h"
#include "agent/rules.h"
#include "agent/worker.h"
#include "ktls/descriptors.h"
#include "ktls/message.h"
#include "tests/handshake_peer.h"

#include "agent_case.h"

#define LINGER_MS 300
#define HEADER_MS 300

static struct config_route route_config[] = {
	{ .name = (char *)"web" },
	{ .name = (char *)"pass", .passthrough = true },
};
static struct config config = {
	.routes = route_config,
	.n_routes = COUNT(route_config),
};
static struct config_listener listener_config;
static struct metrics metrics;
static struct worker_route worker_routes[COUNT(route_config)];
static struct listener listener = { .config = &listener_config };
static struct worker w = {
	.config = &config,
	.metrics = &metrics,
	.routes = worker_routes,
	.listeners = &listener,
};
static struct duo duo;		/* for its certificate and its client */
static int queue_end, client_fd, consumer;
static SSL *client;
static unsigned int before;

/* One round of the worker's loop. */
static inline void turn(int64_t wait_ms)
{
	w.now_ms = loop_now_ms();
	deadline_run(&w.handshakes, w.now_ms);
	deadline_run(&w.closing, w.now_ms);
	deadline_run(&listener.headers, w.now_ms);
	queue_flush(&worker_routes[0].queue, w.now_ms);
	queue_flush(&worker_routes[1].queue, w.now_ms);
	cr_assert_eq(ring_wait(&w.ring, wait_ms), 0);
	w.now_ms = loop_now_ms();
	ring_call_back(&w.ring);
}

static inline void turn_for(uint64_t ms)
{
	uint64_t end = loop_now_ms() + ms;

	while (loop_now_ms() < end)
		turn(5);
}

/* Until no connection is left, and the ring has closed what it was left. */
static inline void turn_until_gone(void)
{
	for (int i = 0; i < 400 && w.slab.used; i++)
		turn(5);
	turn(0);
	cr_assert_eq(w.slab.used, 0, "a connection is left");
}

static inline void tcp_pair(int pair[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (void *)&addr, sizeof(addr)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	cr_assert_eq(getsockname(fd, (void *)&addr, &len), 0);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(connect(pair[0], (void *)&addr, sizeof(addr)), 0);
	pair[1] = accept(fd, NULL, NULL);
	cr_assert_geq(pair[1], 0);
	close(fd);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
}

static inline void start_worker(void)
{
	int pair[2];
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	duo_init(&duo, "P-256");
	listener.ctx = duo_ctx(&duo);
	listener.rules = rules_new(&listener_config, route_config);
	deadline_list_init(&w.handshakes, 5000, conn_handshake_due);
	deadline_list_init(&w.closing, LINGER_MS, conn_closing_due);
	deadline_list_init(&listener.headers, HEADER_MS, conn_header_due);
	cr_assert_eq(conn_slab_init(&w.slab, 4), 0);
	cr_assert_eq(ring_init(&w.ring), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	queue_end = pair[0];
	for (i = 0; i < COUNT(route_config); i++) {
		queue_init(&worker_routes[i].queue);
		worker_routes[i].queue.hold_ms = 100;
		worker_routes[i].queue.metrics = &metrics;
		queue_add(&worker_routes[i].queue, 1,
			  i ? dup(pair[1]) : pair[1]);
	}
	before = case_fds();
}

/* A client that has connected; @size: of its buffers and the worker's. */
static inline void dial_by(const int pair[2], int size)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int i;

	getpeername(pair[1], (void *)&peer, &len);
	client_fd = pair[0];
	for (i = 0; size && i < 2; i++) {
		setsockopt(pair[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	client = SSL_new(duo.client_ctx);
	cr_assert(client);
	SSL_set_fd(client, client_fd);
	SSL_set_connect_state(client);
	SSL_set_mode(client, SSL_MODE_ENABLE_PARTIAL_WRITE |
				     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set1_host(client, "localhost");
	w.now_ms = loop_now_ms();
	conn_start(&w, &listener, pair[1], &peer);
}

static inline void dial(int size)
{
	int pair[2];

	tcp_pair(pair);
	dial_by(pair, size);
}

static inline void shake_hands(void)
{
	int i;

	for (i = 0; i < 1000 && SSL_do_handshake(client) != 1; i++)
		turn(1);
	cr_assert(SSL_is_init_finished(client));
}

/* Takes the consumer's end out of the queue; returns what came with it. */
static inline struct ktls_info take(void)
{
	static uint8_t msg[KTLS_MSG_MAX];
	struct ktls_info info;
	struct ktls_fds fds;
	ssize_t n;
	int i;

	for (i = 0; i < 1000 && !case_readable(queue_end, 0); i++)
		turn(1);
	n = ktls_recv_fds(queue_end, msg, sizeof(msg), &fds, 0);
	cr_assert_gt(n, 0);
	cr_assert_eq(fds.n, 1);
	consumer = fds.fd[0];
	cr_assert_eq(ktls_msg_decode(&info, NULL, msg, (size_t)n), 0);
	return info;
}

static inline void hang_up_client(void)
{
	SSL_free(client);
	close(client_fd);
	client = NULL;
}

static inline void client_says(const char *text)
{
	cr_assert_eq(SSL_write(client, text, (int)strlen(text)),
		     (int)strlen(text));
}

/* What the client hears next; at an end "", and SSL's error in *@error. */
static inline const char *client_hears(int *error)
{
	uint64_t end = loop_now_ms() + 10000;
	int n = -1, e = SSL_ERROR_WANT_READ;
	static char text[256];

	while (loop_now_ms() < end && (e == SSL_ERROR_WANT_READ ||
				       e == SSL_ERROR_WANT_WRITE)) {
		turn(5);
		ERR_clear_error();
		n = SSL_read(client, text, sizeof(text) - 1);
		e = n > 0 ? SSL_ERROR_NONE : SSL_get_error(client, n);
	}
	text[n > 0 ? n : 0] = '\0';
	if (error)
		*error = e;
	return text;
}

#endif
