// SPDX-License-Identifier: MIT
#include "tests/handshake_peer.h"

TestSuite(ctx, .timeout = 30);

/* What is agreed with a client that offers all, by the pairs on offer */
static const struct {
	unsigned int pairs;
	const char *version, *cipher;
} offers[] = {
	{ KTLS_ALL_PAIRS, "TLSv1.3", "TLS_AES_128_GCM_SHA256" },
	{ KTLS_ALL_PAIRS & ~KTLS_PAIR(KTLS_TLS13, KTLS_AES_128_GCM), "TLSv1.3",
	  "TLS_AES_256_GCM_SHA384" },
	{ KTLS_PAIR(KTLS_TLS13, KTLS_CHACHA20_POLY1305), "TLSv1.3",
	  "TLS_CHACHA20_POLY1305_SHA256" },
	{ KTLS_PAIR(KTLS_TLS12, KTLS_AES_128_GCM) |
		  KTLS_PAIR(KTLS_TLS12, KTLS_AES_256_GCM),
	  "TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256" },
	{ KTLS_PAIR(KTLS_TLS12, KTLS_AES_256_GCM), "TLSv1.2",
	  "ECDHE-ECDSA-AES256-GCM-SHA384" },
	{ KTLS_PAIR(KTLS_TLS12, KTLS_CHACHA20_POLY1305), "TLSv1.2",
	  "ECDHE-ECDSA-CHACHA20-POLY1305" },
};

Test(ctx, offers_the_given_pairs_and_no_others)
{
	for (size_t i = 0; i < COUNT(offers); i++) {
		struct hs_info info;
		struct duo d;

		duo_init(&d, "P-256");
		d.config.pairs = offers[i].pairs;
		duo_connect(&d);
		duo_done(&d);
		hs_get_info(d.hs, &info);
		cr_expect_str_eq(info.version_name, offers[i].version);
		cr_expect_str_eq(info.cipher, offers[i].cipher);
		duo_fini(&d);
	}
}

Test(ctx, a_client_that_prefers_chacha20_gets_it)
{
	struct hs_info info;
	struct duo d;

	duo_init(&d, "P-256");
	SSL_CTX_set_ciphersuites(d.client_ctx,
				 "TLS_CHACHA20_POLY1305_SHA256:"
				 "TLS_AES_128_GCM_SHA256");
	duo_connect(&d);
	duo_done(&d);
	hs_get_info(d.hs, &info);
	cr_assert_str_eq(info.cipher, "TLS_CHACHA20_POLY1305_SHA256");
	duo_fini(&d);
}

Test(ctx, nothing_to_offer_is_an_error)
{
	char error[200] = "";
	struct duo d;

	duo_init(&d, "P-256");
	d.config.pairs = 0;
	cr_assert_null(hs_ctx_new(&d.config, error, sizeof(error)));
	cr_assert(strstr(error, "no TLS version"), "%s", error);
	duo_fini(&d);
}

static const struct {
	const char *server, *client, *agreed;
} alpns[] = {
	{ "\2h2\10http/1.1", "\10http/1.1\2h2", "h2" },
	{ "\10http/1.1\2h2", "\2h2\10http/1.1", "http/1.1" },
	{ "\2h2\10http/1.1", "\3foo\10http/1.1", "http/1.1" },
	{ "\2h2", "", "" },
	{ "", "\2h2", "" },
};

Test(ctx, alpn_is_chosen_by_the_servers_preference)
{
	for (size_t i = 0; i < COUNT(alpns); i++) {
		size_t len = strlen(alpns[i].agreed);
		struct hs_info info;
		struct duo d;

		duo_init(&d, "P-256");
		d.config.alpn = (const uint8_t *)alpns[i].server;
		d.config.alpn_len = strlen(alpns[i].server);
		SSL_CTX_set_alpn_protos(d.client_ctx,
					(const uint8_t *)alpns[i].client,
					strlen(alpns[i].client));
		duo_connect(&d);
		duo_done(&d);
		hs_get_info(d.hs, &info);
		cr_expect_eq(info.alpn_len, len);
		if (len)
			cr_expect_arr_eq(info.alpn, alpns[i].agreed, len);
		duo_fini(&d);
	}
}

static const struct {
	const char *name, *der;
	bool asked;
	int64_t now;
	enum hs_staple staple;
} staples[] = {
	{ "asked", "response", true, 999, HS_STAPLE_SENT },
	{ "not asked", "response", false, 999, HS_STAPLE_NOT_ASKED },
	{ "at nextUpdate", "response", true, 1000, HS_STAPLE_EXPIRED },
	{ "behind nextUpdate", "response", true, 1001, HS_STAPLE_EXPIRED },
	{ "expired, not asked", "response", false, 1001, HS_STAPLE_NOT_ASKED },
	{ "none", "", true, 999, HS_STAPLE_NONE },
	{ "none, not asked", "", false, 999, HS_STAPLE_NOT_ASKED },
};

static void try_staple(size_t i, uint16_t version)
{
	struct ocsp_bytes der = { (const uint8_t *)staples[i].der,
				  strlen(staples[i].der) };
	const unsigned char *got;
	struct hs_info info;
	struct duo d;
	long len;

	duo_init(&d, "P-256");
	client_pair(&d, version, KTLS_AES_128_GCM);
	d.now = staples[i].now;
	duo_connect(&d);
	cr_assert_eq(hs_ctx_set_staple(d.ctx, der, 1000), 0);
	if (staples[i].asked)
		SSL_set_tlsext_status_type(d.client, TLSEXT_STATUSTYPE_ocsp);
	duo_done(&d);
	hs_get_info(d.hs, &info);
	cr_expect_eq(info.staple, staples[i].staple, "%s", staples[i].name);
	len = SSL_get_tlsext_status_ocsp_resp(d.client, &got);
	if (staples[i].staple == HS_STAPLE_SENT) {
		cr_expect_eq(len, (long)der.len, "%s", staples[i].name);
		cr_expect_arr_eq(got, der.data, der.len);
	} else {
		cr_expect_eq(len, -1, "%s", staples[i].name);
	}
	duo_fini(&d);
}

Test(ctx, the_staple_goes_to_those_who_ask_and_never_after_its_end)
{
	for (size_t i = 0; i < COUNT(staples); i++) {
		try_staple(i, KTLS_TLS12);
		try_staple(i, KTLS_TLS13);
	}
}

Test(ctx, a_resumption_sends_no_staple)
{
	struct ocsp_bytes der = { (const uint8_t *)"response", 8 };
	struct hs_info info;
	struct duo d;
	char buf[8];

	duo_init(&d, "P-256");
	duo_connect(&d);
	hs_ctx_set_staple(d.ctx, der, 2000);
	duo_done(&d);
	SSL_read(d.client, buf, sizeof(buf));
	duo_disconnect(&d);
	duo_connect(&d);
	SSL_set_session(d.client, d.session);
	SSL_set_tlsext_status_type(d.client, TLSEXT_STATUSTYPE_ocsp);
	duo_done(&d);
	hs_get_info(d.hs, &info);
	cr_assert(info.resumed);
	cr_assert_eq(info.staple, HS_STAPLE_NOT_ASKED);
	duo_fini(&d);
}

/* The time counts, not the moment at which the staple was set. */
Test(ctx, a_staple_can_be_replaced_and_taken_away)
{
	struct ocsp_bytes der = { (const uint8_t *)"one", 3 };
	struct ocsp_bytes none = { NULL, 0 };
	const unsigned char *got;
	struct duo d;

	duo_init(&d, "P-256");
	duo_connect(&d);
	hs_ctx_set_staple(d.ctx, der, 2000);
	der = (struct ocsp_bytes){ (const uint8_t *)"another", 7 };
	hs_ctx_set_staple(d.ctx, der, 2000);
	SSL_set_tlsext_status_type(d.client, TLSEXT_STATUSTYPE_ocsp);
	duo_done(&d);
	cr_assert_eq(SSL_get_tlsext_status_ocsp_resp(d.client, &got), 7);
	duo_disconnect(&d);
	hs_ctx_set_staple(d.ctx, none, 0);
	duo_connect(&d);
	SSL_set_tlsext_status_type(d.client, TLSEXT_STATUSTYPE_ocsp);
	duo_done(&d);
	cr_assert_eq(SSL_get_tlsext_status_ocsp_resp(d.client, &got), -1);
	duo_fini(&d);
}

/* Neither by a ticket nor by a session of ours. */
Test(ctx, without_tickets_nothing_is_resumed)
{
	static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

	for (size_t i = 0; i < COUNT(versions); i++) {
		SSL_SESSION *session;
		struct hs_info info;
		struct duo d;
		char buf[8];

		duo_init(&d, "P-256");
		d.config.tickets = 0;
		client_pair(&d, versions[i], KTLS_AES_128_GCM);
		duo_connect(&d);
		duo_done(&d);
		SSL_read(d.client, buf, sizeof(buf));
		session = SSL_get1_session(d.client);
		duo_disconnect(&d);
		duo_connect(&d);
		SSL_set_session(d.client, session);
		SSL_SESSION_free(session);
		duo_done(&d);
		hs_get_info(d.hs, &info);
		cr_assert_not(info.resumed);
		duo_fini(&d);
	}
}
