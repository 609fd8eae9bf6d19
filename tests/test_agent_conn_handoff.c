// SPDX-License-Identifier: MIT
/*
 * What a consumer is told of the client's certificate, short or long.
 */
#include "agent_rig.h"
#include "tests/client_pki.h"

#define SUBJECT "CN=bob,O=Test"

static struct party ca, bob;

static void start(void)
{
	struct hs_client_config rules = { .required = true };
	char error[300] = "";

	folder_make();
	ca = party_make((struct party_terms){ .cn = "CA", .is_ca = true },
			NULL);
	rules.ca_file = write_certs("ca.pem", &ca, NULL);
	start_worker();
	hs_ctx_free(duo.ctx);
	duo.ctx = NULL;
	duo.site.client = hs_client_new(&rules, error, sizeof(error));
	cr_assert(duo.site.client, "%s", error);
	listener.ctx = duo_ctx(&duo);
	hs_client_free(duo.site.client);
	before = case_fds();
	consumer = -1;
}

static void stop(void)
{
	ring_fini(&w.ring);
	conn_slab_fini(&w.slab);
	duo_fini(&duo);
	party_free(&ca);
	party_free(&bob);
	folder_remove();
}

TestSuite(conn_handoff, .timeout = 60, .init = start, .fini = stop);

/* @names, @more: in the certificate, bytes of each, about */
static void make_bob(size_t names, size_t more)
{
	char *list = malloc(names + 100);
	char *comment = malloc(more + 1);
	size_t len = sprintf(list, "DNS:bob.example,URI:spiffe://a/bob");

	while (len < names)
		len += sprintf(list + len, ",DNS:n%zu.long.example", len);
	bob = party_make((struct party_terms){ .cn = "bob", .names = list },
			 &ca);
	if (more) {
		memset(comment, 'x', more);
		comment[more] = '\0';
		pki_extend(bob.cert, NID_netscape_comment, comment);
		pki_sign(bob.cert, ca.key);
	}
	free(list);
	free(comment);
	SSL_CTX_use_certificate(duo.client_ctx, bob.cert);
	SSL_CTX_use_PrivateKey(duo.client_ctx, bob.key);
}

static void all_gone(void)
{
	turn_until_gone();
	if (client)
		hang_up_client();
	if (consumer >= 0)
		close(consumer);
	consumer = -1;
	cr_assert_eq(case_fds(), before);
}

static void is_bob(const struct ktls_info *info)
{
	unsigned char digest[32];

	X509_digest(bob.cert, EVP_sha256(), digest, NULL);
	cr_expect_eq(info->client_verified, 1);
	cr_expect_eq(info->client_cn.len, 3);
	cr_expect_arr_eq(info->client_cn.data, "bob", 3);
	cr_expect_eq(info->client_subject.len, strlen(SUBJECT));
	cr_expect_arr_eq(info->client_subject.data, SUBJECT, strlen(SUBJECT));
	cr_assert_geq(info->client_sans.len, 35);
	cr_expect_arr_eq(info->client_sans.data,
			 "dns:bob.example\0uri:spiffe://a/bob", 35);
	cr_expect_eq(info->client_sha256.len, 32);
	cr_expect_arr_eq(info->client_sha256.data, digest, 32);
}

static bool has_cert(const struct ktls_info *info)
{
	unsigned char *der = NULL;
	int len = i2d_X509(bob.cert, &der);
	bool same = info->client_cert.len == (size_t)len &&
		    !memcmp(info->client_cert.data, der, len);

	cr_expect(same || !info->client_cert.len);
	OPENSSL_free(der);
	return same;
}

/* Shakes hands and goes; the message stays until the next. */
static struct ktls_info come_and_go(uint16_t version)
{
	struct ktls_info info;

	client_pair(&duo, version, KTLS_AES_128_GCM);
	dial(0);
	if (duo.session)
		SSL_set_session(client, duo.session);
	shake_hands();
	info = take();
	turn(5);
	SSL_read(client, &(char){ 0 }, 1);	/* tickets */
	SSL_set_shutdown(client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	relay_cut(w.slab.conns[0].relay);
	all_gone();
	return info;
}

Test(conn_handoff, who_the_client_is_is_told_in_resumed_sessions_too)
{
	static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

	make_bob(0, 0);
	for (size_t v = 0; v < COUNT(versions); v++) {
		for (int resumed = 0; resumed < 2; resumed++) {
			struct ktls_info info = come_and_go(versions[v]);

			cr_expect_eq(info.resumed, resumed);
			is_bob(&info);
			cr_expect_not(has_cert(&info));
		}
		SSL_SESSION_free(duo.session);
		duo.session = NULL;
	}
	cr_expect_eq(metrics.value[METRIC_CLIENT_CRL_EXPIRED], 0);
}

static const struct {
	size_t names, more;
	bool fits;
} sizes[] = {
	{ 0, 0, true },
	/* longer than a connection's buffer */
	{ 3000, 0, true },
	{ 0, 9000, true },
	{ 4000, 4000, true },
	/* than any message */
	{ 0, 16384, false },
	{ 4000, 14000, false },
};

Test(conn_handoff, the_certificate_is_told_on_request_if_there_is_room)
{
	route_config[0].tell = CONFIG_TELL_CLIENT_CERT;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct ktls_info info;

		make_bob(sizes[i].names, sizes[i].more);
		info = come_and_go(KTLS_TLS13);
		is_bob(&info);
		cr_expect_geq(info.client_sans.len, sizes[i].names / 2);
		cr_expect_eq(has_cert(&info), sizes[i].fits, "%zu", i);
		SSL_SESSION_free(duo.session);
		duo.session = NULL;
		if (i + 1 < COUNT(sizes))
			party_free(&bob);
	}
}

Test(conn_handoff, a_client_whose_names_fit_into_no_message_is_refused)
{
	int error;

	make_bob(30000, 0);
	dial(0);
	shake_hands();
	cr_assert_str_eq(client_hears(&error), "");
	cr_assert_eq(error, SSL_ERROR_SSL);
	cr_expect_eq(ERR_GET_REASON(ERR_peek_last_error()),
		     SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN);
	cr_expect_not(case_readable(queue_end, 0));
	all_gone();
	cr_expect_eq(metrics.value[METRIC_FAILED_CLIENT], 1);
	cr_expect_eq(metrics.value[METRIC_HANDSHAKES_TLS13], 0);
}

Test(conn_handoff, one_that_waits_for_room_leaves_nothing_behind)
{
	route_config[0].tell = CONFIG_TELL_CLIENT_CERT;
	make_bob(0, 9000);
	queue_remove(&worker_routes[0].queue, 1);
	before = case_fds();
	dial(0);
	shake_hands();
	/* hold_timeout is over, and with it the connection */
	turn_for(300);
	all_gone();
	cr_expect_eq(metrics.value[METRIC_QUEUE_EXPIRED], 1);
}
