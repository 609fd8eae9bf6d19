// SPDX-License-Identifier: MIT
#include "tests/handshake_peer.h"

#include "handshake/internal.h"

TestSuite(handshake, .timeout = 30);

struct bad {
	const char *name;
	const char *bytes;
	size_t len;
	enum hs_failure failure;
	int alert;		/* -1: none is sent */
};

#define BYTES(s) s, sizeof(s) - 1
#define E2 "\x16\x03\x01\0\0" "\x16\x03\x01\0\0"
#define E8 E2 E2 E2 E2

static const struct bad bad[] = {
	{ "GET", BYTES("GET / HTTP/1.1\r\n\r\n"), HS_F_HTTP, 10 },
	{ "POST", BYTES("POST / HTTP/1.1\r\n"), HS_F_HTTP, 10 },
	{ "HEAD", BYTES("HEAD / HTTP/1.1\r\n"), HS_F_HTTP, 10 },
	{ "PUT", BYTES("PUT /x HTTP/1.1\r\n"), HS_F_HTTP, 10 },
	{ "DELETE", BYTES("DELETE /x HTTP/1.1\r\n"), HS_F_HTTP, 10 },
	{ "PATCH", BYTES("PATCH /x HTTP/1.1\r\n"), HS_F_HTTP, 10 },
	{ "OPTIONS", BYTES("OPTIONS * HTTP/1.1\r\n"), HS_F_HTTP, 10 },
	{ "CONNECT", BYTES("CONNECT a:443 HTTP/1.1\r\n"), HS_F_HTTP, 10 },
	{ "TRACE", BYTES("TRACE / HTTP/1.1\r\n"), HS_F_HTTP, 10 },
	{ "HTTP/2", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HS_F_HTTP, 10 },
	{ "nearly HTTP", BYTES("GETTING / HTTP/1.1\r\n"), HS_F_GARBAGE, 10 },
	{ "SSLv2", BYTES("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"),
	  HS_F_SSLV2, 70 },
	{ "SSLv2 hello of TLS 1.0", BYTES("\x80\x2e\x01\x03\x01\x00\x15\x00"),
	  HS_F_SSLV2, 70 },
	{ "SSLv2 but no hello", BYTES("\x80\x2e\x02\x00\x02\x00\x15\x00"),
	  HS_F_GARBAGE, 10 },
	{ "zeroes", BYTES("\0\0\0\0\0\0\0\0\0\0"), HS_F_GARBAGE, 10 },
	{ "SSH", BYTES("SSH-2.0-OpenSSH_9.2\r\n"), HS_F_GARBAGE, 10 },
	{ "another major version", BYTES("\x16\x04\x01\x00\x05hello"),
	  HS_F_GARBAGE, 10 },
	{ "application data first", BYTES("\x17\x03\x03\x00\x05hello"),
	  HS_F_GARBAGE, 10 },
	{ "ChangeCipherSpec first", BYTES("\x14\x03\x03\x00\x01\x01"),
	  HS_F_GARBAGE, 10 },
	{ "heartbeat first", BYTES("\x18\x03\x03\x00\x03\x01\x40\x00"),
	  HS_F_GARBAGE, 10 },
	{ "a record of 65,535 bytes", BYTES("\x16\x03\x01\xff\xff\x01\x00\x00"),
	  HS_F_RECORD_OVERFLOW, 22 },
	{ "a record over 2^14 in the clear",
	  BYTES("\x16\x03\x01\x48\x01\x01\x00\x00"), HS_F_RECORD_OVERFLOW, 22 },
	{ "an empty handshake record, then data",
	  BYTES("\x16\x03\x01\x00\x00\x17\x03\x03\x00\x01x"), HS_F_PROTOCOL,
	  10 },
	{ "a ServerHello", BYTES("\x16\x03\x01\x00\x04\x02\x00\x00\x00"),
	  HS_F_PROTOCOL, 10 },
	{ "an empty ClientHello", BYTES("\x16\x03\x01\x00\x04\x01\x00\x00\x00"),
	  HS_F_PROTOCOL, 50 },
	{ "a ClientHello of 16 MiB",
	  BYTES("\x16\x03\x01\x00\x04\x01\xff\xff\xff"), HS_F_PROTOCOL, 47 },
	{ "a second record of another major version",
	  BYTES("\x16\x03\x01\x00\x02\x01\x00\x16\x04\x01\x00\x02\x00\x00"),
	  HS_F_VERSION, 70 },
	{ "a second record of HTTP",
	  BYTES("\x16\x03\x01\x00\x02\x01\x00GET / HTTP/1.1\r\n"),
	  HS_F_VERSION, 70 },
	{ "a second record of 65,535 bytes",
	  BYTES("\x16\x03\x01\x00\x02\x01\x00\x16\x03\x01\xff\xff"),
	  HS_F_RECORD_OVERFLOW, 22 },
	/* RFC 8446 5.1: nothing comes between the pieces of a message */
	{ "an alert in the middle of a ClientHello",
	  BYTES("\x16\x03\x01\x00\x02\x01\x00\x15\x03\x01\x00\x02\x02\x50"),
	  HS_F_PROTOCOL, 10 },
	{ "empty records without end",
	  BYTES("\x16\x03\x01\x00\x02\x01\x00" E8 E8 E8 E8 E8 E8),
	  HS_F_PROTOCOL, 10 },
	{ "a fatal alert", BYTES("\x15\x03\x01\x00\x02\x02\x28"), HS_F_ALERT,
	  -1 },
	{ "a close_notify", BYTES("\x15\x03\x03\x00\x02\x01\x00"), HS_F_ALERT,
	  -1 },
	{ "an alert of one byte", BYTES("\x15\x03\x01\x00\x01\x02"),
	  HS_F_GARBAGE, 10 },
};

/* All at once and one byte at a time; then again, which changes nothing. */
static void feed_bad(struct hs_ctx *ctx, const struct bad *b, size_t chunk)
{
	struct hs *hs = hs_new(ctx, NULL, NULL);
	enum hs_step step = HS_MORE;
	struct ocsp_bytes out;
	size_t used;

	for (size_t i = 0; i < b->len && step == HS_MORE; i += chunk) {
		size_t n = b->len - i < chunk ? b->len - i : chunk;
		uint8_t *arrival = malloc(n);

		memcpy(arrival, b->bytes + i, n);
		step = hs_feed(hs, arrival, n, 0, &used);
		cr_assert_leq(used, n);
		free(arrival);
	}
	cr_expect_eq(step, HS_FAIL, "%s: step %d", b->name, step);
	cr_expect_eq(hs_failure(hs), b->failure, "%s: failure %d, %s", b->name,
		     hs_failure(hs), hs_error(hs));
	cr_expect(hs_error(hs)[0], "%s: no sentence", b->name);
	cr_expect_eq(hs_feed(hs, (const uint8_t *)"x", 1, 0, &used), HS_FAIL);
	cr_expect_eq(used, 0);
	hs_abort(hs, 80);
	out = hs_output(hs);
	cr_expect_eq(out.len, b->alert < 0 ? 0 : 7, "%s: %zu bytes", b->name,
		     out.len);
	if (out.len == 7) {
		cr_expect_arr_eq(out.data, "\x15\x03", 2);
		cr_expect_arr_eq(out.data + 3, "\x00\x02\x02", 3);
		cr_expect_eq(out.data[6], b->alert, "%s: alert %d, %s", b->name,
			     out.data[6], hs_error(hs));
	}
	hs_free(hs);
}

Test(handshake, bad_bytes_get_their_reason_and_one_alert)
{
	static const size_t chunks[] = { 1, 2, 3, 5, 1000 };
	struct duo d;

	duo_init(&d, "P-256");
	duo_connect(&d);
	for (size_t i = 0; i < COUNT(bad); i++) {
		for (size_t c = 0; c < COUNT(chunks); c++)
			feed_bad(d.ctx, &bad[i], chunks[c]);
	}
	duo_fini(&d);
}

/* Bytes that are not yet decided are taken, and none behind the verdict lost */
Test(handshake, first_bytes_are_judged_as_soon_as_they_can_be)
{
	static const struct {
		const char *bytes;
		enum hs_step step;
	} cases[] = {
		{ "G", HS_MORE },	{ "GE", HS_MORE },
		{ "GET", HS_MORE },	{ "GET ", HS_FAIL },
		{ "GETX", HS_FAIL },	{ "X", HS_FAIL },
		{ "OPTIONS", HS_MORE }, { "P", HS_MORE },
		{ "PU", HS_MORE },	{ "\x16", HS_MORE },
		{ "\x16\x03", HS_MORE }, { "\x16\x02", HS_FAIL },
		{ "\x80", HS_MORE },	{ "\x80\x2e", HS_MORE },
		{ "\x80\x2e\x01", HS_FAIL }, { "\x15\x03\x01", HS_MORE },
		{ "\x15\x04", HS_FAIL },
	};
	struct duo d;

	duo_init(&d, "P-256");
	duo_connect(&d);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct hs *hs = hs_new(d.ctx, NULL, NULL);
		size_t len = strlen(cases[i].bytes);
		size_t used;

		cr_expect_eq(hs_feed(hs, (const uint8_t *)cases[i].bytes, len,
				     0, &used),
			     cases[i].step, "\"%s\"", cases[i].bytes);
		if (cases[i].step == HS_MORE)
			cr_expect_eq(used, len);
		hs_free(hs);
	}
	duo_fini(&d);
}

Test(handshake, nothing_fed_changes_nothing)
{
	struct duo d;
	size_t used = 9;

	duo_init(&d, "P-256");
	duo_connect(&d);
	cr_assert_eq(hs_feed(d.hs, NULL, 0, 0, &used), HS_MORE);
	cr_assert_eq(used, 0);
	cr_assert_eq(hs_output(d.hs).len, 0);
	duo_done(&d);
	cr_assert_eq(hs_feed(d.hs, (const uint8_t *)"x", 1, 0, &used), HS_DONE);
	cr_assert_eq(used, 0);
	duo_fini(&d);
}

Test(handshake, output_can_be_sent_in_any_pieces)
{
	uint8_t got[8192];
	struct ocsp_bytes out;
	size_t len = 0;
	struct duo d;

	duo_init(&d, "P-256");
	duo_connect(&d);
	SSL_do_handshake(d.client);
	duo_collect(&d);
	duo_feed(&d);
	out = hs_output(d.hs);
	cr_assert_gt(out.len, 100);
	cr_assert_lt(out.len, sizeof(got));
	for (size_t n = 1; (out = hs_output(d.hs)).len; n++) {
		n = n < out.len ? n : out.len;
		memcpy(got + len, out.data, n);
		len += n;
		hs_output_sent(d.hs, n);
	}
	cr_assert_null(hs_output(d.hs).data);
	BIO_write(SSL_get_rbio(d.client), got, len);
	duo_done(&d);
	duo_fini(&d);
}

/* A ClientHello cut at each place, in records and in arrivals */
Test(handshake, a_client_hello_may_be_cut_anywhere)
{
	struct duo d;

	duo_init(&d, "P-256");
	for (d.chunk = 1; d.chunk < 40; d.chunk += 3) {
		duo_connect(&d);
		duo_done(&d);
		duo_disconnect(&d);
	}
	duo_fini(&d);
}

Test(handshake, many_connections_share_a_context)
{
	struct hs *others[50];
	struct duo d;
	size_t used;

	duo_init(&d, "P-256");
	duo_connect(&d);
	for (size_t i = 0; i < COUNT(others); i++) {
		others[i] = hs_new(d.ctx, NULL, NULL);
		cr_assert_eq(hs_feed(others[i], (const uint8_t *)"\x16\x03\x01",
				     3, 0, &used), HS_MORE);
	}
	duo_done(&d);
	for (size_t i = 0; i < COUNT(others); i++)
		hs_free(others[i]);
	duo_fini(&d);
}

Test(handshake, freeing_nothing_is_allowed)
{
	hs_free(NULL);
	hs_ctx_free(NULL);
	hs_cert_free(NULL);
}

/* One byte of the client's is changed: it ends well or with a reason. */
static void damage(struct duo *d, int flight, unsigned int seed)
{
	duo_connect(d);
	for (int i = 0; i < 3 && d->step == HS_MORE; i++) {
		SSL_do_handshake(d->client);
		if (duo_collect(d) && i == flight)
			d->wire[seed * 2654435761u % d->wire_len] ^=
				1 << seed % 8;
		duo_feed(d);
		duo_deliver(d);
	}
	if (d->step == HS_FAIL) {
		cr_assert_neq(hs_failure(d->hs), HS_F_NONE);
		cr_assert_neq(hs_failure(d->hs), HS_F_INTERNAL, "seed %u: %s",
			      seed, hs_error(d->hs));
		cr_assert(hs_error(d->hs)[0]);
		cr_assert_eq(d->hs->alerted, hs_failure(d->hs) != HS_F_ALERT);
	}
	duo_disconnect(d);
}

Test(handshake, a_damaged_byte_ends_it_with_a_reason)
{
	static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

	for (size_t i = 0; i < COUNT(versions); i++) {
		struct duo d;

		duo_init(&d, "P-256");
		client_pair(&d, versions[i], KTLS_AES_128_GCM);
		for (unsigned int seed = 0; seed < 400; seed++)
			damage(&d, seed % 2, seed);
		duo_fini(&d);
	}
}
