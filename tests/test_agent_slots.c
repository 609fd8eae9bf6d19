// SPDX-License-Identifier: MIT
#include "agent/slots.h"

#include "agent/log.h"
#include "tests/handshake_peer.h"

#include "agent_case.h"
#include "certs_case.h"

TestSuite(slots, .timeout = 20);

#define AIA "OCSP;URI:http://ocsp.example/leaf"

static EVP_PKEY *key;		/* everybody's */
static X509 *ca;
static struct pki pki;
static struct config_responder responders[2];
static struct config_cert cert;
static struct config_listener listener;
static struct config config = {
	.certs = &cert,
	.n_certs = 1,
	.listeners = &listener,
	.n_listeners = 1,
	.ocsp.responders = responders,
};

/* A chain of a leaf with extensions, and its issuer if @issuer. */
static void write_chain(const char *aia, bool must, bool issuer)
{
	X509 *leaf = pki_cert(key, "localhost", ca, key, 30);
	FILE *f;

	if (aia)
		pki_extend(leaf, NID_info_access, aia);
	if (must)
		pki_extend(leaf, NID_tlsfeature, "status_request");
	pki_sign(leaf, key);
	f = fopen(pki.chain, "w");
	cr_assert(f && PEM_write_X509(f, leaf));
	if (issuer)
		PEM_write_X509(f, ca);
	fclose(f);
	X509_free(leaf);
}

static void start(void)
{
	X509 *leaf;

	key = pki_key("P-256");
	ca = pki_cert(key, "Test CA", NULL, key, 30);
	leaf = pki_cert(key, "localhost", ca, key, 30);
	pki_write(&pki, leaf, ca, key);
	X509_free(leaf);
	chmod(pki.key, 0600);
	cert = (struct config_cert){
		.mark = { "ktlsd.conf", 7, 3 },
		.chain = pki.chain,
		.key = pki.key,
	};
	config.ocsp.n_responders = 0;
}

static void stop(void)
{
	pki_remove(&pki);
	X509_free(ca);
	EVP_PKEY_free(key);
}

static struct certs *load(void)
{
	return load_certs(&config);
}

/* --- whether there is one ---------------------------------------------- */

static const struct {
	const char *name, *aia;
	bool must, issuer;		/* in the certificate, in the chain */
	enum config_staple policy;
	const char *responder;
	size_t slots;
	bool slot_must;
	const char *says;		/* NULL: nothing */
} cases[] = {
	{ "auto", AIA, false, true, CONFIG_STAPLE_AUTO, NULL, 1, false, NULL },
	{ "must by itself", AIA, true, true, CONFIG_STAPLE_AUTO, NULL, 1, true,
	  NULL },
	{ "must", AIA, false, true, CONFIG_STAPLE_MUST, NULL, 1, true, NULL },
	{ "off", AIA, true, true, CONFIG_STAPLE_OFF, NULL, 0, false, NULL },
	{ "no URL", NULL, false, true, CONFIG_STAPLE_AUTO, NULL, 0, false,
	  NULL },
	{ "no URL, no issuer", NULL, false, false, CONFIG_STAPLE_AUTO, NULL, 0,
	  false, NULL },
	{ "no URL, must by itself", NULL, true, true, CONFIG_STAPLE_AUTO, NULL,
	  0, false, "warn event=no_responder at=ktlsd.conf:7:3 "
		    "certificate=\"localhost\"" },
	{ "no URL, must", NULL, false, true, CONFIG_STAPLE_MUST, NULL, 0,
	  false, "warn event=no_responder at=ktlsd.conf:7:3 "
		 "certificate=\"localhost\"" },
	{ "no URL but one configured", NULL, false, true, CONFIG_STAPLE_AUTO,
	  "http://10.0.0.1:8080/", 1, false, NULL },
	{ "no issuer", AIA, false, false, CONFIG_STAPLE_AUTO, NULL, 0, false,
	  "warn event=issuer_missing at=ktlsd.conf:7:3 "
	  "certificate=\"localhost\"" },
	{ "no issuer, off", AIA, false, false, CONFIG_STAPLE_OFF, NULL, 0,
	  false, NULL },
};

Test(slots, a_certificate_has_one_if_it_can_be_asked_about, .init = start,
     .fini = stop)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct certs *certs;

		write_chain(cases[i].aia, cases[i].must, cases[i].issuer);
		cert.staple = cases[i].policy;
		cert.responder = (char *)cases[i].responder;
		certs = load();
		cr_assert(certs, "%s: %s", cases[i].name, said());
		cr_expect_eq(certs->n_slots, cases[i].slots, "%s: %zu",
			     cases[i].name, certs->n_slots);
		if (certs->n_slots)
			cr_expect_eq(certs->slots[0].must, cases[i].slot_must,
				     "%s", cases[i].name);
		cr_expect_eq(!certs->unasked[0].why, certs->n_slots ||
			     cert.staple == CONFIG_STAPLE_OFF, "%s",
			     cases[i].name);
		if (certs->unasked[0].why)
			cr_expect_eq(certs->unasked[0].must, cases[i].must ||
				     cert.staple == CONFIG_STAPLE_MUST, "%s",
				     cases[i].name);
		if (cases[i].says)
			cr_expect(strstr(said(), cases[i].says), "%s: %s",
				  cases[i].name, said());
		else
			cr_expect_str_eq(said(), "", "%s", cases[i].name);
		certs_free(certs);
	}
}

Test(slots, an_issuer_that_is_missing_is_said_with_the_key_to_add,
     .init = start, .fini = stop)
{
	struct certs *certs;

	write_chain(AIA, false, false);
	certs = load();
	cr_assert(certs);
	cr_expect(strstr(said(), pki.chain), "%s", said());
	cr_expect(strstr(said(), "remedy=\"name the issuer's file with "
				 "issuer:\""), "%s", said());
	cr_expect_eq(strchr(said(), '\n') - said() + 1, strlen(said()));
	certs_free(certs);
}

Test(slots, without_a_responder_there_is_one_line_for_those_who_debug,
     .init = start, .fini = stop)
{
	struct certs *certs;

	log_level = LOG_L_DEBUG;
	certs = load();
	cr_assert(certs);
	cr_expect(strstr(said(), "debug event=no_responder"), "%s", said());
	cr_expect_eq(strchr(said(), '\n') - said() + 1, strlen(said()));
	certs_free(certs);
}

/* --- what is in it ----------------------------------------------------- */

static bool same(struct ocsp_bytes der, X509 *x)
{
	unsigned char *ours = NULL;
	int len = i2d_X509(x, &ours);
	bool ret = len == (int)der.len && !memcmp(ours, der.data, der.len);

	OPENSSL_free(ours);
	return ret;
}

Test(slots, it_holds_what_a_request_needs, .init = start, .fini = stop)
{
	struct ocsp_bytes leaf;
	struct certs *certs;

	write_chain(AIA, false, true);
	certs = load();
	cr_assert(certs && certs->n_slots == 1);
	leaf = hs_cert_der(certs->cert[0], 0);
	cr_expect_eq(certs->slots[0].cert, 0);
	cr_expect_eq(certs->slots[0].depth, 0);
	cr_expect_str_eq(certs->slots[0].name, "localhost");
	cr_expect_eq(certs->slots[0].der.data, leaf.data);
	cr_expect_eq(certs->slots[0].der.len, leaf.len);
	cr_expect(same(certs->slots[0].issuer, ca));
	certs_free(certs);
}

Test(slots, takes_the_issuer_from_its_own_file, .init = start, .fini = stop)
{
	struct certs *certs;

	write_chain(AIA, false, false);
	cert.issuer = pki.ca;
	certs = load();
	cr_assert(certs && certs->n_slots == 1, "%s", said());
	cr_expect(same(certs->slots[0].issuer, ca));
	certs_free(certs);
}

Test(slots, an_issuers_file_that_is_wrong_is_an_error, .init = start,
     .fini = stop)
{
	write_chain(AIA, false, true);
	cert.issuer = (char *)"/nonexistent/issuer.pem";
	cr_assert_null(load());
	cr_expect(strstr(said(), "error event=issuer_refused "
				 "at=ktlsd.conf:7:3 "), "%s", said());
	cr_expect(strstr(said(), "/nonexistent/issuer.pem: "), "%s", said());
	cert.issuer = pki.chain;	/* has the issuer: that will do */
	certs_free(load());
	cr_expect_str_eq(said(), "");
	write_chain(AIA, false, false);	/* and now it has not */
	cr_assert_null(load());
	cr_expect(strstr(said(), "no certificate in it has issued"), "%s",
		  said());
}

/* The certificate's URLs, separated by spaces, and what is asked in the end. */
static const struct {
	const char *aia, *responder, *urls;
} asked[] = {
	{ "OCSP;URI:http://ocsp.example/a", NULL, "http://ocsp.example/a" },
	{ "OCSP;URI:http://ocsp.example/a,caIssuers;URI:http://ca.example/,"
	  "OCSP;URI:ldap://ca.example/,OCSP;URI:https://two.example", NULL,
	  "http://ocsp.example/a https://two.example" },
	{ "OCSP;URI:http://ocsp.example/a,OCSP;URI:https://two.example",
	  "http://10.0.0.1:8080/x", "http://10.0.0.1:8080/x" },
	{ "OCSP;URI:http://mapped.example/a", NULL, "http://10.0.0.2/" },
	{ "OCSP;URI:https://MAPPED.Example:8443", NULL, "http://10.0.0.2/" },
	{ "OCSP;URI:http://mapped.example?query", NULL, "http://10.0.0.2/" },
	{ "OCSP;URI:http://mapped.example.org/,OCSP;URI:http://xmapped.example",
	  NULL, "http://mapped.example.org/ http://xmapped.example" },
	{ "OCSP;URI:http://one.example/,OCSP;URI:http://mapped.example/", NULL,
	  "http://one.example/ http://10.0.0.2/" },
	{ "OCSP;URI:http://[2001:db8::1]:80/a", NULL, "http://10.0.0.3/b" },
	{ "OCSP;URI:http://a.example,OCSP;URI:http://b.example,"
	  "OCSP;URI:http://c.example,OCSP;URI:http://d.example,"
	  "OCSP;URI:http://e.example", NULL,
	  "http://a.example http://b.example http://c.example "
	  "http://d.example" },
};

Test(slots, the_configuration_may_name_other_responders, .init = start,
     .fini = stop)
{
	responders[0].host = (char *)"mapped.example";
	responders[0].url = (char *)"http://10.0.0.2/";
	responders[1].host = (char *)"[2001:db8::1]";
	responders[1].url = (char *)"http://10.0.0.3/b";
	config.ocsp.n_responders = 2;
	for (size_t i = 0; i < COUNT(asked); i++) {
		struct certs_slot *slot;
		struct certs *certs;

		write_chain(asked[i].aia, false, true);
		cert.responder = (char *)asked[i].responder;
		certs = load();
		cr_assert(certs && certs->n_slots == 1, "case %zu: %s", i,
			  said());
		slot = &certs->slots[0];
		cr_assert_eq(slot->urls[slot->urls_len - 1], '\0');
		for (size_t k = 0; k < slot->urls_len - 1; k++)
			if (!slot->urls[k])
				slot->urls[k] = ' ';
		cr_expect_str_eq(slot->urls, asked[i].urls, "case %zu: %s", i,
				 slot->urls);
		certs_free(certs);
	}
}

/* --- must -------------------------------------------------------------- */

static const struct {
	bool must;
	enum config_staple policy;
	bool refuse, refused;	/* ocsp: missing:, and so a client that asks */
} refusals[] = {
	{ true, CONFIG_STAPLE_AUTO, true, true },
	{ true, CONFIG_STAPLE_AUTO, false, false },
	{ false, CONFIG_STAPLE_AUTO, true, false },
	{ false, CONFIG_STAPLE_MUST, true, true },
	{ false, CONFIG_STAPLE_MUST, false, false },
	{ true, CONFIG_STAPLE_OFF, true, false },
};

Test(slots, without_a_staple_that_must_be_clients_are_refused_or_served,
     .init = start, .fini = stop)
{
	struct duo duo;

	duo_init(&duo, "P-256");
	SSL_CTX_set_verify(duo.client_ctx, SSL_VERIFY_NONE, NULL);
	for (size_t i = 0; i < COUNT(refusals); i++) {
		struct certs *certs;

		write_chain(AIA, refusals[i].must, true);
		cert.staple = refusals[i].policy;
		config.ocsp.missing_refuse = refusals[i].refuse;
		certs = load();
		cr_assert(certs);
		duo.ctx = certs->contexts[0];
		duo_connect(&duo);
		SSL_set_tlsext_status_type(duo.client, TLSEXT_STATUSTYPE_ocsp);
		duo_run(&duo);
		cr_expect_eq(duo.step,
			     refusals[i].refused ? HS_FAIL : HS_DONE,
			     "case %zu: %s", i, hs_error(duo.hs));
		duo_disconnect(&duo);
		duo.ctx = NULL;
		certs_free(certs);
	}
	duo_fini(&duo);
}
