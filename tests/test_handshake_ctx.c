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
	duo_ctx(&d);
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
		d.site.alpn = (const uint8_t *)alpns[i].server;
		d.site.alpn_len = strlen(alpns[i].server);
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
