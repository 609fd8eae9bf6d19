// SPDX-License-Identifier: MIT
/*
 * What follows from a ClientHello: whether it is answered at all, which protocol
 * and version, and which sessions go on.
 */
#include "tests/handshake_peer.h"

#include <malloc.h>

#include "handshake/internal.h"
#include "handshake/tickets.h"

TestSuite(hello, .timeout = 60);

static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

/* Two sites; what is particular to them is set by each test. */
static struct hs_site sites[2];
static struct duo duo;

/* What the callback saw, and what it is to say. */
static struct {
	char name[300], offered[20000], protocol[300];
	unsigned int calls, stop_at;	/* stop_at 0: never */
	const char *realm;
} chosen;

static void copy(char *to, struct ocsp_bytes from)
{
	if (from.len)
		memcpy(to, from.data, from.len);
	to[from.len] = '\0';
}

static enum hs_choice choose(void *arg, struct hs_hello *hello)
{
	struct duo *d = arg;

	cr_expect_eq(hs_output(d->hs).len, 0);
	strcpy(chosen.name, hello->server_name);
	copy(chosen.offered, hello->offered);
	copy(chosen.protocol, hello->protocol);
	cr_expect_str_eq(hello->realm, "");
	if (chosen.realm)
		hello->realm = chosen.realm;
	return ++chosen.calls == chosen.stop_at ? HS_STOP : HS_GO_ON;
}

static struct hs_cert *load(const char *type, const char *names)
{
	struct hs_cert *cert;
	char error[300] = "";
	struct pki pki;

	pki_make_for(&pki, type, "x", names, 30);
	cert = cert_of_pair(pki.chain, pki.key, error, sizeof(error));
	cr_assert(cert, "%s", error);
	pki_remove(&pki);
	return cert;
}

static void start(void)
{
	duo_init(&duo, "P-256");
	memset(&chosen, 0, sizeof(chosen));
	sites[0] = (struct hs_site){
		.cert = load("P-256", "DNS:a.example,DNS:b.example") };
	sites[1] = (struct hs_site){ .cert = load("P-256", "DNS:c.example") };
	duo.cert = sites[0].cert;
	duo.config.sites = sites;
	duo.config.n_sites = 2;
	duo.choose = choose;
	SSL_CTX_set_verify(duo.client_ctx, SSL_VERIFY_NONE, NULL);
}

static void stop(void)
{
	duo_fini(&duo);
	hs_cert_free(sites[1].cert);
}

static void set_alpn(struct hs_site *site, const char *wire)
{
	site->alpn = (const uint8_t *)wire;
	site->alpn_len = strlen(wire);
}

/* A client of @name (NULL: none) that offers @alpn (NULL: none). */
static void connect_as(const char *name, const char *alpn)
{
	duo_connect(&duo);
	SSL_set1_host(duo.client, NULL);
	SSL_set_tlsext_host_name(duo.client, name);
	if (alpn)
		SSL_set_alpn_protos(duo.client, (const uint8_t *)alpn,
				    strlen(alpn));
	if (duo.session)
		SSL_set_session(duo.client, duo.session);
}

static void forget_session(void)
{
	SSL_SESSION_free(duo.session);
	duo.session = NULL;
}

static int received;

static void note_alert(const SSL *ssl, int where, int value)
{
	(void)ssl;
	if (where == SSL_CB_READ_ALERT)
		received = value & 0xff;
}

static void expect_refused(enum hs_failure failure, int alert)
{
	SSL_set_info_callback(duo.client, note_alert);
	received = 0;
	duo_run(&duo);
	cr_expect_eq(duo.step, HS_FAIL);
	cr_expect_eq(hs_failure(duo.hs), failure, "%s", hs_error(duo.hs));
	cr_expect(hs_error(duo.hs)[0]);
	cr_expect_eq(received, alert, "alert %d, %s", received,
		     hs_error(duo.hs));
}

/* --- the callback ------------------------------------------------------ */

static const struct {
	const char *name, *alpn, *seen, *protocol;
} asked[] = {
	{ "a.example", NULL, "a.example", "" },
	{ "A.Example.", "\2h2", "a.example", "h2" },
	{ "c.example", "\2h2\10http/1.1", "c.example", "http/1.1" },
	{ "a.example..", NULL, "a.example.", "" },
	{ "x_1-y.a.example", NULL, "x_1-y.a.example", "" },
	{ "a.example\" route=\"b", NULL, "", "" },
	{ "a.example\nevent=b", NULL, "", "" },
	{ "*.example", NULL, "", "" },
	{ "\xc3\xa9.example", NULL, "", "" },
	{ "c.example", "\2h2", "c.example", "" },
	{ "unknown.example", "\10http/1.1\2h2", "unknown.example", "h2" },
	{ NULL, "\12acme-tls/1", "", "" },
};

Test(hello, the_callback_sees_what_is_asked_for, .init = start, .fini = stop)
{
	set_alpn(&sites[0], "\2h2\10http/1.1");
	set_alpn(&sites[1], "\10http/1.1");
	duo.config.alpn_ignore = true;
	for (size_t i = 0; i < COUNT(asked); i++)
		for (size_t v = 0; v < COUNT(versions); v++) {
			client_pair(&duo, versions[v], KTLS_AES_128_GCM);
			chosen.calls = 0;
			connect_as(asked[i].name, asked[i].alpn);
			duo_done(&duo);
			cr_expect_eq(chosen.calls, 1);
			cr_expect_str_eq(chosen.name, asked[i].seen);
			cr_expect_str_eq(chosen.offered, asked[i].alpn ?
					 asked[i].alpn : "");
			cr_expect_str_eq(chosen.protocol, asked[i].protocol);
			duo_disconnect(&duo);
			forget_session();
		}
}

/* Even what would be refused: an unknown name, no protocol in common. */
Test(hello, one_that_is_stopped_gets_no_answer, .init = start, .fini = stop)
{
	static const size_t chunks[] = { 0, 1, 100 };

	set_alpn(&sites[0], "\2h2");
	duo.config.strict = true;
	chosen.stop_at = 1;
	for (size_t v = 0; v < COUNT(versions); v++)
		for (size_t c = 0; c < COUNT(chunks); c++) {
			size_t used = 9;

			client_pair(&duo, versions[v], KTLS_AES_128_GCM);
			chosen.calls = 0;
			duo.chunk = chunks[c];
			connect_as("unknown.example", "\12acme-tls/1");
			duo_run(&duo);
			cr_assert_eq(duo.step, HS_PASS, "%d", duo.step);
			cr_expect_eq(hs_failure(duo.hs), HS_F_NONE);
			cr_expect_eq(duo.sent, 0);
			cr_expect_eq(chosen.calls, 1);
			cr_expect_eq(hs_feed(duo.hs, (const uint8_t *)"x", 1, 0,
					     &used), HS_PASS);
			cr_expect_eq(used, 0);
			cr_expect_eq(hs_output(duo.hs).len, 0);
			duo_disconnect(&duo);
		}
}

Test(hello, one_that_was_stopped_can_still_be_given_an_alert, .init = start,
     .fini = stop)
{
	chosen.stop_at = 1;
	connect_as("a.example", NULL);
	SSL_set_info_callback(duo.client, note_alert);
	duo_run(&duo);
	cr_assert_eq(duo.step, HS_PASS);
	received = 0;
	hs_abort(duo.hs, SSL_AD_ACCESS_DENIED);
	duo_deliver(&duo);
	SSL_do_handshake(duo.client);
	cr_assert_eq(received, SSL_AD_ACCESS_DENIED);
}

/* --- a second ClientHello ---------------------------------------------- */

static void no_change(void)
{
}

static void change_name(void)
{
	SSL_set_tlsext_host_name(duo.client, "b.example");
}

static void drop_name(void)
{
	SSL_set_tlsext_host_name(duo.client, NULL);
}

static void change_protocol(void)
{
	SSL_set_alpn_protos(duo.client, (const uint8_t *)"\10http/1.1", 9);
}

static void change_realm(void)
{
	chosen.realm = "other";
}

static void change_mind(void)
{
	chosen.stop_at = 2;
}

static const struct {
	const char *what;
	void (*change)(void);
	bool refused;
} seconds[] = {
	{ "nothing", no_change, false },
	{ "name", change_name, true },
	{ "no name", drop_name, true },
	{ "protocol", change_protocol, true },
	{ "realm", change_realm, true },
	{ "stop", change_mind, true },
};

/* The client's first key share is of no group that the server takes. */
Test(hello, a_second_one_must_ask_for_the_same, .init = start, .fini = stop)
{
	set_alpn(&sites[0], "\2h2\10http/1.1");
	client_pair(&duo, KTLS_TLS13, KTLS_AES_128_GCM);
	duo_ctx(&duo);
	SSL_CTX_set1_groups_list(duo.ctx->ssl, "P-256");
	SSL_CTX_set1_groups_list(duo.client_ctx, "X25519:P-256");
	for (size_t i = 0; i < COUNT(seconds); i++) {
		memset(&chosen, 0, sizeof(chosen));
		connect_as("a.example", "\2h2\10http/1.1");
		SSL_do_handshake(duo.client);
		duo_collect(&duo);
		duo_feed(&duo);
		duo_deliver(&duo);
		cr_assert_eq(chosen.calls, 1);
		cr_assert_eq(duo.step, HS_MORE, "%s", hs_error(duo.hs));
		seconds[i].change();
		if (seconds[i].refused)
			expect_refused(HS_F_PROTOCOL, SSL_AD_ILLEGAL_PARAMETER);
		else
			duo_done(&duo);
		cr_expect_eq(chosen.calls, 2, "%s", seconds[i].what);
		duo_disconnect(&duo);
		forget_session();
	}
}

/* --- names, protocols, versions ---------------------------------------- */

static const struct {
	const char *name;
	bool refused;
} strict[] = {
	{ "a.example", false }, { "C.EXAMPLE.", false },
	{ "d.example", true },	{ NULL, true },
	{ "a.example..", true }, { ".", true },
	{ "www.a.example", true },
};

Test(hello, a_strict_context_refuses_unknown_names, .init = start, .fini = stop)
{
	duo.config.strict = true;
	for (size_t i = 0; i < COUNT(strict); i++)
		for (size_t v = 0; v < COUNT(versions); v++) {
			client_pair(&duo, versions[v], KTLS_AES_128_GCM);
			connect_as(strict[i].name, NULL);
			if (strict[i].refused)
				expect_refused(HS_F_NAME,
					       SSL_AD_UNRECOGNIZED_NAME);
			else
				duo_done(&duo);
			duo_disconnect(&duo);
			forget_session();
		}
}

static const struct {
	const char *name, *alpn;
	const char *agreed;	/* NULL: refused */
	const char *ignored;	/* likewise, with alpn_ignore */
} protocols[] = {
	{ "a.example", "\10http/1.1\2h2", "h2", "h2" },
	{ "c.example", "\10http/1.1\2h2", "http/1.1", "http/1.1" },
	{ "c.example", "\2h2", NULL, "" },
	{ "a.example", "\3foo", NULL, "" },
	{ "unknown.example", "\2h2", "h2", "h2" },
	{ "c.example", NULL, "", "" },
};

static void try_protocol(size_t i, bool ignore, uint16_t version)
{
	const char *agreed = ignore ? protocols[i].ignored :
				      protocols[i].agreed;
	struct hs_info info;

	client_pair(&duo, version, KTLS_AES_128_GCM);
	connect_as(protocols[i].name, protocols[i].alpn);
	if (!agreed) {
		expect_refused(HS_F_ALPN, SSL_AD_NO_APPLICATION_PROTOCOL);
	} else {
		duo_done(&duo);
		hs_get_info(duo.hs, &info);
		cr_expect_eq(info.alpn_len, strlen(agreed), "%s, %s",
			     protocols[i].name, protocols[i].alpn);
		cr_expect(!info.alpn_len ||
			  !memcmp(info.alpn, agreed, info.alpn_len));
	}
	duo_disconnect(&duo);
	forget_session();
}

Test(hello, each_site_has_its_own_protocols, .init = start, .fini = stop)
{
	set_alpn(&sites[0], "\2h2\10http/1.1");
	set_alpn(&sites[1], "\10http/1.1");
	for (int ignore = 0; ignore < 2; ignore++) {
		duo.config.alpn_ignore = ignore;
		for (size_t i = 0; i < COUNT(protocols); i++)
			for (size_t v = 0; v < COUNT(versions); v++)
				try_protocol(i, ignore, versions[v]);
		hs_ctx_free(duo.ctx);
		duo.ctx = NULL;
	}
}

/* OpenSSL refuses it, by its own rules, and the callback sees nothing of it. */
Test(hello, a_broken_list_of_protocols_is_none, .init = start, .fini = stop)
{
	set_alpn(&sites[0], "\2h2");
	connect_as("a.example", "\2h2\7http/11");
	SSL_do_handshake(duo.client);
	duo_collect(&duo);
	for (size_t i = 0; i + 11 < duo.wire_len; i++)
		if (!memcmp(duo.wire + i, "\2h2\7http/11", 11))
			duo.wire[i + 3] = 8;
	duo_feed(&duo);
	cr_assert_eq(duo.step, HS_FAIL);
	cr_assert_eq(hs_failure(duo.hs), HS_F_PROTOCOL, "%s",
		     hs_error(duo.hs));
	cr_assert_eq(chosen.calls, 1);
	cr_assert_str_eq(chosen.offered, "");
	cr_assert_str_eq(chosen.protocol, "");
}

Test(hello, a_site_may_have_a_higher_version, .init = start, .fini = stop)
{
	sites[1].min_version = KTLS_TLS13;
	for (size_t v = 0; v < COUNT(versions); v++) {
		client_pair(&duo, versions[v], KTLS_AES_128_GCM);
		connect_as("a.example", NULL);
		duo_done(&duo);
		duo_disconnect(&duo);
		forget_session();
		connect_as("c.example", NULL);
		if (versions[v] == KTLS_TLS13)
			duo_done(&duo);
		else
			expect_refused(HS_F_VERSION, SSL_AD_PROTOCOL_VERSION);
		duo_disconnect(&duo);
		forget_session();
	}
}

/* --- sessions ---------------------------------------------------------- */

struct request {
	const char *name, *alpn, *realm;
};

static const struct {
	struct request first, then;
	bool resumed;
} resumptions[] = {
	{ { "a.example", "\2h2", "r" }, { "a.example", "\2h2", "r" }, true },
	{ { "a.example", "\2h2", "r" }, { "a.example.", "\2h2", "r" }, true },
	{ { "a.example", "\2h2", "" },
	  { "a.example", "\3foo\2h2", "" }, true },
	{ { "a.example", NULL, "r" }, { "a.example", NULL, "r" }, true },
	{ { "a.example", "\2h2", "r" }, { "b.example", "\2h2", "r" }, false },
	{ { "a.example", "\2h2", "r" }, { "c.example", "\2h2", "r" }, false },
	{ { "a.example", "\2h2", "r" }, { NULL, "\2h2", "r" }, false },
	{ { "a.example", "\2h2", "r" }, { "a.example", "\2h2", "s" }, false },
	{ { "a.example", "\2h2", "r" }, { "a.example", "\2h2", "" }, false },
	{ { "a.example", "\2h2", "" }, { "a.example", "\2h2", "r" }, false },
	{ { "a.example", "\2h2", "r" }, { "a.example", NULL, "r" }, false },
	{ { "a.example", NULL, "r" }, { "a.example", "\2h2", "r" }, false },
	{ { "a.example", "\2h2", "r" },
	  { "a.example", "\10http/1.1", "r" }, false },
	/* The same bytes in other parts. */
	{ { "a.example", "\2h2", "" }, { "a.example", NULL, "h2" }, false },
	{ { NULL, NULL, "a.example" }, { "a.example", NULL, "" }, false },
	{ { "a", NULL, "b" }, { NULL, NULL, "ab" }, false },
};

static bool shake_hands(const struct request *r)
{
	struct hs_info info;
	char buf[8];

	chosen.realm = r->realm;
	connect_as(r->name, r->alpn);
	duo_done(&duo);
	hs_get_info(duo.hs, &info);
	SSL_read(duo.client, buf, sizeof(buf));
	duo_disconnect(&duo);
	return info.resumed;
}

Test(hello, a_session_goes_on_for_what_it_was_made_for_only, .init = start,
     .fini = stop)
{
	set_alpn(&sites[0], "\2h2\10http/1.1");
	set_alpn(&sites[1], "\2h2\10http/1.1");
	for (size_t i = 0; i < COUNT(resumptions); i++)
		for (size_t v = 0; v < COUNT(versions); v++) {
			client_pair(&duo, versions[v], KTLS_AES_128_GCM);
			cr_expect_not(shake_hands(&resumptions[i].first));
			cr_assert(duo.session);
			cr_expect_eq(shake_hands(&resumptions[i].then),
				     resumptions[i].resumed, "%zu, %x", i,
				     versions[v]);
			forget_session();
		}
}

/* Of two contexts with keys in common: what one of them may offer. */
static const struct {
	unsigned int pairs[2];
	const char *ciphers;	/* of the client */
	bool resumed;
} crossings[] = {
	{ { KTLS_ALL_PAIRS, KTLS_ALL_PAIRS }, "ECDHE-ECDSA-AES256-GCM-SHA384",
	  true },
	{ { KTLS_ALL_PAIRS, KTLS_PAIR(KTLS_TLS12, KTLS_AES_128_GCM) },
	  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256",
	  false },
	{ { KTLS_PAIR(KTLS_TLS12, KTLS_AES_256_GCM),
	    KTLS_PAIR(KTLS_TLS12, KTLS_CHACHA20_POLY1305) },
	  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305",
	  false },
};

/* In TLS 1.2 OpenSSL goes on with a session's cipher whether it is offered. */
Test(hello, a_session_goes_on_with_a_cipher_on_offer, .init = start,
     .fini = stop)
{
	struct request r = { "a.example", NULL, "" };

	duo.config.keys = hs_tickets_new();
	SSL_CTX_set_max_proto_version(duo.client_ctx, KTLS_TLS12);
	for (size_t i = 0; i < COUNT(crossings); i++) {
		SSL_CTX_set_cipher_list(duo.client_ctx, crossings[i].ciphers);
		for (int k = 0; k < 2; k++) {
			duo.config.pairs = crossings[i].pairs[k];
			cr_expect_eq(shake_hands(&r),
				     k && crossings[i].resumed, "%zu", i);
			hs_ctx_free(duo.ctx);
			duo.ctx = NULL;
		}
		forget_session();
	}
	hs_tickets_free(duo.config.keys);
}

/* Made where names need not be known, and brought to where they must be. */
Test(hello, a_session_does_not_open_a_strict_context, .init = start,
     .fini = stop)
{
	struct request r = { "unknown.example", NULL, "" };

	for (size_t v = 0; v < COUNT(versions); v++) {
		client_pair(&duo, versions[v], KTLS_AES_128_GCM);
		cr_expect_not(shake_hands(&r));
		duo.ctx->strict = true;
		connect_as(r.name, NULL);
		expect_refused(HS_F_NAME, SSL_AD_UNRECOGNIZED_NAME);
		duo_disconnect(&duo);
		forget_session();
		duo.ctx->strict = false;
	}
}

/* --- lengths ----------------------------------------------------------- */

/* A ClientHello that the client pads (RFC 7685) by protocols it offers. */
static size_t pad(size_t entries)
{
	uint8_t alpn[200 * 100];

	for (size_t i = 0; i < entries; i++) {
		memset(alpn + i * 200, 'x', 200);
		alpn[i * 200] = 199;
	}
	SSL_set_alpn_protos(duo.client, alpn, entries * 200);
	SSL_do_handshake(duo.client);
	duo_collect(&duo);
	return duo.wire[6] << 16 | duo.wire[7] << 8 | duo.wire[8];
}

Test(hello, one_as_long_as_the_limit_is_answered_a_longer_one_not,
     .init = start, .fini = stop)
{
	static const size_t entries[] = { 1, 5, 80, 90 };
	static const size_t chunks[] = { 0, 1, 7 };

	for (size_t i = 0; i < COUNT(entries); i++)
		for (size_t c = 0; c < COUNT(chunks) * 2; c++) {
			duo.config.max_hello = 1;
			duo.chunk = chunks[c / 2];
			connect_as("a.example", NULL);
			duo.ctx->max_hello = pad(entries[i]) - c % 2;
			if (c % 2)
				expect_refused(HS_F_HELLO,
					       SSL_AD_ILLEGAL_PARAMETER);
			else
				duo_done(&duo);
			duo_disconnect(&duo);
			forget_session();
		}
}

Test(hello, the_second_one_has_the_same_limit, .init = start, .fini = stop)
{
	for (int longer = 0; longer < 2; longer++) {
		duo_ctx(&duo);
		SSL_CTX_set1_groups_list(duo.ctx->ssl, "P-256");
		SSL_CTX_set1_groups_list(duo.client_ctx, "X25519:P-256");
		connect_as("a.example", NULL);
		/* A share of P-256 is longer by 33 bytes. */
		duo.ctx->max_hello = pad(5) + 33 - longer;
		duo_feed(&duo);
		duo_deliver(&duo);
		cr_assert_eq(duo.step, HS_MORE, "%s", hs_error(duo.hs));
		if (longer)
			expect_refused(HS_F_HELLO, SSL_AD_ILLEGAL_PARAMETER);
		else
			duo_done(&duo);
		duo_disconnect(&duo);
	}
}

/* 128 KiB; the head in one record, in two, in four, and with empty ones. */
static const struct {
	const char *bytes;
	size_t len;
} promises[] = {
	{ "\x16\3\1\0\6\1\2\0\0\3\3", 11 },
	{ "\x16\3\1\0\2\1\2\x16\3\1\0\4\0\0\3\3", 16 },
	{ "\x16\3\1\0\1\1\x16\3\1\0\1\2\x16\3\1\0\1\0\x16\3\1\0\1\0", 24 },
	{ "\x16\3\1\0\3\1\2\0\x16\3\1\0\0\x16\3\1\0\2\0\3", 20 },
	{ "\x16\3\1\0\0\x16\3\1\0\6\1\2\0\0\3\3", 16 },
};

/* Returns the bytes that it costs; 0 where they are not counted. */
static size_t make_promise(size_t i, size_t chunk)
{
	size_t before = mallinfo2().uordblks;
	struct hs *hs = hs_new(duo.ctx, NULL, NULL);
	size_t used, n, cost;

	for (size_t at = 0; at < promises[i].len; at += n) {
		n = promises[i].len - at;
		n = n < chunk ? n : chunk;
		hs_feed(hs, (const uint8_t *)promises[i].bytes + at, n, 0,
			&used);
	}
	cost = mallinfo2().uordblks - before;
	cr_expect_eq(hs_failure(hs), HS_F_HELLO, "%zu, %zu: %s", i, chunk,
		     hs_error(hs));
	cr_expect_arr_eq(hs_output(hs).data, "\x15\x03\x03\x00\x02\x02\x2f",
			 7);
	hs_free(hs);
	return cost;
}

/* OpenSSL alone takes 60,000 bytes for buffers. */
Test(hello, a_promise_costs_no_memory, .init = start, .fini = stop)
{
	duo.config.max_hello = 16384;
	duo_ctx(&duo);
	for (size_t i = 0; i < COUNT(promises); i++)
		for (size_t chunk = 1; chunk < 24; chunk++)
			cr_expect_lt(make_promise(i, chunk), 25000);
}

/* It is judged as what it is, whatever its length. */
Test(hello, the_limit_is_for_client_hellos_only, .init = start, .fini = stop)
{
	static const char message[] = "\x16\3\1\0\6\2\2\0\0\3\3";
	size_t used;

	duo.config.max_hello = 512;
	duo_connect(&duo);
	cr_assert_eq(hs_feed(duo.hs, (const uint8_t *)message, 11, 0, &used),
		     HS_FAIL);
	cr_assert_eq(hs_failure(duo.hs), HS_F_PROTOCOL);
	cr_assert_eq(hs_output(duo.hs).data[6], SSL_AD_UNEXPECTED_MESSAGE);
}
