// SPDX-License-Identifier: MIT
#include "agent/certs.h"

#include <openssl/ocsp.h>

#include "agent/log.h"
#include "tests/handshake_peer.h"

#include "agent_case.h"
#include "certs_case.h"

TestSuite(certs, .timeout = 20);

#define HOUR 3600

static struct duo duo;		/* its client asks what was loaded */
static EVP_PKEY *ca_key, *leaf_key;
static X509 *ca, *leaf;
static char staple[96], ca_file[96];
static struct config_cert cert;
static struct config_listener listeners[2];
static struct config config = {
	.certs = &cert,
	.n_certs = 1,
	.listeners = listeners,
	.n_listeners = 2,
};

static void write_cert(const char *path, X509 *one, X509 *two)
{
	FILE *f = fopen(path, "w");

	cr_assert(f && PEM_write_X509(f, one));
	cr_assert(!two || PEM_write_X509(f, two));
	fclose(f);
}

static void start(void)
{
	FILE *f;

	duo_init(&duo, "P-256");
	ca_key = pki_key("P-256");
	leaf_key = pki_key("P-256");
	ca = pki_cert(ca_key, "Test CA", NULL, ca_key, 30);
	leaf = pki_cert(leaf_key, "localhost", ca, ca_key, 30);
	sprintf(staple, "%s/staple.der", duo.pki.dir);
	sprintf(ca_file, "%s/issuer.pem", duo.pki.dir);
	write_cert(duo.pki.chain, leaf, ca);
	write_cert(ca_file, ca, NULL);
	f = fopen(duo.pki.key, "w");
	cr_assert(f && PEM_write_PrivateKey(f, leaf_key, NULL, NULL, 0, NULL,
					    NULL));
	fclose(f);
	cr_assert_eq(chmod(duo.pki.key, 0600), 0);
	cert = (struct config_cert){
		.mark = { "ktlsd.conf", 7, 3 },
		.chain = duo.pki.chain,
		.key = duo.pki.key,
	};
	listeners[0].tickets = listeners[1].tickets = 2;
}

static void stop(void)
{
	unlink(staple);
	unlink(ca_file);
	X509_free(ca);
	X509_free(leaf);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(leaf_key);
	duo_fini(&duo);
}

static struct certs *load(void)
{
	return load_certs(&config);
}

/* A response for the leaf; the times are relative to now, in seconds. */
static void write_staple(int status, long from, long to)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), leaf, ca);
	ASN1_TIME *this = X509_gmtime_adj(NULL, from);
	ASN1_TIME *next = X509_gmtime_adj(NULL, to);
	ASN1_TIME *when = X509_gmtime_adj(NULL, from);
	OCSP_RESPONSE *response;
	uint8_t *der = NULL;
	FILE *f;
	int len;

	cr_assert(OCSP_basic_add1_status(basic, id, status, 0,
					 status == V_OCSP_CERTSTATUS_REVOKED ?
						 when : NULL, this, next));
	X509_gmtime_adj((ASN1_TIME *)OCSP_resp_get0_produced_at(basic), from);
	cr_assert(OCSP_basic_sign(basic, ca, ca_key, EVP_sha256(), NULL,
				  OCSP_NOCERTS | OCSP_NOTIME));
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(response, &der);
	f = fopen(staple, "w");
	cr_assert(f && fwrite(der, (size_t)len, 1, f) == 1);
	fclose(f);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(this);
	ASN1_TIME_free(next);
	ASN1_TIME_free(when);
	cert.staple = CONFIG_STAPLE_FILE;
	cert.staple_file = staple;
}

/* What a client that asks for a staple is told, @seconds from now. */
static enum hs_staple stapled_in(struct hs_ctx *ctx, long seconds)
{
	struct hs_info info;

	duo.ctx = ctx;
	duo.now = time(NULL) + seconds;
	SSL_CTX_set_verify(duo.client_ctx, SSL_VERIFY_NONE, NULL);
	duo_connect(&duo);
	SSL_set_tlsext_status_type(duo.client, TLSEXT_STATUSTYPE_ocsp);
	duo_done(&duo);
	hs_get_info(duo.hs, &info);
	duo_disconnect(&duo);
	duo.ctx = NULL;
	return info.staple;
}

static enum hs_staple stapled(struct hs_ctx *ctx)
{
	return stapled_in(ctx, 0);
}

Test(certs, makes_a_context_for_every_listener, .init = start, .fini = stop)
{
	struct certs *certs = load();

	cr_assert(certs, "%s", said());
	cr_assert_str_eq(said(), "");
	cr_assert_eq(certs->n_contexts, 2);
	cr_assert_neq(certs->contexts[0], certs->contexts[1]);
	cr_assert_eq(certs->n, 1);
	cr_assert_eq(stapled(certs->contexts[0]), HS_STAPLE_NONE);
	certs_free(certs);
	certs_free(NULL);
}

Test(certs, names_the_file_and_the_place_of_what_it_refuses, .init = start,
     .fini = stop)
{
	cert.key = ca_file;
	cr_assert_null(load());
	cr_expect(strstr(said(), "at=ktlsd.conf:7:3"), "%s", said());
	cr_expect(strstr(said(), ca_file), "%s", said());
	cert.key = duo.pki.key;
	cert.chain = (char *)"/nonexistent/chain.pem";
	cr_assert_null(load());
	cr_expect(strstr(said(), "/nonexistent/chain.pem"), "%s", said());
}

/* The file names of these would be secrets. */
static void refuses_untold(const char *key)
{
	char expected[128];
	const char *log;

	cr_expect_null(load());
	log = said();
	snprintf(expected, sizeof(expected), "event=certificate_refused "
		 "at=ktlsd.conf:7:3 error=\"%s: there is no such file in /etc;",
		 key);
	cr_expect(strstr(log, expected), "%s", log);
	cr_expect_null(strstr(log, "hunter2"), "%s", log);
}

Test(certs, shows_no_secret_in_the_place_of_its_file, .init = start,
     .fini = stop)
{
	char *key = cert.key;

	cert.key = (char *)"/etc/hunter2+/x==";
	refuses_untold("key");
	cert.key = key;
	cert.password_file = (char *)"/etc/hunter2";
	refuses_untold("key_password_file");
}

Test(certs, warns_of_a_key_that_everyone_can_read, .init = start, .fini = stop)
{
	struct certs *certs;

	cr_assert_eq(chmod(duo.pki.key, 0604), 0);
	certs = load();
	cr_assert(certs);
	cr_assert(strstr(said(), "warn event=key_exposed"), "%s", said());
	cr_assert(strstr(said(), duo.pki.key), "%s", said());
	cr_assert_not(strstr(said(), "PRIVATE KEY"));
	certs_free(certs);
}

Test(certs, staples_a_good_response_whose_issuer_is_in_the_chain,
     .init = start, .fini = stop)
{
	struct certs *certs;

	write_staple(V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR);
	certs = load();
	cr_assert(certs, "%s", said());
	cr_assert_eq(stapled(certs->contexts[0]), HS_STAPLE_SENT);
	cr_assert_eq(stapled(certs->contexts[1]), HS_STAPLE_SENT);
	certs_free(certs);
}

Test(certs, takes_the_issuer_from_its_own_file, .init = start, .fini = stop)
{
	struct certs *certs;

	write_staple(V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR);
	write_cert(duo.pki.chain, leaf, NULL);
	cr_assert_null(load());
	cr_assert(strstr(said(), "issuer:"), "%s", said());
	cert.issuer = ca_file;
	certs = load();
	cr_assert(certs, "%s", said());
	cr_assert_eq(stapled(certs->contexts[0]), HS_STAPLE_SENT);
	certs_free(certs);
	cert.issuer = (char *)"/nonexistent/issuer.pem";
	cr_assert_null(load());
	cr_assert(strstr(said(), "/nonexistent/issuer.pem"), "%s", said());
}

Test(certs, starts_without_a_staple_that_is_past, .init = start, .fini = stop)
{
	struct certs *certs;

	write_staple(V_OCSP_CERTSTATUS_GOOD, -2 * HOUR, -HOUR);
	certs = load();
	cr_assert(certs, "%s", said());
	cr_assert(strstr(said(), "warn event=staple_expired"), "%s", said());
	cr_assert_neq(stapled(certs->contexts[0]), HS_STAPLE_SENT);
	certs_free(certs);
}

Test(certs, staples_a_response_that_is_ahead_when_its_time_has_come,
     .init = start, .fini = stop)
{
	struct certs *certs;

	write_staple(V_OCSP_CERTSTATUS_GOOD, HOUR, 2 * HOUR);
	certs = load();
	cr_assert(certs, "%s", said());
	cr_expect(strstr(said(), "warn event=staple_not_yet"), "%s", said());
	cr_expect(strstr(said(), cert.staple_file), "%s", said());
	cr_expect_neq(stapled_in(certs->contexts[0], 0), HS_STAPLE_SENT);
	cr_expect_eq(stapled_in(certs->contexts[0], HOUR + 1), HS_STAPLE_SENT);
	cr_expect_neq(stapled_in(certs->contexts[0], 2 * HOUR + 10),
		      HS_STAPLE_SENT);
	certs_free(certs);
}

static void refuses(const char *what)
{
	cr_expect_null(load(), "%s", what);
	cr_expect(strstr(said(), "error event=staple_refused "
			 "at=ktlsd.conf:7:3 "), "%s: %s", what, said());
	cr_expect(strstr(said(), cert.staple_file), "%s: %s", what, said());
}

Test(certs, refuses_a_staple_that_was_never_right, .init = start,
     .fini = stop)
{
	FILE *f;
	int i;

	write_staple(V_OCSP_CERTSTATUS_REVOKED, -HOUR, HOUR);
	refuses("revoked");
	write_staple(V_OCSP_CERTSTATUS_REVOKED, HOUR, 2 * HOUR);
	refuses("revoked in the future");
	write_staple(V_OCSP_CERTSTATUS_GOOD, 2 * HOUR, HOUR);
	refuses("over before it begins");
	write_staple(V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR);
	cr_assert_eq(truncate(staple, 100), 0);
	refuses("truncated");
	cr_assert_eq(truncate(staple, 0), 0);
	refuses("empty");
	write_staple(V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR);
	f = fopen(staple, "a");
	for (i = 0; i <= OCSP_MAX_LEN; i++)
		fputc('x', f);
	fclose(f);
	refuses("too long");
	cert.staple_file = (char *)"/nonexistent/staple.der";
	refuses("missing");
	cert.staple_file = duo.pki.dir;
	refuses("a folder");
}

Test(certs, leaves_no_descriptor_open, .init = start, .fini = stop)
{
	struct certs *certs;
	unsigned int before;

	write_staple(V_OCSP_CERTSTATUS_GOOD, -HOUR, HOUR);
	cert.issuer = ca_file;
	before = case_fds();
	certs = load();
	certs_free(certs);
	cr_assert_eq(case_fds(), before);
	cert.staple_file = duo.pki.dir;
	load();
	cr_assert_eq(case_fds(), before);
}

/* Whether one without a certificate is refused there. */
static bool asks(struct hs_ctx *ctx)
{
	enum hs_failure failure;

	duo.ctx = ctx;
	duo.now = time(NULL);
	SSL_CTX_set_verify(duo.client_ctx, SSL_VERIFY_NONE, NULL);
	duo_connect(&duo);
	duo_run(&duo);
	failure = hs_failure(duo.hs);
	cr_expect(failure == HS_F_NONE || failure == HS_F_CLIENT);
	duo_disconnect(&duo);
	duo.ctx = NULL;
	return failure == HS_F_CLIENT;
}

Test(certs, clients_are_asked_by_their_listener_or_the_certificate,
     .init = start, .fini = stop)
{
	struct config_client *first = &listeners[0].client;
	struct certs *certs;

	first->verify = CONFIG_VERIFY_REQUIRE;
	first->ca = ca_file;
	certs = load();
	cr_assert(certs, "%s", said());
	cr_expect(asks(certs->contexts[0]));
	cr_expect_not(asks(certs->contexts[1]));
	certs_free(certs);

	cert.client.set = true;
	certs = load();
	cr_assert(certs, "%s", said());
	cr_expect_not(asks(certs->contexts[0]));
	certs_free(certs);

	cert.client.verify = CONFIG_VERIFY_REQUIRE;
	cert.client.ca = ca_file;
	first->verify = CONFIG_VERIFY_OFF;
	certs = load();
	cr_assert(certs, "%s", said());
	cr_expect(asks(certs->contexts[0]));
	cr_expect(asks(certs->contexts[1]));
	certs_free(certs);

	cert.client.ca = staple;	/* is not there */
	cr_expect_null(load());
	cr_expect(strstr(said(), "event=client_rules_refused "
				 "at=ktlsd.conf:7:3"), "%s", said());
	cert.client = *first = (struct config_client){ 0 };
}
