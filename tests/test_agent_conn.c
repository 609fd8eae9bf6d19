// SPDX-License-Identifier: MIT
#include <stddef.h>

#include "agent_rig.h"

TestSuite(conn, .timeout = 20);

static void start(void)
{
	start_worker();
	consumer = -1;
}

static void stop(void)
{
	ring_fini(&w.ring);
	conn_slab_fini(&w.slab);
	rules_free(listener.rules);
	duo_fini(&duo);
}

static void all_gone(void)
{
	turn_until_gone();
	if (client)
		hang_up_client();
	if (consumer >= 0)
		close(consumer);
	cr_assert_eq(case_fds(), before);
}

/* Everything that was counted as a failed handshake, @id once. */
static void only_failed(enum metric id)
{
	unsigned int i;

	for (i = METRIC_FAILED_PROBE; i <= METRIC_FAILED_INTERNAL; i++)
		cr_expect_eq(metrics.value[i], i == id ? 1 : 0, "metric %u", i);
	cr_expect_eq(metrics.value[METRIC_HANDSHAKES_TLS12] +
		     metrics.value[METRIC_HANDSHAKES_TLS13], 0);
	cr_expect_eq(metrics.value[METRIC_ACCEPTED], 1);
}

Test(conn, is_handed_off_with_what_there_is_to_know, .init = start,
     .fini = stop)
{
	static const uint8_t alpn[] = "\x08http/1.1";
	struct sockaddr_in me;
	socklen_t len = sizeof(me);
	struct ktls_info info;
	const struct sockaddr_in *peer = (void *)&info.peer;

	duo.site.alpn = alpn;
	duo.site.alpn_len = 9;
	hs_ctx_free(duo.ctx);
	duo.ctx = NULL;
	listener.ctx = duo_ctx(&duo);
	dial(0);
	SSL_set_tlsext_host_name(client, "localhost");
	SSL_set_alpn_protos(client, alpn, 9);
	getsockname(client_fd, (void *)&me, &len);
	shake_hands();
	info = take();
	cr_assert_eq(info.mode, KTLS_RELAY);
	cr_assert_eq(info.resumed, 0);
	cr_assert_eq(peer->sin_family, AF_INET);
	cr_assert_eq(peer->sin_port, me.sin_port);
	cr_assert_eq(info.unique_id.len, 16);
	cr_assert_eq(info.alpn.len, 8);
	cr_assert_arr_eq(info.alpn.data, "http/1.1", 8);
	cr_assert_eq(info.server_name.len, 9);
	cr_assert_arr_eq(info.version.data, "TLSv1.3", 7);
	cr_assert_lt(loop_now_ms() - info.handoff_ns / 1000000, 5000);
	cr_assert_eq(metrics.value[METRIC_HANDSHAKES_TLS13], 1);
	cr_assert_eq(metrics.value[METRIC_RELAYED_UNAVAILABLE], 1);
	relay_cut(w.slab.conns[0].relay);
	all_gone();
}

Test(conn, takes_data_that_came_with_the_finished, .init = start,
     .fini = stop)
{
	char buf[64] = "";
	int i;

	dial(0);
	for (i = 0; i < 100 && SSL_do_handshake(client) != 1; i++)
		turn(1);
	/* The worker has not looked at the Finished yet. */
	client_says("early bird");
	take();
	for (i = 0; i < 100 && recv(consumer, buf, 63, MSG_DONTWAIT) < 0; i++)
		turn(5);
	cr_assert_str_eq(buf, "early bird");
	relay_cut(w.slab.conns[0].relay);
	all_gone();
}

/* Clients of newer OpenSSLs want one that is an OCSPResponse, at least outside. */
static void make_staple(uint8_t *staple, uint16_t len)
{
	static const uint8_t head[] = {
		0x30, 0x82, 0, 0, 0x0a, 0x01, 0x00,	/* successful */
		0xa0, 0x82, 0, 0, 0x30, 0x82, 0, 0,
		0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01,
		0x04, 0x82, 0, 0,
	};
	static const uint8_t ends[] = { 4, 11, 15, sizeof(head) };

	memset(staple, 0, len);
	memcpy(staple, head, sizeof(head));
	for (size_t i = 0; i < sizeof(ends); i++) {
		staple[ends[i] - 2] = (len - ends[i]) >> 8;
		staple[ends[i] - 1] = (len - ends[i]) & 0xff;
	}
}

/* With a staple of many times what fits */
Test(conn, sends_a_flight_that_does_not_fit_into_the_socket, .init = start,
     .fini = stop)
{
	static uint8_t staple[60000];
	const struct ocsp_times times = { .next_update = INT64_MAX };
	const unsigned char *got;
	int pair[2];

	make_staple(staple, sizeof(staple));
	cr_assert_eq(hs_cert_set_staple(duo.cert, 0,
					(struct ocsp_bytes){ staple,
							     sizeof(staple) },
					&times), 0);
	/* TCP over loopback would take much more than it is told. */
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	dial_by(pair, 4096);
	SSL_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
	shake_hands();
	cr_expect_eq(SSL_get_tlsext_status_ocsp_resp(client, &got),
		     (long)sizeof(staple));
	take();
	cr_expect_eq(metrics.value[METRIC_STAPLE_SENT], 1);
	relay_cut(w.slab.conns[0].relay);
	all_gone();
}

Test(conn, has_an_identifier_that_no_other_has, .init = start, .fini = stop)
{
	uint8_t first[16];

	memcpy(first, worker_unique_id(&w).data, 16);
	cr_assert_arr_neq(worker_unique_id(&w).data, first, 16);
}

/* --- failures ---------------------------------------------------------- */

static const struct {
	const char *bytes;
	size_t len;
	enum metric metric;
} inputs[] = {
	{ "GET / HTTP/1.1\r\n\r\n", 18, METRIC_FAILED_HTTP },
	{ "hello, server", 13, METRIC_FAILED_GARBAGE },
	{ "\x80\x2e\x01\x00\x02", 5, METRIC_FAILED_SSLV2 },
	{ "\x15\x03\x01\x00\x02\x02\x30", 7, METRIC_FAILED_ALERT },
	{ "\x16\x03\x01\x48\x01xxxx", 9, METRIC_FAILED_RECORD_OVERFLOW },
};

/* What the peer gets must not be destroyed by a reset. */
Test(conn, tells_a_peer_that_sends_more_than_is_read_what_is_wrong,
     .init = start, .fini = stop)
{
	static const char more[30000];
	uint8_t answer[64];
	ssize_t n = -1;
	size_t i;
	int j;

	for (i = 0; i < COUNT(inputs); i++) {
		memset(&metrics, 0, sizeof(metrics));
		dial(0);
		cr_assert_eq(write(client_fd, inputs[i].bytes, inputs[i].len),
			     (ssize_t)inputs[i].len);
		turn(5);
		cr_assert_gt(write(client_fd, more, sizeof(more)), 0);
		n = -1;
		for (j = 0; j < 100 && n < 0; j++) {
			turn(5);
			n = recv(client_fd, answer, sizeof(answer), 0);
			cr_assert(n >= 0 || errno == EAGAIN, "%s: input %zu",
				  strerror(errno), i);
		}
		only_failed(inputs[i].metric);
		if (inputs[i].metric == METRIC_FAILED_ALERT)
			cr_expect_eq(n, 0);
		else
			cr_expect(n == 7 && answer[0] == 21 && answer[5] == 2,
				  "input %zu: %zd", i, n);
		all_gone();
	}
}

Test(conn, a_peer_that_sends_nothing_is_a_probe, .init = start, .fini = stop)
{
	dial(0);
	turn(1);
	hang_up_client();
	all_gone();
	only_failed(METRIC_FAILED_PROBE);
}

Test(conn, a_peer_that_goes_away_in_between_is_truncated, .init = start,
     .fini = stop)
{
	dial(0);
	SSL_do_handshake(client);
	turn(5);
	turn(5);
	hang_up_client();
	all_gone();
	only_failed(METRIC_FAILED_TRUNCATED);
}

Test(conn, a_peer_that_waits_is_given_up_at_the_deadline, .init = start,
     .fini = stop)
{
	uint64_t then = loop_now_ms();

	w.handshakes.after_ms = 200;
	dial(0);
	SSL_do_handshake(client);
	all_gone();
	cr_assert_geq(loop_now_ms(), then + 199);
	only_failed(METRIC_FAILED_TIMEOUT);
}

/* The kernel's tls module has gone since the start, or it is out of memory. */
Test(conn, that_the_kernel_refuses_is_no_probe, .init = start, .fini = stop)
{
	int pair[2];

	tcp_pair(pair);
	if (!ktls_attach(pair[1]))
		cr_skip_test("this kernel has the tls module");
	close(pair[0]);
	close(pair[1]);
	w.support.pairs = KTLS_ALL_PAIRS;
	dial(0);
	all_gone();
	only_failed(METRIC_FAILED_INTERNAL);
}

Test(conn, that_cannot_be_offloaded_gets_an_alert_where_it_must_be,
     .init = start, .fini = stop)
{
	int error;

	config.ktls = CONFIG_KTLS_REQUIRE;
	dial(0);
	shake_hands();
	cr_assert_str_eq(client_hears(&error), "");
	cr_assert_eq(error, SSL_ERROR_SSL);
	cr_assert_eq(ERR_GET_REASON(ERR_peek_last_error()),
		     SSL_R_TLSV1_ALERT_INTERNAL_ERROR);
	cr_assert_not(case_readable(queue_end, 0));
	all_gone();
	only_failed(METRIC_FAILED_INTERNAL);
	cr_assert_eq(metrics.value[METRIC_RELAYED_UNAVAILABLE], 0);
}

Test(conn, without_the_staple_it_must_have_is_refused, .init = start,
     .fini = stop)
{
	int error;

	hs_cert_require_staple(duo.cert, true);
	dial(0);
	SSL_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
	cr_assert_str_eq(client_hears(&error), "");
	cr_assert_eq(error, SSL_ERROR_SSL);
	cr_assert_eq(ERR_GET_REASON(ERR_peek_last_error()),
		     SSL_R_TLSV1_ALERT_INTERNAL_ERROR);
	all_gone();
	only_failed(METRIC_FAILED_STAPLE);
	cr_assert_eq(metrics.value[METRIC_STAPLE_REFUSED], 1);
}

static const struct {
	int64_t from, to;	/* from now, in seconds; both 0: no staple */
	enum metric metric;
} staples[] = {
	{ -3600, 3600, METRIC_STAPLE_SENT },
	{ -3600, -60, METRIC_STAPLE_EXPIRED },
	{ 3600, 7200, METRIC_STAPLE_NOT_YET },
	{ 0, 0, METRIC_STAPLE_NONE },
};

Test(conn, counts_what_became_of_the_staple, .init = start, .fini = stop)
{
	unsigned int id;
	size_t i;

	for (i = 0; i < COUNT(staples); i++) {
		struct ocsp_times times = { time(NULL) + staples[i].from,
					    time(NULL) + staples[i].to };

		memset(&metrics, 0, sizeof(metrics));
		if (staples[i].to)
			staple_set(duo.cert, 0, "staple", &times);
		else
			hs_cert_set_staple(duo.cert, 0, (struct ocsp_bytes){ 0 },
					   NULL);
		dial(0);
		SSL_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
		shake_hands();
		take();
		for (id = METRIC_STAPLE_SENT; id <= METRIC_STAPLE_REFUSED; id++)
			cr_expect_eq(metrics.value[id],
				     id == staples[i].metric ? 1 : 0,
				     "staple %zu, metric %u", i, id);
		relay_cut(w.slab.conns[0].relay);
		all_gone();
		consumer = -1;
	}
}
