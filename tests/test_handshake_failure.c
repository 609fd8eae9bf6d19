// SPDX-License-Identifier: MIT
/*
 * Handshakes that a real client makes fail, each in its way: the reason, the
 * sentence, and the alert as that client understands it.
 */
#include "tests/handshake_peer.h"

TestSuite(failure, .timeout = 30);

static void only_tls11(struct duo *d)
{
	SSL_CTX_set_cipher_list(d->client_ctx, "ALL:@SECLEVEL=0");
	SSL_CTX_set_min_proto_version(d->client_ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(d->client_ctx, TLS1_1_VERSION);
}

static void only_cbc(struct duo *d)
{
	SSL_CTX_set_max_proto_version(d->client_ctx, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(d->client_ctx, "ECDHE-ECDSA-AES128-SHA");
}

static void only_unknown_suite(struct duo *d)
{
	SSL_CTX_set_min_proto_version(d->client_ctx, TLS1_3_VERSION);
	SSL_CTX_set_ciphersuites(d->client_ctx, "TLS_AES_128_CCM_SHA256");
}

static void only_rsa_signatures(struct duo *d)
{
	SSL_CTX_set1_sigalgs_list(d->client_ctx, "RSA-PSS+SHA256");
}

static void other_protocol(struct duo *d)
{
	SSL_CTX_set_alpn_protos(d->client_ctx, (const uint8_t *)"\3foo", 4);
}

static void distrust(struct duo *d)
{
	SSL_CTX_set_cert_store(d->client_ctx, X509_STORE_new());
}

static void distrust_tls12(struct duo *d)
{
	distrust(d);
	SSL_CTX_set_max_proto_version(d->client_ctx, TLS1_2_VERSION);
}

static const struct {
	const char *name;
	void (*set)(struct duo *d);
	enum hs_failure failure;
	const char *sentence;	/* part of it */
	int alert;		/* that the client received, 0: none */
} cases[] = {
	{ "version", only_tls11, HS_F_VERSION, "unsupported protocol", 70 },
	{ "cipher", only_cbc, HS_F_CIPHER, "no shared cipher", 40 },
	{ "suite", only_unknown_suite, HS_F_CIPHER, "no shared cipher", 40 },
	{ "signature", only_rsa_signatures, HS_F_CIPHER, "signature", 40 },
	{ "ALPN", other_protocol, HS_F_ALPN, "application protocol", 120 },
	{ "unknown CA", distrust, HS_F_ALERT, "alert 48, unknown CA", 0 },
	{ "unknown CA, TLS 1.2", distrust_tls12, HS_F_ALERT,
	  "alert 48, unknown CA", 0 },
};

static int received;

static void note_alert(const SSL *ssl, int where, int value)
{
	(void)ssl;
	if (where == SSL_CB_READ_ALERT)
		received = value & 0xff;
}

Test(failure, each_has_its_reason_its_sentence_and_its_alert)
{
	static const uint8_t alpn[] = "\2h2\10http/1.1";

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct duo d;

		duo_init(&d, "P-256");
		d.site.alpn = alpn;
		d.site.alpn_len = sizeof(alpn) - 1;
		cases[i].set(&d);
		duo_connect(&d);
		SSL_set_info_callback(d.client, note_alert);
		received = 0;
		duo_run(&d);
		cr_expect_eq(d.step, HS_FAIL, "%s", cases[i].name);
		cr_expect_eq(hs_failure(d.hs), cases[i].failure, "%s: %s",
			     cases[i].name, hs_error(d.hs));
		cr_expect(strstr(hs_error(d.hs), cases[i].sentence), "%s: %s",
			  cases[i].name, hs_error(d.hs));
		cr_expect_eq(received, cases[i].alert, "%s: alert %d",
			     cases[i].name, received);
		duo_fini(&d);
	}
}

/* A client's messages damaged on the way: the alert is under the right key */
Test(failure, a_damaged_finished_is_answered_by_decrypt_error)
{
	static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

	for (size_t i = 0; i < COUNT(versions); i++) {
		struct duo d;

		duo_init(&d, "P-256");
		client_pair(&d, versions[i], KTLS_AES_128_GCM);
		duo_connect(&d);
		SSL_set_info_callback(d.client, note_alert);
		received = 0;
		SSL_do_handshake(d.client);
		duo_collect(&d);
		duo_feed(&d);
		duo_deliver(&d);
		SSL_do_handshake(d.client);
		duo_collect(&d);
		d.wire[d.wire_len - 1] ^= 1;
		duo_feed(&d);
		cr_assert_eq(d.step, HS_FAIL);
		cr_assert_eq(hs_failure(d.hs), HS_F_PROTOCOL);
		duo_deliver(&d);
		if (SSL_is_init_finished(d.client))
			SSL_read(d.client, d.wire, 1);
		else
			SSL_do_handshake(d.client);
		cr_assert_eq(received, SSL_AD_BAD_RECORD_MAC, "%d", received);
		duo_fini(&d);
	}
}

static const struct {
	uint16_t version;
	const char *record, *sentence;
} in_the_clear[] = {
	{ KTLS_TLS12, "\x15\x03\x03\0\2\2\x2f", "alert 47, illegal parameter" },
	{ KTLS_TLS13, "\x15\x03\x03\0\2\2\x2f", "alert 47, illegal parameter" },
	{ KTLS_TLS12, "\x15\x03\x03\0\2\1\0", "alert 0, close notify" },
	{ KTLS_TLS13, "\x15\x03\x03\0\2\1\0", "alert 0, close notify" },
};

/* A client that could not make our keys says so in the clear (RFC 8446 5). */
Test(failure, an_alert_in_the_clear_is_understood_amid_the_handshake)
{
	for (size_t i = 0; i < COUNT(in_the_clear); i++) {
		struct duo d;

		duo_init(&d, "P-256");
		client_pair(&d, in_the_clear[i].version, KTLS_AES_128_GCM);
		duo_connect(&d);
		SSL_do_handshake(d.client);
		duo_collect(&d);
		duo_feed(&d);
		d.wire_len = 7;
		memcpy(d.wire, in_the_clear[i].record, 7);
		hs_output_sent(d.hs, hs_output(d.hs).len);
		duo_feed(&d);
		cr_expect_eq(d.step, HS_FAIL);
		cr_expect_eq(hs_failure(d.hs), HS_F_ALERT);
		cr_expect(strstr(hs_error(d.hs), in_the_clear[i].sentence),
			  "%s", hs_error(d.hs));
		cr_expect_eq(hs_output(d.hs).len, 0);
		duo_fini(&d);
	}
}
