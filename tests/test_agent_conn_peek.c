// SPDX-License-Identifier: MIT
#include "agent_rig.h"

TestSuite(conn_peek, .timeout = 30);

static char *pass_name[] = { (char *)"x.pass.example" };
static uint8_t acme[] = "\x0a" "acme-tls/1";
static struct config_rule rules[] = {
	{ .sni = { pass_name, 1 }, .route = 1 },
	{ .alpn = { acme, 11 }, .route = 1 },
};

static void start(void)
{
	start_worker();
	consumer = -1;
	listener_config.rules = rules;
	listener_config.n_rules = COUNT(rules);
	rules_free(listener.rules);
	listener.rules = rules_new(&listener_config, route_config);
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
	hang_up_client();
	if (consumer >= 0)
		close(consumer);
	consumer = -1;
	cr_expect_eq(case_fds(), before);
}

/* The client's ClientHello, which is not sent; its length. */
static size_t hello(const char *name, const uint8_t *alpn, size_t alpn_len,
		    uint8_t *bytes, size_t size)
{
	BIO *out = BIO_new(BIO_s_mem());
	SSL *ssl = SSL_new(duo.client_ctx);
	int n;

	cr_assert(out && ssl);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
	SSL_set_connect_state(ssl);
	SSL_set_tlsext_host_name(ssl, name);
	if (alpn_len)
		cr_assert_eq(SSL_set_alpn_protos(ssl, alpn,
						 (unsigned int)alpn_len), 0);
	SSL_do_handshake(ssl);
	n = BIO_read(out, bytes, (int)size);
	cr_assert(n > 0 && (size_t)n < size);
	SSL_free(ssl);
	return (size_t)n;
}

static void say(const uint8_t *bytes, size_t len)
{
	cr_assert_eq(write(client_fd, bytes, len), (ssize_t)len);
}

/* The consumer finds what the client said, from its first byte on. */
static void has_all(const uint8_t *bytes, size_t len)
{
	static uint8_t got[65536];
	size_t n = 0;
	ssize_t more;

	while (n < len) {
		cr_assert(case_readable(consumer, 2000));
		more = recv(consumer, got + n, sizeof(got) - n, MSG_DONTWAIT);
		cr_assert_gt(more, 0);
		n += (size_t)more;
	}
	cr_expect_eq(n, len);
	cr_expect_arr_eq(got, bytes, len);
}

static void is_passed_on(const uint8_t *bytes, size_t len, const char *name,
			 const char *alpn)
{
	struct ktls_info info = take();
	int n = 0;
	socklen_t n_len = sizeof(n);

	cr_expect_eq(info.mode, KTLS_PLAIN);
	cr_expect_eq(info.server_name.len, strlen(name));
	cr_expect_arr_eq(info.server_name.data, name, strlen(name));
	cr_expect_eq(info.alpn.len, strlen(alpn));
	cr_expect(!info.alpn.len ||
		  !memcmp(info.alpn.data, alpn, info.alpn.len));
	cr_expect_eq(info.version.len, 0);
	cr_expect_eq(((struct sockaddr *)&info.peer)->sa_family, AF_INET);
	/* Whoever polls it must not wait for more than a byte. */
	getsockopt(consumer, SOL_SOCKET, SO_RCVLOWAT, &n, &n_len);
	cr_expect_eq(n, 1);
	has_all(bytes, len);
	all_gone();
	cr_expect_eq(metrics.value[METRIC_PASSED], 1);
	cr_expect_eq(metrics.value[METRIC_HANDED_OFF_KTLS] +
		     metrics.value[METRIC_HANDED_OFF_RELAY], 0);
	memset(&metrics, 0, sizeof(metrics));
}

Test(conn_peek, passes_a_connection_on_with_its_hello_unread, .init = start,
     .fini = stop)
{
	static const uint8_t both[] = "\x02h2\x08http/1.1";
	uint8_t bytes[4096];
	size_t len;

	len = hello("x.pass.example", NULL, 0, bytes, sizeof(bytes));
	dial(0);
	say(bytes, len);
	is_passed_on(bytes, len, "x.pass.example", "");

	/* Of several protocols the message names none. */
	len = hello("x.pass.example", both, sizeof(both) - 1, bytes,
		    sizeof(bytes));
	dial(0);
	say(bytes, len);
	is_passed_on(bytes, len, "x.pass.example", "");

	len = hello("unknown.example", acme, 11, bytes, sizeof(bytes));
	dial(0);
	say(bytes, len);
	is_passed_on(bytes, len, "unknown.example", "acme-tls/1");
}

Test(conn_peek, asks_for_no_certificate_first, .init = start, .fini = stop)
{
	uint8_t bytes[4096];
	size_t len;

	duo.config.strict = true;
	hs_ctx_free(duo.ctx);
	duo.ctx = NULL;
	listener.ctx = duo_ctx(&duo);
	len = hello("unknown.example", acme, 11, bytes, sizeof(bytes));
	dial(0);
	say(bytes, len);
	is_passed_on(bytes, len, "unknown.example", "acme-tls/1");
}

/* By the client that a load balancer names, and without what it says. */
Test(conn_peek, passes_on_what_follows_a_header, .init = start, .fini = stop)
{
	static const char header[] =
		"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n";
	static struct config_prefix balancer = {
		.addr = { [10] = 0xff, 0xff, 127 }, .bits = 104,
	};
	static struct config_prefix client_net = {
		.addr = { [10] = 0xff, 0xff, 192, 0, 2 }, .bits = 120,
	};
	static struct config_rule by_source = { .from = { &client_net, 1 },
						.route = 1 };
	uint8_t bytes[4096];
	size_t len;

	listener_config.accept_proxy.from =
		(struct config_prefixes){ &balancer, 1 };
	listener_config.rules = &by_source;
	listener_config.n_rules = 1;
	rules_free(listener.rules);
	listener.rules = rules_new(&listener_config, route_config);
	deadline_list_init(&listener.headers, 5000, conn_header_due);
	len = hello("anything.example", NULL, 0, bytes, sizeof(bytes));
	dial(0);
	say((const uint8_t *)header, sizeof(header) - 1);
	turn(5);
	turn(5);
	say(bytes, len);
	is_passed_on(bytes, len, "anything.example", "");
}

static const size_t pieces[] = { 1, 3, 4, 5, 6, 100, 150 };

Test(conn_peek, waits_for_a_hello_in_pieces_and_does_nothing_meanwhile,
     .init = start, .fini = stop)
{
	uint8_t bytes[4096];
	uint64_t then;
	size_t len, i;

	len = hello("x.pass.example", NULL, 0, bytes, sizeof(bytes));
	for (i = 0; i < COUNT(pieces); i++) {
		dial(0);
		say(bytes, pieces[i]);
		turn(5);
		turn(5);
		then = loop_now_ms();
		turn(100);
		cr_expect_geq(loop_now_ms(), then + 99,
			      "busy with %zu bytes", pieces[i]);
		cr_expect_eq(w.slab.used, 1, "%zu bytes", pieces[i]);
		say(bytes + pieces[i], len - pieces[i]);
		is_passed_on(bytes, len, "x.pass.example", "");
	}
}

Test(conn_peek, takes_a_hello_byte_by_byte, .init = start, .fini = stop)
{
	uint8_t bytes[4096];
	size_t len, i;

	len = hello("x.pass.example", NULL, 0, bytes, sizeof(bytes));
	dial(0);
	setsockopt(client_fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 },
		   sizeof(int));
	for (i = 0; i < len; i++) {
		say(bytes + i, 1);
		turn(0);
	}
	is_passed_on(bytes, len, "x.pass.example", "");
}

/* A list of so many bytes that nobody knows the protocols of. */
static size_t long_list(uint8_t *alpn, size_t len)
{
	size_t i;

	for (i = 0; i + 10 <= len; i += 10) {
		alpn[i] = 9;
		memset(alpn + i + 1, 'a' + (int)(i / 10 % 26), 9);
	}
	return i;
}

/* The same ClientHello in records of @piece bytes (RFC 8446 5.1). */
static size_t cut(const uint8_t *bytes, size_t len, size_t piece, uint8_t *out)
{
	size_t n = 0, i, part;

	for (i = 5; i < len; i += part) {
		part = len - i < piece ? len - i : piece;
		memcpy(out + n, bytes, 3);
		out[n + 3] = (uint8_t)(part >> 8);
		out[n + 4] = (uint8_t)part;
		memcpy(out + n + 5, bytes + i, part);
		n += 5 + part;
	}
	return n;
}

Test(conn_peek, passes_on_what_its_own_buffer_does_not_hold, .init = start,
     .fini = stop)
{
	static uint8_t alpn[16000], bytes[32768], records[65536];
	size_t len, n;

	n = long_list(alpn, 14000);
	len = hello("x.pass.example", alpn, n, bytes, sizeof(bytes));
	cr_assert_gt(len, 3 * CONN_BUFFER);
	dial(0);
	say(bytes, len);
	is_passed_on(bytes, len, "x.pass.example", "");

	n = cut(bytes, len, 100, records);
	dial(0);
	say(records, n / 2);
	turn(5);
	turn(5);
	say(records + n / 2, n - n / 2);
	is_passed_on(records, n, "x.pass.example", "");
}

Test(conn_peek, looks_rarely_at_a_hello_in_crumbs, .init = start, .fini = stop)
{
	static uint8_t bytes[4096], records[65536];
	uint64_t then;
	size_t len, n, i;

	len = hello("x.pass.example", NULL, 0, bytes, sizeof(bytes));
	n = cut(bytes, len, 1, records);
	dial(0);
	setsockopt(client_fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 },
		   sizeof(int));
	then = loop_now_ms();
	for (i = 0; i + 6 < n; i += 6) {
		say(records + i, 6);
		turn(0);
	}
	cr_expect_lt(w.slab.conns[0].looks,
		     40 + (loop_now_ms() - then) / 20, "of %zu pieces", n / 6);
	say(records + i, n - i);
	is_passed_on(records, n, "x.pass.example", "");
}

Test(conn_peek, performs_the_handshake_of_others, .init = start, .fini = stop)
{
	static uint8_t alpn[16000];
	struct ktls_info info;
	char buf[64] = "";
	size_t n = long_list(alpn, 6000), i;

	for (i = 0; i < 2; i++) {
		dial(0);
		SSL_set_tlsext_host_name(client, "localhost");
		if (i)
			SSL_set_alpn_protos(client, alpn, (unsigned int)n);
		shake_hands();
		client_says("early bird");
		info = take();
		cr_expect_eq(info.mode, KTLS_RELAY);
		cr_expect_arr_eq(info.version.data, "TLSv1.3", 7);
		for (int j = 0; j < 100 &&
		     recv(consumer, buf, 63, MSG_DONTWAIT) < 0; j++)
			turn(5);
		cr_expect_str_eq(buf, "early bird");
		relay_cut(w.slab.conns[0].relay);
		all_gone();
	}
	cr_expect_eq(metrics.value[METRIC_PASSED], 0);
}

static const struct {
	const char *bytes;
	size_t len;
	enum metric metric;
	bool hang_up;
} ends[] = {
	{ "GET / HTTP/1.1\r\n\r\n", 18, METRIC_FAILED_HTTP, false },
	{ "hello, server", 13, METRIC_FAILED_GARBAGE, false },
	{ "\x80\x2e\x01\x00\x02", 5, METRIC_FAILED_SSLV2, false },
	{ "\x16\x03\x01\x48\x01xxxx", 9, METRIC_FAILED_RECORD_OVERFLOW, false },
	{ "", 0, METRIC_FAILED_PROBE, true },
	{ "\x16\x03", 2, METRIC_FAILED_TRUNCATED, true },
	{ "\x16\x03\x01\x02\x00\x01", 6, METRIC_FAILED_TRUNCATED, true },
	{ "\x16\x03\x01\x02\x00\x01", 6, METRIC_FAILED_TIMEOUT, false },
};

Test(conn_peek, ends_what_is_no_hello, .init = start, .fini = stop)
{
	unsigned int id;
	size_t i;

	w.handshakes.after_ms = 300;
	for (i = 0; i < COUNT(ends); i++) {
		memset(&metrics, 0, sizeof(metrics));
		dial(0);
		say((const uint8_t *)ends[i].bytes, ends[i].len);
		if (ends[i].hang_up) {
			turn(5);
			shutdown(client_fd, SHUT_WR);
		}
		all_gone();
		for (id = METRIC_FAILED_PROBE; id <= METRIC_FAILED_INTERNAL;
		     id++)
			cr_expect_eq(metrics.value[id],
				     id == ends[i].metric ? 1 : 0,
				     "case %zu, metric %u", i, id);
	}
}

Test(conn_peek, gives_up_a_hello_that_goes_on_and_on, .init = start,
     .fini = stop)
{
	/* In records of one byte each, of a message of 100,000. */
	static const uint8_t record[] = { 0x16, 3, 1, 0, 1, 0 };
	static uint8_t records[40000 * sizeof(record)];
	size_t i, sent = 0;
	ssize_t n;

	for (i = 0; i < 40000; i++)
		memcpy(records + sizeof(record) * i, record, sizeof(record));
	dial(0);
	records[5] = 1;
	records[11] = 0x01;
	records[17] = 0x86;
	records[23] = 0xa0;
	while (w.slab.used) {
		n = send(client_fd, records + sent, sizeof(records) - sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		turn(1);
	}
	all_gone();
	cr_expect_eq(metrics.value[METRIC_FAILED_HELLO], 1);
}

/* There the kernel does not wait for more than there was. */
Test(conn_peek, looks_now_and_then_at_a_unix_socket, .init = start,
     .fini = stop)
{
	static const struct sockaddr_storage peer = { .ss_family = AF_UNIX };
	uint8_t bytes[4096];
	int pair[2], i, turns = 0;
	uint64_t end;
	size_t len;

	listener_config.addr.ss_family = AF_UNIX;
	len = hello("x.pass.example", NULL, 0, bytes, sizeof(bytes));
	for (i = 0; i < 2; i++) {
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		client_fd = pair[0];
		client = SSL_new(duo.client_ctx);
		w.now_ms = loop_now_ms();
		conn_start(&w, &listener, pair[1], &peer);
		say(bytes, 100);
		end = loop_now_ms() + 200;
		for (turns = 0; loop_now_ms() < end; turns++)
			turn(100);
		cr_expect_lt(turns, 60);
		if (i) {
			shutdown(client_fd, SHUT_RDWR);
		} else {
			say(bytes + 100, len - 100);
			cr_expect_eq(take().mode, KTLS_PLAIN);
			has_all(bytes, len);
		}
		all_gone();
	}
	cr_expect_eq(metrics.value[METRIC_FAILED_TRUNCATED], 1);
}
