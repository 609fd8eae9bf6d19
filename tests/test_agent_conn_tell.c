// SPDX-License-Identifier: MIT
#include "agent_rig.h"

TestSuite(conn_tell, .timeout = 20);

static void start(void)
{
	start_worker();
	hs_ctx_free(duo.ctx);
	duo.ctx = NULL;
	duo.config.ja4 = true;
	listener.ctx = duo_ctx(&duo);
}

static void stop(void)
{
	relay_cut(w.slab.conns[0].relay);
	turn_for(20);
	hang_up_client();
	close(consumer);
	ring_fini(&w.ring);
	conn_slab_fini(&w.slab);
	rules_free(listener.rules);
	duo_fini(&duo);
}

static struct ktls_info hand_off(unsigned int tell)
{
	route_config[0].tell = tell;
	dial(0);
	SSL_set_tlsext_host_name(client, "localhost");
	shake_hands();
	return take();
}

Test(conn_tell, tells_nothing_that_the_route_does_not_ask_for, .init = start,
     .fini = stop)
{
	struct ktls_info info = hand_off(CONFIG_TELL_CLIENT_CERT);

	cr_expect_eq(info.exporter.len, 0);
	cr_expect_eq(info.end_point.len, 0);
	cr_expect_eq(info.ja4.len, 0);
}

Test(conn_tell, tells_what_the_client_has_itself, .init = start,
     .fini = stop)
{
	struct ktls_info info = hand_off(CONFIG_TELL_EXPORTER |
					 CONFIG_TELL_END_POINT |
					 CONFIG_TELL_JA4);
	X509 *sent = SSL_get1_peer_certificate(client);
	uint8_t exporter[32], end_point[EVP_MAX_MD_SIZE];
	unsigned int len;

	cr_assert_eq(SSL_export_keying_material(
			     client, exporter, 32, "EXPORTER-Channel-Binding",
			     24, (const unsigned char *)"", 0, 1), 1);
	cr_assert_eq(info.exporter.len, 32);
	cr_expect_arr_eq(info.exporter.data, exporter, 32);
	cr_assert(X509_digest(sent, EVP_sha256(), end_point, &len));
	cr_assert_eq(info.end_point.len, len);
	cr_expect_arr_eq(info.end_point.data, end_point, len);
	cr_assert_eq(info.ja4.len, 36);
	cr_expect_arr_eq(info.ja4.data, "t13d", 4);
	X509_free(sent);
}

Test(conn_tell, tells_each_by_itself, .init = start, .fini = stop)
{
	struct ktls_info info = hand_off(CONFIG_TELL_END_POINT);

	cr_expect_eq(info.exporter.len, 0);
	cr_expect_eq(info.end_point.len, 32);
	cr_expect_eq(info.ja4.len, 0);
}

Test(conn_tell, keeps_nothing_of_it, .init = start, .fini = stop)
{
	struct ktls_info info = hand_off(CONFIG_TELL_EXPORTER);

	cr_assert_eq(info.exporter.len, 32);
	turn_for(20);
	cr_expect_null(memmem(w.slab.buffers, CONN_BUFFER, info.exporter.data,
			      32));
}
