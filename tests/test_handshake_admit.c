// SPDX-License-Identifier: MIT
/*
 * Clients with all kinds of certificates, in full handshakes and in resumed ones.
 */
#include "tests/client_pki.h"

#include "handshake/internal.h"
#include "handshake/tickets.h"

TestSuite(admit, .timeout = 60);

static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

enum who { ROOT, NAMESAKE, OTHER, INTER, DEEP, CUT_OFF, FADING,
	   GOOD, EXPIRED, EARLY, BELOW_INTER, BELOW_DEEP, BELOW_CUT_OFF,
	   BELOW_FADING,
	   BELOW_NAMESAKE, BELOW_OTHER, ALONE, SERVER, REVOKED, NAMELESS,
	   WHO, NOBODY };

static const struct {
	struct party_terms terms;
	enum who issuer;
} cast[WHO] = {
	[ROOT] = { { .cn = "Root", .is_ca = true, .serial = 1 }, NOBODY },
	[NAMESAKE] = { { .cn = "Root", .is_ca = true, .serial = 1 }, NOBODY },
	[OTHER] = { { .cn = "Other", .is_ca = true, .serial = 1 }, NOBODY },
	[INTER] = { { .cn = "Inter", .is_ca = true, .serial = 2 }, ROOT },
	[DEEP] = { { .cn = "Deep", .is_ca = true, .serial = 3 }, INTER },
	[CUT_OFF] = { { .cn = "Cut off", .is_ca = true, .serial = 4 }, ROOT },
	[FADING] = { { .cn = "Fading", .is_ca = true, .serial = 5,
		       .to = HOUR / 2 }, ROOT },
	[GOOD] = { { .cn = "good", .usage = "clientAuth", .serial = 10,
		     .names = "DNS:good.example,URI:spiffe://a/good" }, ROOT },
	[EXPIRED] = { { .cn = "expired", .serial = 11, .to = -HOUR }, ROOT },
	[EARLY] = { { .cn = "early", .serial = 12, .from = HOUR }, ROOT },
	[BELOW_INTER] = { { .cn = "below inter", .serial = 13 }, INTER },
	[BELOW_DEEP] = { { .cn = "below deep", .serial = 14 }, DEEP },
	[BELOW_CUT_OFF] = { { .cn = "below cut off", .serial = 15 }, CUT_OFF },
	[BELOW_FADING] = { { .cn = "below fading", .serial = 22 }, FADING },
	[BELOW_NAMESAKE] = { { .cn = "namesake", .serial = 16 }, NAMESAKE },
	[BELOW_OTHER] = { { .cn = "\"other\"\\\n", .serial = 17 }, OTHER },
	[ALONE] = { { .cn = "alone", .serial = 18 }, NOBODY },
	[SERVER] = { { .cn = "server", .usage = "serverAuth", .serial = 19 },
		     ROOT },
	[REVOKED] = { { .cn = "revoked", .serial = 20 }, ROOT },
	[NAMELESS] = { { .cn = "nameless", .serial = 21 }, ROOT },
};

static struct party party[WHO];
static struct duo duo;
static int alert;	/* what the client got; -1: none */

/* Lists: of the root, a day old; the same, ended; with Inter; of that; ended */
static const char *root_crl, *root_ended, *root_inter, *inter_crl, *inter_ended;
static const char *ca_file, *inter_file;

static void make_crls(void)
{
	static const long of_root[] = { 4, 20, 0 }, of_inter[] = { 99, 0 };
	static const long inter[] = { 2, 0 };

	root_crl = write_crl("root.crl", crl_make(&party[ROOT], -DAY, 20 * DAY,
						  of_root), false);
	root_ended = write_crl("root-ended.crl",
			       crl_make(&party[ROOT], -DAY, -HOUR, of_root),
			       true);
	root_inter = write_crl("root-inter.crl",
			       crl_make(&party[ROOT], -HOUR, DAY, inter), true);
	inter_crl = write_crl("inter.crl", crl_make(&party[INTER], -DAY, DAY,
						    of_inter), true);
	inter_ended = write_crl("inter-ended.crl",
				crl_make(&party[INTER], -DAY, -HOUR, of_inter),
				false);
}

static void start(void)
{
	folder_make();
	for (int i = 0; i < WHO; i++)
		party[i] = party_make(cast[i].terms, cast[i].issuer == NOBODY ?
				      NULL : &party[cast[i].issuer]);
	ca_file = write_certs("ca.pem", &party[ROOT], NULL);
	inter_file = write_certs("inter.pem", &party[INTER], NULL);
	make_crls();
	duo_init(&duo, "P-256");
	duo.now = time(NULL);
}

static void stop(void)
{
	duo_fini(&duo);
	for (int i = 0; i < WHO; i++)
		party_free(&party[i]);
	folder_remove();
}

static void forget_session(void)
{
	SSL_SESSION_free(duo.session);
	duo.session = NULL;
}

/* A server with other rules, and the same keys of tickets. */
static void rule(const struct hs_client_config *config)
{
	static const uint8_t keys[80] = { 1, 2, 3 };
	char error[300] = "";

	hs_ctx_free(duo.ctx);
	duo.ctx = NULL;
	duo.site.client = NULL;
	if (config) {
		duo.site.client = hs_client_new(config, error, sizeof(error));
		cr_assert(duo.site.client, "%s", error);
	}
	duo_ctx(&duo);
	hs_client_free(duo.site.client);
	SSL_CTX_set_tlsext_ticket_keys(duo.ctx->ssl, (void *)keys,
				       sizeof(keys));
}

static void on_info(const SSL *ssl, int where, int ret)
{
	(void)ssl;
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		alert = ret & 0xff;
}

/* @who shakes hands, with the last session if there is one. */
static void shake_hands(uint16_t version, enum who who)
{
	char byte;

	alert = -1;
	client_pair(&duo, version, KTLS_AES_128_GCM);
	duo_connect(&duo);
	SSL_set_info_callback(duo.client, on_info);
	if (who != NOBODY) {
		SSL_use_certificate(duo.client, party[who].cert);
		SSL_use_PrivateKey(duo.client, party[who].key);
		for (enum who up = cast[who].issuer; up != NOBODY;
		     up = cast[up].issuer)
			SSL_add1_chain_cert(duo.client, party[up].cert);
	}
	if (duo.session)
		SSL_set_session(duo.client, duo.session);
	duo_run(&duo);
	/* Tickets, or an alert to one that thinks it is done. */
	if (SSL_is_init_finished(duo.client))
		SSL_read(duo.client, &byte, 1);
}

static bool was_resumed(void)
{
	struct hs_info info;

	hs_get_info(duo.hs, &info);
	return info.resumed;
}

static const struct hs_peer *peer(void)
{
	const struct hs_peer *found = NULL;

	cr_assert_eq(hs_get_peer(duo.hs, &found), 0);
	return found;
}

#define FAILS(failure, alert, error) HS_FAIL, failure, alert, error, false
#define BAD(alert, error) FAILS(HS_F_CLIENT, alert, error)
#define FINE HS_DONE, HS_F_NONE, -1, "", false
#define FINE_BUT_CRL HS_DONE, HS_F_NONE, -1, "", true
/* Lists: which, or'ed */
enum { R = 1, R_ENDED = 2, I = 4, I_ENDED = 8, R_INTER = 16 };

static const struct {
	const char *what;
	enum who who;
	bool optional;
	unsigned int depth, crls;
	bool warn;
	const char *allow;
	enum hs_step step;
	enum hs_failure failure;
	int alert;
	const char *error;
	bool crl_expired;
} trials[] = {
	{ "valid", GOOD, 0, 4, 0, 0, NULL, FINE },
	{ "valid, optional", GOOD, 1, 4, 0, 0, NULL, FINE },
	{ "valid, for nothing in particular", NAMELESS, 0, 4, 0, 0, NULL,
	  FINE },
	{ "none, required", NOBODY, 0, 4, 0, 0, NULL,
	  BAD(116, "the client has no certificate") },
	{ "none, optional", NOBODY, 1, 4, 0, 0, NULL, FINE },
	{ "none, optional, others allowed", NOBODY, 1, 4, R, 0, "cn:good",
	  FINE },
	{ "expired", EXPIRED, 0, 4, 0, 0, NULL,
	  BAD(45, "client certificate CN=expired,O=Test: certificate has "
		  "expired") },
	{ "expired, optional", EXPIRED, 1, 4, 0, 0, NULL,
	  BAD(45, "CN=expired") },
	{ "from the future", EARLY, 0, 4, 0, 0, NULL, BAD(45, "CN=early") },
	{ "of another CA", BELOW_OTHER, 0, 4, 0, 0, NULL,
	  BAD(48, "CN=??other?????0A,O=Test: self-signed") },
	{ "of another CA of the same name", BELOW_NAMESAKE, 0, 4, 0, 0, NULL,
	  BAD(48, "CN=namesake") },
	{ "of itself", ALONE, 0, 4, 0, 0, NULL, BAD(48, "CN=alone") },
	{ "of a server", SERVER, 0, 4, 0, 0, NULL, BAD(43, "CN=server") },
	{ "one CA between", BELOW_INTER, 0, 1, 0, 0, NULL, FINE },
	{ "one CA between, none allowed", BELOW_INTER, 0, 0, 0, 0, NULL,
	  BAD(48, "CN=below inter") },
	{ "two CAs between", BELOW_DEEP, 0, 2, 0, 0, NULL, FINE },
	{ "two CAs between, one allowed", BELOW_DEEP, 0, 1, 0, 0, NULL,
	  BAD(48, "CN=below deep") },
	{ "no CA between, none allowed", GOOD, 0, 0, 0, 0, NULL, FINE },
	{ "not revoked", GOOD, 0, 4, R, 0, NULL, FINE },
	{ "revoked", REVOKED, 0, 4, R, 0, NULL,
	  BAD(44, "CN=revoked,O=Test: certificate revoked") },
	{ "revoked, nobody asks", REVOKED, 0, 4, 0, 0, NULL, FINE },
	{ "of a revoked CA", BELOW_CUT_OFF, 0, 4, R, 0, NULL,
	  BAD(46, "CN=below cut off") },
	{ "a list of each CA", BELOW_INTER, 0, 4, R | I, 0, NULL, FINE },
	{ "no list of the CA between", BELOW_INTER, 0, 4, R, 0, NULL,
	  BAD(46, "CN=below inter,O=Test: unable to get certificate CRL") },
	{ "no list of the root", BELOW_INTER, 0, 4, I, 0, NULL,
	  BAD(46, "unable to get certificate CRL (CA 1 above it)") },
	{ "an ended list", GOOD, 0, 4, R_ENDED, 0, NULL,
	  BAD(46, "CN=good,O=Test: CRL has expired") },
	{ "an ended list will do", GOOD, 0, 4, R_ENDED, 1, NULL,
	  FINE_BUT_CRL },
	{ "revoked by an ended list", REVOKED, 0, 4, R_ENDED, 1, NULL,
	  BAD(44, "CN=revoked") },
	{ "an ended one beside a good one", GOOD, 0, 4, R | R_ENDED, 0, NULL,
	  FINE },
	{ "an ended one of the CA between", BELOW_INTER, 0, 4, R | I_ENDED, 0,
	  NULL, BAD(46, "CRL has expired") },
	{ "it will do", BELOW_INTER, 0, 4, R | I_ENDED, 1, NULL,
	  FINE_BUT_CRL },
	{ "of another CA, whatever its list", BELOW_OTHER, 0, 4, R_ENDED, 1,
	  NULL, BAD(48, "") },
	{ "allowed by DNS name", GOOD, 0, 4, R, 0, "dns:*.example", FINE },
	{ "allowed by URI", GOOD, 0, 4, 0, 0, "uri:spiffe://a/*", FINE },
	{ "allowed by CN", GOOD, 0, 4, 0, 0, "cn:good", FINE },
	{ "not allowed", GOOD, 0, 4, 0, 0, "cn:bad",
	  FAILS(HS_F_DENIED, 49, "client certificate CN=good,O=Test: it is "
				 "none of those that are allowed") },
	{ "not allowed, optional", NAMELESS, 1, 4, R, 0, "dns:*.example",
	  FAILS(HS_F_DENIED, 49, "CN=nameless") },
	{ "allowed, but expired", EXPIRED, 0, 4, 0, 0, "cn:expired",
	  BAD(45, "CN=expired") },
};

static size_t add_crls(unsigned int which, const char **crls)
{
	size_t n = 0;

	if (which & R)
		crls[n++] = root_crl;
	if (which & R_ENDED)
		crls[n++] = root_ended;
	if (which & R_INTER)
		crls[n++] = root_inter;
	if (which & I)
		crls[n++] = inter_crl;
	if (which & I_ENDED)
		crls[n++] = inter_ended;
	return n;
}

static void try_one(size_t i, uint16_t version)
{
	const char *what = trials[i].what;
	const char *crls[5];
	const struct hs_client_config config = {
		.ca_file = ca_file,
		.required = !trials[i].optional,
		.depth = trials[i].depth,
		.crls = crls,
		.n_crls = add_crls(trials[i].crls, crls),
		.crl_expired_warn = trials[i].warn,
		.allow = &trials[i].allow,
		.n_allow = trials[i].allow != NULL,
	};
	int expected = trials[i].alert;

	/* RFC 8446 has an alert for that, TLS 1.2 does not */
	if (expected == 116 && version == KTLS_TLS12)
		expected = 40;
	rule(&config);
	forget_session();
	shake_hands(version, trials[i].who);
	cr_expect_eq(duo.step, trials[i].step, "%s, %x: %s", what, version,
		     hs_error(duo.hs));
	cr_expect_eq(hs_failure(duo.hs), trials[i].failure, "%s, %x: %d %s",
		     what, version, hs_failure(duo.hs), hs_error(duo.hs));
	cr_expect(strstr(hs_error(duo.hs), trials[i].error), "%s, %x: %s",
		  what, version, hs_error(duo.hs));
	cr_expect_eq(alert, expected, "%s, %x: alert %d", what, version,
		     alert);
	if (duo.step == HS_DONE) {
		cr_expect_eq(peer() != NULL, trials[i].who != NOBODY, "%s",
			     what);
		cr_expect_eq(peer() && peer()->crl_expired,
			     trials[i].crl_expired, "%s", what);
	} else {
		cr_expect_null(peer());
	}
	duo_disconnect(&duo);
}

Test(admit, each_kind_of_client_gets_what_the_rules_say, .init = start,
     .fini = stop)
{
	for (size_t v = 0; v < COUNT(versions); v++)
		for (size_t i = 0; i < COUNT(trials); i++)
			try_one(i, versions[v]);
}

Test(admit, keys_are_right_behind_a_clients_certificate, .init = start,
     .fini = stop)
{
	for (size_t v = 0; v < COUNT(versions); v++)
		for (int resumed = 0; resumed < 2; resumed++) {
			struct hs_client_config config = { .ca_file = ca_file,
							   .required = true };
			struct ktls_keys keys;

			rule(&config);
			if (!resumed)
				forget_session();
			shake_hands(versions[v], GOOD);
			cr_assert_eq(duo.step, HS_DONE, "%s",
				     hs_error(duo.hs));
			cr_expect_eq(was_resumed(), resumed);
			cr_assert_eq(hs_keys(duo.hs, &keys), 0);
			duo_try_keys(&duo, &keys);
			duo_disconnect(&duo);
		}
}

Test(admit, whoever_is_in_the_file_is_trusted_root_or_not, .init = start,
     .fini = stop)
{
	const char *crls[] = { inter_crl };
	const struct hs_client_config inter = { .ca_file = inter_file,
						.required = true };
	const struct hs_client_config alone = {
		.ca_file = write_certs("alone.pem", &party[ALONE], NULL),
		.required = true,
	};
	const struct hs_client_config alone_listed = {
		.ca_file = alone.ca_file, .required = true, .depth = 1,
		.crls = crls, .n_crls = 1,
	};
	const struct hs_client_config listed = { .ca_file = inter_file,
						 .required = true,
						 .crls = crls, .n_crls = 1 };

	rule(&inter);
	shake_hands(KTLS_TLS13, BELOW_INTER);
	cr_expect_eq(duo.step, HS_DONE, "%s", hs_error(duo.hs));
	duo_disconnect(&duo);
	forget_session();
	shake_hands(KTLS_TLS13, GOOD);
	cr_expect_eq(duo.step, HS_FAIL);
	duo_disconnect(&duo);
	forget_session();
	/* a client's own, of whose status nothing is known */
	rule(&alone);
	shake_hands(KTLS_TLS13, ALONE);
	cr_expect_eq(duo.step, HS_DONE, "%s", hs_error(duo.hs));
	duo_disconnect(&duo);
	forget_session();
	rule(&alone_listed);
	shake_hands(KTLS_TLS13, ALONE);
	cr_expect_eq(duo.step, HS_FAIL);
	duo_disconnect(&duo);
	forget_session();
	/* nobody above it is asked about it */
	rule(&listed);
	shake_hands(KTLS_TLS13, BELOW_INTER);
	cr_expect_eq(duo.step, HS_DONE, "%s", hs_error(duo.hs));
	duo_disconnect(&duo);
}

static int n_cas;

static int on_request(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
	const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(ssl);

	(void)cert;
	(void)key;
	n_cas = names ? sk_X509_NAME_num(names) : 0;
	return 0;
}

Test(admit, clients_are_told_whose_certificates_are_wanted, .init = start,
     .fini = stop)
{
	struct hs_client_config config = {
		.ca_file = write_certs("all.pem", &party[ROOT], &party[OTHER],
				       &party[NAMESAKE], &party[ROOT], NULL),
	};

	SSL_CTX_set_client_cert_cb(duo.client_ctx, on_request);
	for (size_t v = 0; v < COUNT(versions); v++) {
		n_cas = -1;
		rule(&config);
		shake_hands(versions[v], NOBODY);
		cr_expect_eq(n_cas, 2, "%d", n_cas);
		duo_disconnect(&duo);
		forget_session();
		n_cas = -1;
		rule(NULL);
		shake_hands(versions[v], NOBODY);
		cr_expect_eq(n_cas, -1);
		cr_expect_null(peer());
		duo_disconnect(&duo);
		forget_session();
	}
}

/* What becomes of a client that was let in when it comes again. */
static const struct {
	const char *what;
	enum who who;
	struct hs_client_config then;	/* but for its files */
	const char *then_allow;
	unsigned int then_crls;
	long later;	/* seconds */
	bool resumed;
	enum hs_step step;
	int alert;
} returns[] = {
	{ "as before", GOOD, { .required = true, .depth = 4 }, "cn:good", R,
	  60, true, HS_DONE, -1 },
	{ "its certificate has ended", GOOD, { .required = true, .depth = 4 },
	  "cn:good", R, 2 * DAY, false, HS_FAIL, 45 },
	{ "its certificate is to come", GOOD, { .required = true, .depth = 4 },
	  "cn:good", R, -2 * DAY, false, HS_FAIL, -2 },
	{ "revoked since", REVOKED, { .required = true, .depth = 4 },
	  "cn:revoked", R, 60, false, HS_FAIL, 44 },
	{ "the list has ended", GOOD, { .required = true, .depth = 4 },
	  "cn:good", R_ENDED, 60, false, HS_FAIL, 46 },
	{ "no list of its CA any more", BELOW_INTER,
	  { .required = true, .depth = 4 }, "cn:below inter", R, 60, false,
	  HS_FAIL, 46 },
	{ "not allowed any more", GOOD, { .required = true, .depth = 4 },
	  "cn:bad", R, 60, false, HS_FAIL, 49 },
	{ "as before, with a CA between", BELOW_INTER,
	  { .required = true, .depth = 4 }, "cn:below inter", R | I, 60, true,
	  HS_DONE, -1 },
	{ "its CA was revoked since", BELOW_INTER,
	  { .required = true, .depth = 4 }, "cn:below inter", R_INTER | I, 60,
	  false, HS_FAIL, 44 },
	{ "the list with its CA has ended", BELOW_INTER,
	  { .required = true, .depth = 4 }, "cn:below inter", R_ENDED | I, 60,
	  false, HS_FAIL, 46 },
	{ "no list with its CA any more", BELOW_INTER,
	  { .required = true, .depth = 4 }, "cn:below inter", I, 60, false,
	  HS_FAIL, 46 },
	{ "other rules, as good", GOOD, { .required = true, .depth = 3 },
	  "cn:good", R, 60, false, HS_DONE, -1 },
	{ "optional now", GOOD, { .required = false, .depth = 4 }, "cn:good", R,
	  60, false, HS_DONE, -1 },
};

static void come_again(size_t i, uint16_t version)
{
	static const char *const before[] = { "cn:good", "cn:revoked",
					      "cn:below inter" };
	const char *what = returns[i].what;
	const char *crls[5] = { root_crl, inter_crl };
	struct hs_client_config config = {
		.ca_file = ca_file, .required = true, .depth = 4,
		.crls = crls, .n_crls = 2, .n_allow = 1,
		.allow = returns[i].who == GOOD ? &before[0] :
			 returns[i].who == REVOKED ? &before[1] : &before[2],
	};
	static const long nobody[] = { 0 };

	if (returns[i].who == REVOKED)
		crls[0] = write_crl("before.crl",
				    crl_make(&party[ROOT], -DAY, DAY, nobody),
				    true);
	forget_session();
	rule(&config);
	shake_hands(version, returns[i].who);
	cr_assert_eq(duo.step, HS_DONE, "%s: %s", what, hs_error(duo.hs));
	cr_assert(duo.session, "%s", what);
	duo_disconnect(&duo);

	config = returns[i].then;
	config.ca_file = ca_file;
	config.crls = crls;
	config.n_crls = add_crls(returns[i].then_crls, crls);
	config.allow = &returns[i].then_allow;
	config.n_allow = 1;
	rule(&config);
	duo.now += returns[i].later;
	shake_hands(version, returns[i].who);
	duo.now -= returns[i].later;
	cr_expect_eq(was_resumed(), returns[i].resumed, "%s, %x", what,
		     version);
	cr_expect_eq(duo.step, returns[i].step, "%s, %x: %s", what, version,
		     hs_error(duo.hs));
	if (returns[i].alert != -2)
		cr_expect_eq(alert, returns[i].alert, "%s, %x: alert %d", what,
			     version, alert);
	if (duo.step == HS_DONE)
		cr_expect(peer() && peer()->cn.len &&
			  !strcmp((const char *)peer()->cn.data,
				  cast[returns[i].who].terms.cn), "%s", what);
	duo_disconnect(&duo);
}

Test(admit, sessions_go_on_only_for_those_who_would_be_let_in, .init = start,
     .fini = stop)
{
	for (size_t v = 0; v < COUNT(versions); v++)
		for (size_t i = 0; i < COUNT(returns); i++)
			come_again(i, versions[v]);
}

Test(admit, an_ended_list_is_told_of_resumed_sessions_too, .init = start,
     .fini = stop)
{
	const char *crls[] = { root_ended };
	const struct hs_client_config config = { .ca_file = ca_file,
						 .required = true,
						 .crls = crls, .n_crls = 1,
						 .crl_expired_warn = true };

	for (size_t v = 0; v < COUNT(versions); v++) {
		forget_session();
		rule(&config);
		for (int resumed = 0; resumed < 2; resumed++) {
			shake_hands(versions[v], GOOD);
			cr_assert_eq(duo.step, HS_DONE, "%s",
				     hs_error(duo.hs));
			cr_expect_eq(was_resumed(), resumed);
			cr_assert(peer());
			cr_expect(peer()->crl_expired);
			duo_disconnect(&duo);
		}
	}
}

/* @from, @to: NULL: nobody is asked */
static void expect_worthless(uint16_t version,
			     const struct hs_client_config *from,
			     const struct hs_client_config *to)
{
	forget_session();
	rule(from);
	shake_hands(version, GOOD);
	cr_assert_eq(duo.step, HS_DONE, "%s", hs_error(duo.hs));
	cr_assert(duo.session);
	duo_disconnect(&duo);
	rule(to);
	shake_hands(version, GOOD);
	cr_expect_eq(duo.step, HS_DONE, "%s", hs_error(duo.hs));
	cr_expect_not(was_resumed());
	cr_expect_eq(peer() != NULL, to != NULL);
	duo_disconnect(&duo);
}

Test(admit, tickets_of_one_policy_are_worth_nothing_under_another,
     .init = start, .fini = stop)
{
	const struct hs_client_config a = { .ca_file = ca_file,
					    .required = true };
	const struct hs_client_config b = {
		.ca_file = write_certs("more.pem", &party[ROOT], &party[OTHER],
				       NULL),
		.required = true,
	};

	for (size_t v = 0; v < COUNT(versions); v++) {
		expect_worthless(versions[v], &a, &b);
		expect_worthless(versions[v], &a, NULL);
		expect_worthless(versions[v], NULL, &a);
	}
}

Test(admit, who_had_no_certificate_has_none_when_he_resumes, .init = start,
     .fini = stop)
{
	const struct hs_client_config config = { .ca_file = ca_file };

	for (size_t v = 0; v < COUNT(versions); v++) {
		forget_session();
		rule(&config);
		for (int resumed = 0; resumed < 2; resumed++) {
			shake_hands(versions[v], NOBODY);
			cr_assert_eq(duo.step, HS_DONE, "%s",
				     hs_error(duo.hs));
			cr_expect_eq(was_resumed(), resumed);
			cr_expect_null(peer());
			duo_disconnect(&duo);
		}
	}
}

Test(admit, a_session_ends_with_the_first_of_its_chain, .init = start,
     .fini = stop)
{
	const struct hs_client_config config = { .ca_file = ca_file,
						 .depth = 4 };
	static const enum who clients[] = { BELOW_INTER, BELOW_FADING };

	for (size_t v = 0; v < COUNT(versions); v++)
		for (size_t i = 0; i < COUNT(clients); i++) {
			long left;

			forget_session();
			rule(&config);
			shake_hands(versions[v], clients[i]);
			cr_assert_eq(duo.step, HS_DONE, "%s",
				     hs_error(duo.hs));
			left = SSL_SESSION_get_ticket_lifetime_hint(
				duo.session);
			if (clients[i] == BELOW_FADING)
				cr_expect_leq(left, HOUR / 2, "%ld", left);
			cr_expect_geq(left, HOUR / 2 - 60, "%ld", left);
			duo_disconnect(&duo);
		}
}

Test(admit, a_certificate_too_long_for_a_hello_gets_no_ticket, .init = start,
     .fini = stop)
{
	const struct hs_client_config config = { .ca_file = ca_file,
						 .required = true };
	static char comment[5001];
	struct party *long_one = &party[NAMELESS];

	memset(comment, 'x', sizeof(comment) - 1);
	pki_extend(long_one->cert, NID_netscape_comment, comment);
	pki_sign(long_one->cert, party[ROOT].key);
	duo.config.keys = hs_tickets_new();
	for (size_t v = 0; v < COUNT(versions); v++)
		for (unsigned int limit = 6144; limit <= 8192; limit += 2048) {
			forget_session();
			duo.config.max_hello = limit;
			rule(&config);
			for (int again = 0; again < 2; again++) {
				shake_hands(versions[v], NAMELESS);
				cr_assert_eq(duo.step, HS_DONE, "%s",
					     hs_error(duo.hs));
				cr_expect_eq(was_resumed(),
					     again && limit == 8192,
					     "%x, %u", versions[v], limit);
				duo_disconnect(&duo);
			}
			if (versions[v] == KTLS_TLS13)
				cr_expect_eq(duo.session != NULL,
					     limit == 8192);
		}
	hs_ctx_free(duo.ctx);
	duo.ctx = NULL;
	hs_tickets_free(duo.config.keys);
}
