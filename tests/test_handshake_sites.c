// SPDX-License-Identifier: MIT
/*
 * Several certificates for one name: which of them a client gets, and whose they
 * are.
 */
#include "tests/handshake_peer.h"

#include "handshake/internal.h"

TestSuite(sites, .timeout = 60);

static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

/* In this order; each also has a staple of its own, its number. */
static const struct {
	const char *type, *names, *key_alg;
} offers[] = {
	{ "P-256", "DNS:a.example", "EC256" },
	{ "RSA", "DNS:a.example,DNS:b.example", "RSA2048" },
	{ "ED25519", "DNS:a.example,DNS:c.example", "ED25519" },
	{ "RSA", "DNS:a.example,DNS:*.example", "RSA2048" },
	{ "P-384", "DNS:a.example,DNS:b.example", "EC384" },
};

static struct hs_site sites[COUNT(offers)];
static struct duo duo;

static struct hs_cert *load(size_t i)
{
	static const struct ocsp_times always = { 0, INT64_MAX };
	char number[] = { '0' + i, '\0' };
	struct hs_cert *cert;
	char error[300] = "";
	struct pki pki;

	pki_make_for(&pki, offers[i].type, "x", offers[i].names, 30);
	cert = cert_of_pair(pki.chain, pki.key, error, sizeof(error));
	cr_assert(cert, "%s", error);
	staple_set(cert, 0, number, &always);
	pki_remove(&pki);
	return cert;
}

static void start(void)
{
	duo_init(&duo, "P-256");
	for (size_t i = 0; i < COUNT(offers); i++)
		sites[i] = (struct hs_site){ .cert = load(i) };
	duo.cert = sites[0].cert;
	duo.config.sites = sites;
	duo.config.n_sites = COUNT(offers);
	SSL_CTX_set_verify(duo.client_ctx, SSL_VERIFY_NONE, NULL);
}

static void stop(void)
{
	duo_fini(&duo);
	for (size_t i = 1; i < COUNT(offers); i++)
		hs_cert_free(sites[i].cert);
}

/* @algs NULL: all */
static void connect_as(const char *name, const char *algs, bool staple)
{
	duo_connect(&duo);
	SSL_set1_host(duo.client, NULL);
	SSL_set_tlsext_host_name(duo.client, name);
	if (staple)
		SSL_set_tlsext_status_type(duo.client, TLSEXT_STATUSTYPE_ocsp);
	if (algs)
		cr_assert(SSL_set1_sigalgs_list(duo.client, algs));
	if (duo.session)
		SSL_set_session(duo.client, duo.session);
}

static void disconnect(void)
{
	duo_disconnect(&duo);
	SSL_SESSION_free(duo.session);
	duo.session = NULL;
}

/* The index of the certificate that the client was given; -1: none of ours. */
static int given(void)
{
	X509 *cert = SSL_get0_peer_certificate(duo.client);
	int found = -1;

	for (size_t i = 0; i < COUNT(offers); i++)
		if (!X509_cmp(cert, sites[i].cert->leaf))
			found = i;
	return found;
}

#define ECDSA "ECDSA+SHA256:ECDSA+SHA384"
#define PSS "RSA-PSS+SHA256"

static const struct {
	const char *name, *algs;
	int cert;
	const char *scheme;	/* NULL: it depends on the version */
} requests[] = {
	{ "a.example", NULL, 0, "ecdsa_secp256r1_sha256" },
	{ "a.example", PSS ":" ECDSA ":ed25519", 0, "ecdsa_secp256r1_sha256" },
	{ "a.example", PSS, 1, "rsa_pss_rsae_sha256" },
	{ "a.example", "ed25519:" PSS, 2, "ed25519" },
	{ "b.example", PSS, 1, "rsa_pss_rsae_sha256" },
	{ "b.example", PSS ":" ECDSA, 4, NULL },
	{ "c.example", "ed25519", 2, "ed25519" },
	{ "d.example", PSS ":" ECDSA, 3, "rsa_pss_rsae_sha256" },
	/* The first one's set */
	{ "unknown", ECDSA, 0, "ecdsa_secp256r1_sha256" },
	{ "unknown", PSS, 1, "rsa_pss_rsae_sha256" },
	{ NULL, "ed25519:" PSS, 2, "ed25519" },
};

static void expect_given(size_t i, bool staple)
{
	struct hs_info info;

	cr_expect_eq(given(), requests[i].cert, "%zu: %d", i, given());
	hs_get_info(duo.hs, &info);
	cr_expect_str_eq(info.key_alg, offers[requests[i].cert].key_alg);
	cr_expect_str_eq(info.cert_sig_alg, "SHA256");
	cr_expect_eq(info.staple, staple ? HS_STAPLE_SENT :
					   HS_STAPLE_NOT_ASKED);
	if (requests[i].scheme)
		cr_expect_str_eq(info.sig_scheme, requests[i].scheme);
	if (staple)
		cr_expect_eq(staple_received(duo.client)[0],
			     '0' + requests[i].cert);
}

Test(sites, a_client_gets_the_key_that_it_understands, .init = start,
     .fini = stop)
{
	for (size_t i = 0; i < COUNT(requests); i++)
		for (size_t v = 0; v < 2 * COUNT(versions); v++) {
			bool staple = v % 2;

			client_pair(&duo, versions[v / 2], KTLS_AES_128_GCM);
			connect_as(requests[i].name, requests[i].algs, staple);
			duo_done(&duo);
			expect_given(i, staple);
			disconnect();
		}
}

Test(sites, in_tls12_the_ciphers_choose_too, .init = start, .fini = stop)
{
	SSL_CTX_set_max_proto_version(duo.client_ctx, KTLS_TLS12);
	SSL_CTX_set_cipher_list(duo.client_ctx, "ECDHE-RSA-AES256-GCM-SHA384");
	connect_as("a.example", NULL, false);
	duo_done(&duo);
	cr_expect_eq(given(), 1);
	disconnect();
	SSL_CTX_set_cipher_list(duo.client_ctx,
				"ECDHE-ECDSA-AES256-GCM-SHA384");
	connect_as("a.example", NULL, false);
	duo_done(&duo);
	cr_expect_eq(given(), 0);
}

/* Each has its own, and one of them none: its absence is that one's alone. */
Test(sites, a_missing_staple_is_of_the_certificate_that_is_sent, .init = start,
     .fini = stop)
{
	hs_cert_set_staple(sites[1].cert, 0, (struct ocsp_bytes){ 0 }, NULL);
	hs_cert_require_staple(sites[1].cert, true);
	for (size_t v = 0; v < COUNT(versions); v++) {
		client_pair(&duo, versions[v], KTLS_AES_128_GCM);
		connect_as("a.example", ECDSA, true);
		duo_done(&duo);
		disconnect();
		connect_as("a.example", PSS, true);
		duo_run(&duo);
		cr_expect_eq(hs_failure(duo.hs), HS_F_STAPLE, "%s",
			     hs_error(duo.hs));
		disconnect();
	}
}

Test(sites, a_name_without_the_clients_kind_of_key_fails, .init = start,
     .fini = stop)
{
	for (size_t v = 0; v < COUNT(versions); v++) {
		client_pair(&duo, versions[v], KTLS_AES_128_GCM);
		connect_as("b.example", "ed25519", false);
		duo_run(&duo);
		cr_expect_eq(hs_failure(duo.hs), HS_F_CIPHER, "%s",
			     hs_error(duo.hs));
		disconnect();
	}
}

Test(sites, of_a_resumed_session_no_certificate_is_named, .init = start,
     .fini = stop)
{
	static const struct {
		const char *name, *key_alg;
	} names[] = { { "a.example", "" }, { "c.example", "ED25519" } };

	for (size_t i = 0; i < 2 * COUNT(versions); i++) {
		struct hs_info info;
		char buf[8];

		client_pair(&duo, versions[i / 2], KTLS_AES_128_GCM);
		connect_as(names[i % 2].name, NULL, false);
		duo_done(&duo);
		SSL_read(duo.client, buf, sizeof(buf));
		duo_disconnect(&duo);
		connect_as(names[i % 2].name, NULL, false);
		duo_done(&duo);
		hs_get_info(duo.hs, &info);
		cr_expect(info.resumed);
		cr_expect_str_eq(info.key_alg, names[i % 2].key_alg);
		disconnect();
	}
}

static const struct {
	const char *name;
	bool installed;
} installs[] = {
	{ NULL, false },	{ "unknown", false }, { "a.example", false },
	{ "b.example", true },	{ "c.example", true },
};

Test(sites, what_the_context_has_is_not_installed_again, .init = start,
     .fini = stop)
{
	for (size_t i = 0; i < COUNT(installs); i++) {
		connect_as(installs[i].name, NULL, false);
		duo_done(&duo);
		cr_expect_eq(duo.hs->installed != duo.ctx->names.fallback,
			     installs[i].installed, "%s", installs[i].name);
		disconnect();
	}
}

Test(sites, the_first_of_a_name_says_what_is_particular, .init = start,
     .fini = stop)
{
	struct hs_info info;

	sites[1].alpn = (const uint8_t *)"\2h2";
	sites[1].alpn_len = 3;
	sites[4].alpn = (const uint8_t *)"\10http/1.1";
	sites[4].alpn_len = 9;
	sites[4].min_version = KTLS_TLS13;
	SSL_CTX_set_max_proto_version(duo.client_ctx, KTLS_TLS12);
	connect_as("b.example", ECDSA, false);
	SSL_set_alpn_protos(duo.client, (const uint8_t *)"\10http/1.1\2h2",
			    12);
	duo_done(&duo);
	cr_expect_eq(given(), 4);
	hs_get_info(duo.hs, &info);
	cr_assert_eq(info.alpn_len, 2);
}

/* What hs_ctx_new() was given is gone once it returns. */
Test(sites, a_context_has_its_own_copy, .init = start, .fini = stop)
{
	static uint8_t alpn[] = "\2h2\10http/1.1";
	struct hs_site gone[COUNT(sites)];
	struct hs_info info;

	memcpy(gone, sites, sizeof(gone));
	for (size_t i = 0; i < COUNT(gone); i++) {
		gone[i].alpn = i < 3 ? alpn : alpn + 3;
		gone[i].alpn_len = i < 3 ? 12 : 9;
	}
	duo.config.sites = gone;
	duo_ctx(&duo);
	memset(gone, 0xff, sizeof(gone));
	memset(alpn, 0xff, sizeof(alpn));
	connect_as("a.example", NULL, false);
	SSL_set_alpn_protos(duo.client, (const uint8_t *)"\2h2", 3);
	duo_done(&duo);
	hs_get_info(duo.hs, &info);
	cr_expect_eq(info.alpn_len, 2);
	disconnect();
	connect_as("d.example", NULL, false);
	SSL_set_alpn_protos(duo.client, (const uint8_t *)"\10http/1.1", 9);
	duo_done(&duo);
	hs_get_info(duo.hs, &info);
	cr_expect_eq(info.alpn_len, 8);
}

Test(sites, certificates_live_as_long_as_a_context_has_them)
{
	static const struct ocsp_times always = { 0, INT64_MAX };
	struct hs_ctx *older;

	start();
	older = duo_ctx(&duo);
	duo.ctx = NULL;
	duo_ctx(&duo);
	staple_set(sites[0].cert, 0, "new", &always);
	for (size_t i = 1; i < COUNT(offers); i++) {
		cr_expect_eq(hs_cert_get(sites[i].cert), sites[i].cert);
		hs_cert_free(sites[i].cert);
		hs_cert_free(sites[i].cert);
	}
	hs_ctx_free(older);
	connect_as("a.example", ECDSA, true);
	duo_done(&duo);
	cr_expect_str_eq(staple_received(duo.client), "new");
	cr_expect_eq(given(), 0);
	disconnect();
	connect_as("b.example", PSS, true);
	duo_done(&duo);
	cr_expect_eq(given(), 1);
	duo_fini(&duo);
}

Test(sites, a_version_that_is_not_offered_is_an_error, .init = start,
     .fini = stop)
{
	char error[300] = "";

	sites[2].min_version = KTLS_TLS13;
	duo.config.pairs = KTLS_PAIR(KTLS_TLS12, KTLS_AES_128_GCM);
	cr_assert_null(hs_ctx_new(&duo.config, error, sizeof(error)));
	cr_assert(strstr(error, sites[2].cert->file) == error, "%s", error);
	cr_assert(strstr(error, "TLS 1.3 only, which is not offered"), "%s",
		  error);
}

/* A site cannot bring back what the context has given up. */
Test(sites, a_lower_version_is_none, .init = start, .fini = stop)
{
	sites[0].min_version = KTLS_TLS12;
	duo.config.pairs = KTLS_PAIR(KTLS_TLS13, KTLS_AES_128_GCM);
	SSL_CTX_set_max_proto_version(duo.client_ctx, KTLS_TLS12);
	connect_as("a.example", NULL, false);
	duo_run(&duo);
	cr_assert_eq(hs_failure(duo.hs), HS_F_VERSION, "%s", hs_error(duo.hs));
}

Test(sites, a_certificate_is_tried_once, .init = start, .fini = stop)
{
	int level;

	cr_expect_eq(sites[3].cert->tried, -1);
	level = SSL_CTX_get_security_level(duo_ctx(&duo)->ssl);
	for (size_t i = 0; i < COUNT(offers); i++)
		cr_expect_eq(sites[i].cert->tried, level);
}
