// SPDX-License-Identifier: MIT
/* A worker in a process of its own; the test is its master and its client. */
#include "agent/worker.h"

#include <netinet/in.h>
#include <signal.h>

#include "agent/channel.h"
#include "agent/loop.h"
#include "tests/handshake_peer.h"

#include "agent_case.h"
#include "ktls/descriptors.h"

TestSuite(worker, .timeout = 20);

static struct config_route route = { .name = (char *)"web",
				     .hold_timeout_ms = 60000 };
static struct config_listener listeners[1] = { { .backlog = 16 } };
static struct config config = {
	.workers = 1,
	.ktls = CONFIG_KTLS_OFF,
	.handshake_timeout_ms = 1000,
	.drain_timeout_ms = 200,
	.listeners = listeners,
	.n_listeners = 1,
	.routes = &route,
	.n_routes = 1,
};
static struct duo duo;
static struct hs_tickets *tickets;
static struct metrics_pool *pool;
static struct metrics *metrics;	/* its slot */
static struct sockaddr_in bound;
static int channel, listen_fd, ends[2];
static pid_t pid;
static struct channel_in heard;

static void tell(enum channel_type type, uint64_t id, int fd)
{
	cr_assert_eq(channel_send(channel, &(struct channel_msg){ type, 0, id },
				  fd), 0);
}

/* A worker that is ready, and was not told to accept. */
static void start_idle(void)
{
	struct certs certs = {
		.cert = &duo.cert,
		.n = 1,
		.contexts = &duo.ctx,
		.n_contexts = 1,
	};
	struct worker_setup setup = {
		.config = &config,
		.certs = &certs,
		.listener_fds = &listen_fd,
		.slots = 8,
	};
	socklen_t len = sizeof(bound);
	int pair[2];

	duo_init(&duo, "P-256");
	duo.config.keys = setup.tickets = tickets = hs_tickets_new();
	duo_ctx(&duo);
	pool = metrics_pool_new();
	setup.metrics = metrics = metrics_take(pool, 0);
	bound.sin_family = AF_INET;
	bound.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memcpy(&listeners[0].addr, &bound, sizeof(bound));
	listeners[0].addr_len = sizeof(bound);
	listen_fd = listener_bind(&listeners[0]);
	cr_assert_geq(listen_fd, 0);
	cr_assert_eq(listener_listen(&listeners[0], listen_fd), 0);
	getsockname(listen_fd, (void *)&bound, &len);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	channel = pair[0];
	pid = fork();
	cr_assert_geq(pid, 0);
	if (!pid) {
		close(pair[0]);
		close(ends[0]);
		close(ends[1]);
		setup.channel = pair[1];
		_exit(worker_run(&setup));
	}
	close(pair[1]);
	close(listen_fd);
	cr_assert(case_readable(channel, 5000));
	cr_assert_eq(channel_recv(channel, &heard, &pair[0]), 1);
	cr_assert_eq(heard.msg.type, CHANNEL_READY);
}

static void start(void)
{
	start_idle();
	tell(CHANNEL_ACCEPT, 0, -1);
}

static void stop(void)
{
	metrics_pool_free(pool);
	duo_fini(&duo);
	hs_tickets_free(tickets);
}

/* The status it ends with within @ms, or -1. */
static int ends_within(unsigned int ms)
{
	uint64_t end = loop_now_ms() + ms;
	int status;

	while (loop_now_ms() < end) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		usleep(2000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

/* In the place of the last client, whose socket stays. What SSL_connect() says. */
static int try_to_dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(connect(fd, (void *)&bound, sizeof(bound)), 0);
	SSL_free(duo.client);
	duo.client = SSL_new(duo.client_ctx);
	SSL_set_fd(duo.client, fd);
	SSL_set1_host(duo.client, "localhost");
	SSL_set_tlsext_status_type(duo.client, TLSEXT_STATUSTYPE_ocsp);
	return SSL_connect(duo.client);
}

static int dial(void)
{
	cr_assert_eq(try_to_dial(), 1);
	return SSL_get_fd(duo.client);
}

/* Gives it a staple, and returns what it says. */
static uint32_t give(uint32_t cert, uint32_t depth, struct ocsp_bytes der)
{
	struct channel_staple staple = {
		.type = CHANNEL_STAPLE,
		.cert = cert,
		.depth = depth,
		.id = 1ULL << 32 | 77,
		.times = { time(NULL) - 100, time(NULL) + 100 },
	};
	struct channel_in in;
	int fd;

	cr_assert_eq(channel_send_staple(channel, &staple, der), 0);
	cr_assert(case_readable(channel, 5000));
	cr_assert_eq(channel_recv(channel, &in, &fd), 1);
	cr_assert_eq(in.msg.id, staple.id);
	return in.msg.type;
}

static bool counted(enum metric id, uint64_t n)
{
	int i;

	for (i = 0; i < 1000 && metrics->value[id] < n; i++)
		usleep(2000);
	return metrics->value[id] == n;
}

Test(worker, ends_when_it_is_told, .init = start, .fini = stop)
{
	tell(CHANNEL_STOP, 0, -1);
	cr_assert_eq(ends_within(2000), 0);
}

Test(worker, ends_when_master_is_gone, .init = start, .fini = stop)
{
	close(channel);
	cr_assert_eq(ends_within(2000), 0);
}

Test(worker, hands_a_connection_to_the_queue_it_is_given, .init = start,
     .fini = stop)
{
	struct ktls_fds fds;
	uint8_t msg[4096];
	char buf[8] = "";

	tell(CHANNEL_QUEUE_ADD, 7, ends[1]);
	dial();
	cr_assert(case_readable(ends[0], 2000));
	cr_assert_gt(ktls_recv_fds(ends[0], msg, sizeof(msg), &fds, 0), 0);
	cr_assert_eq(SSL_write(duo.client, "hello", 5), 5);
	cr_assert_eq(recv(fds.fd[0], buf, sizeof(buf), 0), 5);
	cr_assert_str_eq(buf, "hello");
	/* It goes on until drain_timeout, and no longer. */
	tell(CHANNEL_STOP, 0, -1);
	cr_assert_eq(send(fds.fd[0], "bye", 3, 0), 3);
	cr_assert_eq(SSL_read(duo.client, buf, sizeof(buf)), 3);
	cr_assert_eq(ends_within(2000), 0);
}

static void start_refusing(void)
{
	route.refuse = true;
	start();
}

/* Until it is stopped, the worker has time enough on a busy machine. */
static void start_patient(void)
{
	config.handshake_timeout_ms = 3000;
	start();
}

static void halt(void)
{
	kill(pid, SIGSTOP);
	cr_assert_eq(waitpid(pid, NULL, WUNTRACED), pid);
}

Test(worker, that_was_stopped_takes_the_handshake_that_ended_in_time,
     .init = start_patient, .fini = stop)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	tell(CHANNEL_QUEUE_ADD, 7, ends[1]);
	cr_assert_eq(connect(fd, (void *)&bound, sizeof(bound)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	duo.client = SSL_new(duo.client_ctx);
	SSL_set_fd(duo.client, fd);
	SSL_set1_host(duo.client, "localhost");
	/* It cannot answer before the client has looked for that. */
	halt();
	cr_assert_neq(SSL_connect(duo.client), 1);
	kill(pid, SIGCONT);
	/* One segment is all of its flight: it waits for ours now. */
	cr_assert(case_readable(fd, 2000));
	halt();
	cr_assert_eq(SSL_connect(duo.client), 1);
	usleep(config.handshake_timeout_ms * 1000 + 200000);
	cr_expect_not(case_readable(ends[0], 0));
	kill(pid, SIGCONT);
	cr_expect(case_readable(ends[0], 2000));
}

Test(worker, refuses_for_a_route_from_when_it_is_down_until_it_is_up,
     .init = start_refusing, .fini = stop)
{
	uint64_t refused;

	tell(CHANNEL_QUEUE_ADD, 7, ends[1]);
	tell(CHANNEL_ROUTE_DOWN, 0, -1);
	while (try_to_dial() == 1)
		usleep(10000);
	cr_assert_eq(metrics->value[METRIC_REFUSED_NO_CONSUMER], 1);
	cr_assert_neq(try_to_dial(), 1);
	tell(CHANNEL_ROUTE_UP, 0, -1);
	while (try_to_dial() != 1)
		usleep(10000);
	refused = metrics->value[METRIC_REFUSED_NO_CONSUMER];
	dial();
	cr_assert_eq(metrics->value[METRIC_REFUSED_NO_CONSUMER], refused);
	tell(CHANNEL_STOP, 0, -1);
	cr_assert_eq(ends_within(5000), 0);
}

Test(worker, staples_what_it_is_given_and_says_so, .init = start, .fini = stop)
{
	static const int lengths[] = { 1000, OCSP_MAX_LEN - 1000, 7 };
	static uint8_t text[OCSP_MAX_LEN];
	struct ocsp_bytes der;
	unsigned char *got;
	size_t i;

	tell(CHANNEL_QUEUE_ADD, 7, ends[1]);
	for (i = 0; i < COUNT(lengths); i++) {
		memset(text, (int)i + 1, sizeof(text));
		der = staple_make(hs_cert_der(duo.cert, 0), text, lengths[i]);
		cr_assert_eq(give(0, 0, der), CHANNEL_STAPLE_TAKEN);
		dial();
		cr_assert_eq(SSL_get_tlsext_status_ocsp_resp(duo.client, &got),
			     (long)der.len);
		cr_assert_arr_eq(got, der.data, der.len);
		OPENSSL_free((void *)der.data);
		SSL_free(duo.client);
		duo.client = NULL;
	}
	tell(CHANNEL_STOP, 0, -1);
	cr_assert_eq(ends_within(2000), 0);
}

Test(worker, says_so_when_it_has_no_such_certificate, .init = start,
     .fini = stop)
{
	struct ocsp_bytes der = { (const uint8_t *)"x", 1 };

	cr_assert_eq(give(1, 0, der), CHANNEL_STAPLE_LOST);
	cr_assert_eq(give(0, UINT32_MAX, der), CHANNEL_STAPLE_LOST);
	cr_assert_eq(give(0, 0, der), CHANNEL_STAPLE_TAKEN);
	close(channel);
	cr_assert_eq(ends_within(2000), 0);
}

/* The first byte of the ticket that a new TLS 1.2 client gets: a key's name's. */
static int ticket_key(void)
{
	const unsigned char *ticket;
	size_t len;
	int first;

	SSL_CTX_set_max_proto_version(duo.client_ctx, TLS1_2_VERSION);
	dial();
	SSL_SESSION_get0_ticket(SSL_get_session(duo.client), &ticket, &len);
	first = len ? ticket[0] : -1;
	SSL_free(duo.client);
	duo.client = NULL;
	return first;
}

Test(worker, makes_tickets_with_the_keys_it_is_given, .init = start,
     .fini = stop)
{
	struct hs_ticket_keys keys;

	tell(CHANNEL_QUEUE_ADD, 7, ends[1]);
	memset(&keys, 0x55, sizeof(keys));
	cr_assert_eq(channel_send_tickets(channel, &keys), 0);
	cr_assert_eq(ticket_key(), 0x55);
	memset(&keys, 0xaa, sizeof(keys));
	cr_assert_eq(channel_send_tickets(channel, &keys), 0);
	cr_assert_eq(ticket_key(), 0xaa);
	close(channel);
	cr_assert_eq(ends_within(2000), 0);
}

Test(worker, hands_over_what_waited_once_there_is_a_queue, .init = start,
     .fini = stop)
{
	dial();
	cr_assert(counted(METRIC_WAITED_NO_CONSUMER, 1));
	tell(CHANNEL_QUEUE_ADD, 7, ends[1]);
	cr_assert(case_readable(ends[0], 1000));
	tell(CHANNEL_QUEUE_REMOVE, 7, -1);
	close(ends[1]);
	usleep(20000);
	cr_assert_eq(recv(ends[0], &(char){ 0 }, 1, MSG_DONTWAIT), 1);
	cr_assert_eq(recv(ends[0], &(char){ 0 }, 1, 0), 0, "its end is closed");
	close(channel);
	cr_assert_eq(ends_within(2000), 0);
}

Test(worker, reports_a_queue_that_broke, .init = start, .fini = stop)
{
	struct channel_in in;
	int fd;

	shutdown(ends[0], SHUT_RDWR);
	tell(CHANNEL_QUEUE_ADD, 7, ends[1]);
	dial();
	cr_assert(case_readable(channel, 2000));
	cr_assert_eq(channel_recv(channel, &in, &fd), 1);
	cr_assert_eq(in.msg.type, CHANNEL_QUEUE_BROKEN);
	cr_assert_eq(in.msg.id, 7);
	close(channel);
	cr_assert_eq(ends_within(2000), 0);
}

/* What is given up was the last: nothing else would wake it. */
Test(worker, does_not_wait_for_a_consumer_beyond_drain_timeout, .init = start,
     .fini = stop)
{
	dial();
	cr_assert(counted(METRIC_WAITED_NO_CONSUMER, 1));
	tell(CHANNEL_STOP, 0, -1);
	cr_assert_eq(ends_within(2000), 0);
	cr_assert_eq(metrics->value[METRIC_QUEUE_EXPIRED], 1);
}

Test(worker, finishes_a_handshake_after_it_was_told_to_stop, .init = start,
     .fini = stop)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	tell(CHANNEL_QUEUE_ADD, 7, ends[1]);
	cr_assert_eq(connect(fd, (void *)&bound, sizeof(bound)), 0);
	cr_assert(counted(METRIC_ACCEPTED, 1));
	tell(CHANNEL_STOP, 0, -1);
	usleep(50000);
	duo.client = SSL_new(duo.client_ctx);
	SSL_set_fd(duo.client, fd);
	SSL_set1_host(duo.client, "localhost");
	cr_assert_eq(SSL_connect(duo.client), 1);
	cr_assert(case_readable(ends[0], 1000));
	cr_assert_eq(ends_within(3000), 0);
}

Test(worker, gives_up_a_silent_client_at_its_deadline_when_it_stops,
     .init = start, .fini = stop)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(connect(fd, (void *)&bound, sizeof(bound)), 0);
	cr_assert(counted(METRIC_ACCEPTED, 1));
	tell(CHANNEL_STOP, 0, -1);
	cr_assert_eq(ends_within(3000), 0);
	cr_assert_eq(metrics->value[METRIC_FAILED_TIMEOUT], 1);
}

static void start_behind_load_balancers(void)
{
	static struct config_prefix everybody;

	listeners[0].accept_proxy = (struct config_accept_proxy){
		.from = { &everybody, 1 }, .timeout_ms = 60000,
	};
	start();
}

Test(worker, waits_for_no_header_beyond_drain_timeout,
     .init = start_behind_load_balancers, .fini = stop)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(connect(fd, (void *)&bound, sizeof(bound)), 0);
	cr_assert(counted(METRIC_ACCEPTED, 1));
	tell(CHANNEL_STOP, 0, -1);
	cr_assert_eq(ends_within(5000), 0);
	cr_assert_eq(metrics->value[METRIC_REFUSED_HEADER_LATE], 1);
}

static int connect_to_it(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = connect(fd, (void *)&bound, sizeof(bound)) ? -errno : 0;

	if (!err)
		return fd;
	close(fd);
	return err;
}

Test(worker, accepts_nobody_before_it_is_told_to, .init = start_idle,
     .fini = stop)
{
	int fd = connect_to_it();

	cr_assert_geq(fd, 0);
	usleep(250000);
	cr_expect_eq(metrics->value[METRIC_ACCEPTED], 0);
	tell(CHANNEL_ACCEPT, 0, -1);
	cr_expect(counted(METRIC_ACCEPTED, 1));
	close(fd);
	close(channel);
	cr_assert_eq(ends_within(2000), 0);
}

/* It would have been reset with the socket. */
Test(worker, accepts_what_waits_at_a_listener_that_it_leaves,
     .init = start_idle, .fini = stop)
{
	int fd[3];
	size_t i;

	for (i = 0; i < COUNT(fd); i++)
		fd[i] = connect_to_it();
	tell(CHANNEL_LEAVE, 1, -1);	/* there is no such one */
	tell(CHANNEL_LEAVE, 0, -1);
	tell(CHANNEL_QUEUE_ADD, 7, ends[1]);
	cr_expect(counted(METRIC_ACCEPTED, COUNT(fd)));
	cr_expect_eq(connect_to_it(), -ECONNREFUSED);
	duo.client = SSL_new(duo.client_ctx);
	SSL_set_fd(duo.client, fd[2]);
	SSL_set1_host(duo.client, "localhost");
	cr_assert_eq(SSL_connect(duo.client), 1);
	cr_assert(case_readable(ends[0], 1000));
	tell(CHANNEL_STOP, 0, -1);
	cr_assert_eq(ends_within(3000), 0);
}

/* One with nothing left to do ends, which says the same. */
Test(worker, says_that_it_accepts_no_more, .init = start, .fini = stop)
{
	int fd = connect_to_it(), none;

	cr_assert(counted(METRIC_ACCEPTED, 1));
	tell(CHANNEL_STOP, 0, -1);
	cr_assert(case_readable(channel, 5000));
	cr_assert_eq(channel_recv(channel, &heard, &none), 1);
	cr_assert_eq(heard.msg.type, CHANNEL_LEFT);
	close(fd);
	cr_assert_eq(ends_within(3000), 0);
}
