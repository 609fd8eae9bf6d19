// SPDX-License-Identifier: MIT
/*
 * Several certificates: which of them a client gets, what is then said of it,
 * and under which name its session goes on.
 */
#include <ctype.h>

#include "tests/handshake_peer.h"

TestSuite(names, .timeout = 30);

static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

/* In this order; each also has a staple of its own, its number. */
static const struct {
	const char *type, *common, *alternative;
} offers[] = {
	{ "P-256", "default.example", "DNS:default.example,DNS:two.example" },
	{ "P-384", "x", "DNS:www.example,DNS:API.example,DNS:*.cdn.example" },
	{ "RSA", "x", "DNS:*.example,DNS:www.example,DNS:deep.a.example" },
	{ "ED25519", "device.example", "IP:192.0.2.1" },
	{ "P-256", "hidden.example", "DNS:*.*.wild.example,DNS:w*.x.example" },
	{ "P-521", "x", "DNS:a.cdn.example,DNS:*.a.example" },
};

static struct hs_cert *certs[COUNT(offers)];
static struct hs_site sites[COUNT(offers)];
static struct duo duo;

static void start(void)
{
	static const struct ocsp_times always = { 0, INT64_MAX };

	duo_init(&duo, "P-256");
	for (size_t i = 0; i < COUNT(offers); i++) {
		char error[300] = "";
		char number[] = { '0' + i, '\0' };
		struct pki pki;

		pki_make_for(&pki, offers[i].type, offers[i].common,
			     offers[i].alternative, 30);
		certs[i] = cert_of_pair(pki.chain, pki.key, error,
					sizeof(error));
		cr_assert(certs[i], "%s", error);
		staple_set(certs[i], 0, number, &always);
		pki_remove(&pki);
		sites[i] = (struct hs_site){ .cert = certs[i] };
	}
	duo.cert = certs[0];
	duo.config.sites = sites;
	duo.config.n_sites = COUNT(offers);
	SSL_CTX_set_verify(duo.client_ctx, SSL_VERIFY_NONE, NULL);
}

static void stop(void)
{
	duo_fini(&duo);
	for (size_t i = 1; i < COUNT(offers); i++)
		hs_cert_free(certs[i]);
}

/* Shakes hands under @name, NULL: without one. */
static void shake_hands(const char *name)
{
	duo_connect(&duo);
	SSL_set1_host(duo.client, NULL);
	SSL_set_tlsext_host_name(duo.client, name);
	SSL_set_tlsext_status_type(duo.client, TLSEXT_STATUSTYPE_ocsp);
	if (duo.session)
		SSL_set_session(duo.client, duo.session);
	duo_done(&duo);
}

/* The index of the certificate that the client was given; -1: none of ours. */
static int given(void)
{
	X509 *cert = SSL_get0_peer_certificate(duo.client);
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der), found = -1;

	for (size_t i = 0; i < COUNT(offers); i++) {
		struct ocsp_bytes ours = hs_cert_der(certs[i], 0);

		if (len == (int)ours.len && !memcmp(der, ours.data, ours.len))
			found = i;
	}
	OPENSSL_free(der);
	return found;
}

/* What servers are told of a name that a client asks for. */
static const char *told(const char *name)
{
	static char text[300];
	size_t len = name ? strlen(name) : 0;

	if (len != strspn(name ? name : "", "abcdefghijklmnopqrstuvwxyz"
			  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."))
		return "";
	for (size_t i = 0; i < len; i++)
		text[i] = tolower((unsigned char)name[i]);
	text[len && name[len - 1] == '.' ? len - 1 : len] = '\0';
	return text;
}

static const struct {
	const char *name;
	int cert;
} requests[] = {
	{ NULL, 0 },
	{ "default.example", 0 },
	{ "two.example", 0 },
	/* exact before wildcard; of two the earlier */
	{ "www.example", 1 },
	{ "api.example", 1 },
	{ "API.EXAMPLE", 1 },
	{ "other.example", 2 },
	{ "OTHER.Example", 2 },
	{ "a.cdn.example", 5 },
	{ "b.cdn.example", 1 },
	{ "deep.a.example", 2 },
	{ "flat.a.example", 5 },
	/* a wildcard is one label, and never none */
	{ "b.b.cdn.example", 0 },
	{ "example", 0 },
	{ ".example", 0 },
	{ "deep.other.example", 0 },
	/* the dot at the end is none of the name's */
	{ "www.example.", 1 },
	{ "Other.Example.", 2 },
	{ "www.example..", 0 },
	/* without DNS names the common name counts, and only then */
	{ "device.example", 3 },
	{ "hidden.example", 2 },
	/* the star alone, and as the first label */
	{ "a.b.wild.example", 0 },
	{ "www.x.example", 0 },
	{ "unknown.invalid", 0 },
	{ "192.0.2.1", 0 },
	{ "*", 0 },
	{ "...", 0 },
	{ "a name with spaces \xff\x01", 0 },
	{ "*.cdn.example", 0 },
	{ "www.example\n", 0 },
	{ "a\".cdn.example", 0 },
	{ "a_b.cdn.example", 1 },
	{ "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.a.b.c.d.e.f.g."
	  "h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o."
	  "p.q.r.s.t.u.v.w.x.y.z.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w."
	  "x.y.z.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u", 0 },
};

Test(names, the_certificate_is_chosen_by_the_clients_name, .init = start,
     .fini = stop)
{
	for (size_t i = 0; i < COUNT(requests); i++)
		for (size_t v = 0; v < COUNT(versions); v++) {
			const char *name = requests[i].name;
			struct hs_info info;

			client_pair(&duo, versions[v], KTLS_AES_128_GCM);
			shake_hands(name);
			cr_expect_eq(given(), requests[i].cert, "%s: got %d",
				     name, given());
			hs_get_info(duo.hs, &info);
			cr_expect_str_eq(info.server_name, told(name));
			cr_assert(staple_received(duo.client));
			cr_expect_eq(staple_received(duo.client)[0],
				     '0' + requests[i].cert, "%s", name);
			duo_disconnect(&duo);
			SSL_SESSION_free(duo.session);
			duo.session = NULL;
		}
}

static const struct {
	const char *name, *key_alg, *sig_scheme;
} described[] = {
	{ "default.example", "EC256", "ecdsa_secp256r1_sha256" },
	{ "www.example", "EC384", "ecdsa_secp384r1_sha384" },
	{ "some.example", "RSA2048", "rsa_pss_rsae_sha256" },
	{ "device.example", "ED25519", "ed25519" },
};

Test(names, what_is_said_is_of_the_certificate_that_was_used, .init = start,
     .fini = stop)
{
	for (size_t i = 0; i < COUNT(described); i++) {
		struct hs_info info;

		client_pair(&duo, KTLS_TLS13, KTLS_AES_128_GCM);
		shake_hands(described[i].name);
		hs_get_info(duo.hs, &info);
		cr_expect_str_eq(info.key_alg, described[i].key_alg);
		cr_expect_str_eq(info.sig_scheme, described[i].sig_scheme);
		duo_disconnect(&duo);
		SSL_SESSION_free(duo.session);
		duo.session = NULL;
	}
}

/* One of another type must not stand in for the one that was asked for. */
Test(names, a_client_that_cannot_use_its_certificate_gets_no_other,
     .init = start, .fini = stop)
{
	duo_connect(&duo);
	SSL_set1_host(duo.client, NULL);
	SSL_set_tlsext_host_name(duo.client, "some.example");
	SSL_set1_sigalgs_list(duo.client, "ECDSA+SHA256");
	duo_run(&duo);
	cr_assert_eq(duo.step, HS_FAIL);
	cr_assert_eq(hs_failure(duo.hs), HS_F_CIPHER, "%s", hs_error(duo.hs));
}

/* Not the certificate but the name is what a session is bound to. */
static const struct {
	const char *first, *then;
	bool resumed;
} resumptions[] = {
	{ "www.example", "www.example", true },
	{ "www.example", "WWW.example", true },
	{ "www.example", "other.example", false },
	{ "other.example", "www.example", false },
	{ "www.example", "api.example", false },
	{ "www.example", NULL, false },
	{ NULL, "www.example", false },
	{ NULL, "default.example", false },
	{ NULL, NULL, true },
	{ "unknown.invalid", "default.example", false },
	{ "unknown.invalid", "unknown.invalid", true },
};

static void resume(size_t i, uint16_t version)
{
	const char *first = resumptions[i].first, *then = resumptions[i].then;
	struct hs_info info;
	char buf[8];

	client_pair(&duo, version, KTLS_AES_128_GCM);
	shake_hands(first);
	hs_get_info(duo.hs, &info);
	cr_expect_not(info.resumed);
	SSL_read(duo.client, buf, sizeof(buf));
	cr_assert(duo.session);
	duo_disconnect(&duo);
	shake_hands(then);
	hs_get_info(duo.hs, &info);
	cr_expect_eq(info.resumed, resumptions[i].resumed, "%s, then %s, %x",
		     first, then, version);
	cr_expect_str_eq(info.server_name, told(then));
	duo_disconnect(&duo);
	SSL_SESSION_free(duo.session);
	duo.session = NULL;
}

Test(names, a_session_goes_on_under_its_own_name_only, .init = start,
     .fini = stop)
{
	for (size_t i = 0; i < COUNT(resumptions); i++)
		for (size_t v = 0; v < COUNT(versions); v++)
			resume(i, versions[v]);
}

/* A HelloRetryRequest brings a second ClientHello. */
Test(names, the_second_hello_is_looked_at_too, .init = start, .fini = stop)
{
	duo_connect(&duo);
	SSL_set1_host(duo.client, NULL);
	SSL_set_tlsext_host_name(duo.client, "www.example");
	cr_assert(SSL_set1_groups_list(duo.client, "X448:P-256"));
	SSL_CTX_set1_groups_list(duo.client_ctx, "X448:P-256");
	duo_done(&duo);
	cr_assert_eq(given(), 1);
}

Test(names, a_key_too_short_for_the_library_is_refused_before_serving)
{
	EVP_PKEY *key = EVP_RSA_gen(1024), *ca_key = pki_key("P-256");
	X509 *ca = pki_cert(ca_key, "Test CA", NULL, ca_key, 30);
	X509 *leaf = pki_cert(key, "localhost", ca, ca_key, 30);
	struct hs_site both[2] = { 0 };
	char error[300] = "";
	struct pki pki;

	duo_init(&duo, "P-256");
	duo_ctx(&duo);
	pki_write(&pki, leaf, ca, key);
	both[0].cert = duo.cert;
	both[1].cert = cert_of_pair(pki.chain, pki.key, error, sizeof(error));
	cr_assert(both[1].cert, "%s", error);
	duo.config.sites = both;
	duo.config.n_sites = 2;
	cr_assert_null(hs_ctx_new(&duo.config, error, sizeof(error)));
	cr_assert(strstr(error, pki.chain) == error, "%s", error);
	cr_assert(strstr(error, "cannot be used: ee key too small"), "%s",
		  error);
	hs_cert_free(both[1].cert);
	pki_remove(&pki);
	X509_free(leaf);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	duo_fini(&duo);
}
