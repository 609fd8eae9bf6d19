// SPDX-License-Identifier: MIT
#include "tests/handshake_peer.h"

TestSuite(staple, .timeout = 30);

#define SKEW 300	/* seconds that the peer's clock may be behind */

static const struct ocsp_times times = { .this_update = 5000,
					 .next_update = 10000 };

static const struct {
	const char *name, *text;
	bool asked, required;
	int64_t now;
	enum hs_staple staple;
} cases[] = {
	{ "asked", "response", true, false, 9998, HS_STAPLE_SENT },
	{ "asked and required", "response", true, true, 9998, HS_STAPLE_SENT },
	{ "not asked", "response", false, false, 9999, HS_STAPLE_NOT_ASKED },
	{ "a second before nextUpdate", "response", true, false, 9999,
	  HS_STAPLE_EXPIRED },
	{ "two seconds before it", "response", true, false, 9998,
	  HS_STAPLE_SENT },
	{ "at nextUpdate", "response", true, false, 10000, HS_STAPLE_EXPIRED },
	{ "long past", "response", true, false, 1 << 30, HS_STAPLE_EXPIRED },
	{ "expired, not asked", "response", false, false, 10001,
	  HS_STAPLE_NOT_ASKED },
	{ "at thisUpdate", "response", true, false, 5000, HS_STAPLE_SENT },
	{ "within the skew", "response", true, false, 5000 - SKEW,
	  HS_STAPLE_SENT },
	{ "the clock was set back", "response", true, false, 4999 - SKEW,
	  HS_STAPLE_NOT_YET },
	{ "far back", "response", true, false, 0, HS_STAPLE_NOT_YET },
	{ "none", "", true, false, 9999, HS_STAPLE_NONE },
	{ "none, not asked", "", false, false, 9999, HS_STAPLE_NOT_ASKED },
	{ "required, not asked", "", false, true, 9999, HS_STAPLE_NOT_ASKED },
	{ "required, none", "", true, true, 9999, HS_STAPLE_REFUSED },
	{ "required, expired", "response", true, true, 10000,
	  HS_STAPLE_REFUSED },
	{ "required, not yet", "response", true, true, 0, HS_STAPLE_REFUSED },
};

static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

/* @text "": none */
static void staple(struct duo *d, const char *text)
{
	duo_ctx(d);
	if (*text)
		staple_set(d->cert, 0, text, &times);
}

/* NULL: nothing */
static void expect_received(struct duo *d, const char *text, const char *name)
{
	const char *got = staple_received(d->client);

	if (text && got)
		cr_expect_str_eq(got, text, "%s: %s", name, got);
	else
		cr_expect_eq(got, text, "%s: %s", name, got);
}

static void connect_asking(struct duo *d)
{
	duo_connect(d);
	SSL_set_tlsext_status_type(d->client, TLSEXT_STATUSTYPE_ocsp);
}

static void expect_refusal(struct duo *d, const char *name)
{
	cr_expect_eq(d->step, HS_FAIL, "%s", name);
	cr_expect_eq(hs_failure(d->hs), HS_F_STAPLE, "%s", name);
	cr_expect_str_eq(hs_error(d->hs), "no valid staple for the certificate "
			 "localhost, which must have one");
	cr_expect_eq(ERR_GET_REASON(ERR_peek_last_error()),
		     SSL_AD_REASON_OFFSET + SSL_AD_INTERNAL_ERROR, "%s", name);
}

static void try_case(size_t i, uint16_t version)
{
	const char *name = cases[i].name;
	struct hs_info info;
	struct duo d;

	duo_init(&d, "P-256");
	client_pair(&d, version, KTLS_AES_128_GCM);
	d.now = cases[i].now;
	staple(&d, cases[i].text);
	hs_cert_require_staple(d.cert, cases[i].required);
	duo_connect(&d);
	if (cases[i].asked)
		SSL_set_tlsext_status_type(d.client, TLSEXT_STATUSTYPE_ocsp);
	duo_run(&d);
	hs_get_info(d.hs, &info);
	cr_expect_eq(info.staple, cases[i].staple, "%s: %d", name, info.staple);
	if (cases[i].staple == HS_STAPLE_REFUSED)
		expect_refusal(&d, name);
	else
		cr_expect_eq(d.step, HS_DONE, "%s: %s", name, hs_error(d.hs));
	expect_received(&d, cases[i].staple == HS_STAPLE_SENT ?
				    cases[i].text : NULL, name);
	duo_fini(&d);
}

Test(staple, goes_to_those_who_ask_and_never_outside_its_time)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t v = 0; v < COUNT(versions); v++)
			try_case(i, versions[v]);
}

Test(staple, is_not_sent_in_a_resumption_nor_required_there)
{
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct hs_info info;
		struct duo d;
		char buf[8];

		duo_init(&d, "P-256");
		client_pair(&d, versions[v], KTLS_AES_128_GCM);
		d.now = 9998;
		staple(&d, "response");
		hs_cert_require_staple(d.cert, true);
		connect_asking(&d);
		duo_done(&d);
		SSL_read(d.client, buf, sizeof(buf));
		duo_disconnect(&d);
		d.now = 10000;
		connect_asking(&d);
		SSL_set_session(d.client, d.session);
		duo_done(&d);
		hs_get_info(d.hs, &info);
		cr_assert(info.resumed);
		cr_assert_eq(info.staple, HS_STAPLE_NOT_ASKED);
		duo_fini(&d);
	}
}

/* The time counts, not the moment at which the staple was set. */
Test(staple, can_be_replaced_and_taken_away)
{
	struct duo d;

	duo_init(&d, "P-256");
	d.now = 9998;
	staple(&d, "one");
	connect_asking(&d);
	staple(&d, "another");
	duo_done(&d);
	expect_received(&d, "another", "replaced");
	duo_disconnect(&d);
	cr_assert_eq(hs_cert_set_staple(d.cert, 0, (struct ocsp_bytes){ 0 },
					NULL), 0);
	connect_asking(&d);
	duo_done(&d);
	expect_received(&d, NULL, "taken away");
	duo_fini(&d);
}

/* Ours are freed by OpenSSL with each connection. */
Test(staple, is_shared_by_connections_that_overlap)
{
	struct duo d;
	struct hs *first;

	duo_init(&d, "P-256");
	d.now = 9998;
	staple(&d, "response");
	connect_asking(&d);
	duo_done(&d);
	first = d.hs;
	d.hs = NULL;
	duo_disconnect(&d);
	connect_asking(&d);
	hs_free(first);
	duo_done(&d);
	expect_received(&d, "response", "second");
	duo_fini(&d);
}

/* --- a chain ----------------------------------------------------------- */

/* leaf, two intermediates, root; one key will do */
static void make_chain(struct duo *d)
{
	static const char *const names[] = { "localhost", "Inner", "Outer" };
	EVP_PKEY *key = pki_key("P-256");
	X509 *cert[4];
	FILE *f;
	int i;

	cert[3] = pki_cert(key, "Root", NULL, key, 30);
	for (i = 2; i >= 0; i--)
		cert[i] = pki_cert_for(key, names[i], NULL, cert[i + 1], key,
				       30);
	pki_remove(&d->pki);
	pki_write(&d->pki, cert[0], cert[1], key);
	f = fopen(d->pki.chain, "a");
	cr_assert(f && PEM_write_X509(f, cert[2]) &&
		  PEM_write_X509(f, cert[3]));
	fclose(f);
	for (i = 0; i < 4; i++)
		X509_free(cert[i]);
	EVP_PKEY_free(key);
	SSL_CTX_set_verify(d->client_ctx, SSL_VERIFY_NONE, NULL);
}

#if OPENSSL_VERSION_NUMBER >= 0x30600000L

/* By position: 'h' holds, 'e' is expired, '-' there is none */
static const struct {
	const char *have;
	int sent;
} chains[] = {
	{ "hhh", 3 }, { "hh-", 2 }, { "h--", 1 }, { "hhe", 2 }, { "h-h", 1 },
	{ "heh", 1 }, { "-hh", 0 }, { "ehh", 0 }, { "---", 0 },
};

static void try_chain(const char *have, int sent, uint16_t version)
{
	static const struct ocsp_times past = { 1000, 2000 };
	static const char *const texts[] = { "leaf", "inner", "outer" };
	STACK_OF(OCSP_RESPONSE) *got = NULL;
	struct duo d;
	int n, i;

	duo_init(&d, "P-256");
	make_chain(&d);
	client_pair(&d, version, KTLS_AES_128_GCM);
	d.now = 9998;
	duo_ctx(&d);
	cr_assert_eq(hs_cert_depths(d.cert), 3);
	for (i = 0; i < 3; i++)
		if (have[i] != '-')
			staple_set(d.cert, i, texts[i],
				   have[i] == 'h' ? &times : &past);
	connect_asking(&d);
	duo_done(&d);
	n = SSL_get0_tlsext_status_ocsp_resp_ex(d.client, &got);
	if (version == KTLS_TLS12 && sent)
		sent = 1;
	cr_expect_eq(n, sent ? sent : -1, "%s: %d", have, n);
	expect_received(&d, sent ? "leaf" : NULL, have);
	for (i = 0; i < n; i++)
		cr_expect_str_eq(staple_text(sk_OCSP_RESPONSE_value(got, i)),
				 texts[i], "%s: position %d", have, i);
	duo_fini(&d);
}

Test(staple, is_sent_for_each_position_up_to_the_first_without)
{
	for (size_t i = 0; i < COUNT(chains); i++)
		for (size_t v = 0; v < COUNT(versions); v++)
			try_chain(chains[i].have, chains[i].sent, versions[v]);
}

#else

Test(staple, is_for_the_leaf_alone_with_this_library)
{
	struct duo d;

	duo_init(&d, "P-256");
	make_chain(&d);
	duo_ctx(&d);
	cr_assert_eq(hs_cert_depths(d.cert), 1);
	duo_fini(&d);
}

#endif
