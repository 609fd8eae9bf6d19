// SPDX-License-Identifier: MIT
#include <errno.h>

#include "tests/handshake_peer.h"

TestSuite(relay, .timeout = 30);

static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

static void relay_start(struct duo *d, uint16_t version)
{
	duo_init(d, "P-256");
	client_pair(d, version, KTLS_AES_128_GCM);
	duo_connect(d);
	duo_done(d);
	d->wire_len = 0;
}

/* hs_read() on what is under way; what it leaves stays. */
static ssize_t relay_read(struct duo *d, void *buf, size_t len)
{
	size_t used;
	ssize_t n = hs_read(d->hs, d->wire, d->wire_len, &used, buf, len);

	cr_assert_leq(used, d->wire_len);
	d->wire_len -= used;
	memmove(d->wire, d->wire + used, d->wire_len);
	return n;
}

Test(relay, moves_data_both_ways)
{
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct duo d;
		char buf[64];

		relay_start(&d, versions[v]);
		cr_assert_eq(relay_read(&d, buf, sizeof(buf)), -EAGAIN);
		SSL_write(d.client, "hello", 5);
		duo_collect(&d);
		cr_assert_eq(relay_read(&d, buf, sizeof(buf)), 5);
		cr_assert_arr_eq(buf, "hello", 5);
		cr_assert_eq(relay_read(&d, buf, sizeof(buf)), -EAGAIN);

		cr_assert_eq(hs_write(d.hs, (const uint8_t *)"", 0), 0);
		cr_assert_eq(hs_output(d.hs).len, 0);
		cr_assert_eq(hs_write(d.hs, (const uint8_t *)"answer", 6), 0);
		duo_deliver(&d);
		cr_assert_eq(SSL_read(d.client, buf, sizeof(buf)), 6);
		cr_assert_arr_eq(buf, "answer", 6);
		duo_fini(&d);
	}
}

Test(relay, takes_a_record_by_pieces_and_gives_it_by_pieces)
{
	struct duo d;
	size_t got = 0;
	size_t used;
	ssize_t n;
	char buf[3];

	relay_start(&d, KTLS_TLS13);
	SSL_write(d.client, "0123456789", 10);
	duo_collect(&d);
	for (size_t i = 0; i < d.wire_len; i++) {
		n = hs_read(d.hs, d.wire + i, 1, &used, (uint8_t *)buf, 3);
		cr_assert_eq(used, 1);
		if (i < d.wire_len - 1)
			cr_assert_eq(n, -EAGAIN);
	}
	while (n > 0) {
		cr_assert_arr_eq(buf, &"0123456789"[got], n);
		got += n;
		n = hs_read(d.hs, NULL, 0, &used, (uint8_t *)buf, 3);
	}
	cr_assert_eq(got, 10);
	cr_assert_eq(n, -EAGAIN);
	duo_fini(&d);
}

Test(relay, a_megabyte_arrives_as_it_was_sent)
{
	enum { SIZE = 900000 };
	uint8_t *data = malloc(SIZE);
	uint8_t *got = malloc(SIZE);
	size_t len = 0;
	struct duo d;
	ssize_t n;

	for (size_t i = 0; i < SIZE; i++)
		data[i] = i * 7 >> 3;
	relay_start(&d, KTLS_TLS12);
	cr_assert_eq(SSL_write(d.client, data, SIZE), SIZE);
	duo_collect(&d);
	while ((n = relay_read(&d, got + len, SIZE - len)) > 0)
		len += n;
	cr_assert_eq(len, SIZE);
	cr_assert_arr_eq(data, got, SIZE);
	cr_assert_eq(hs_write(d.hs, data, SIZE), 0);
	duo_deliver(&d);
	memset(got, 0, SIZE);
	for (len = 0; len < SIZE; len += n) {
		n = SSL_read(d.client, got + len, SIZE - len);
		cr_assert_gt(n, 0);
	}
	cr_assert_arr_eq(data, got, SIZE);
	duo_fini(&d);
	free(data);
	free(got);
}

Test(relay, half_closes_in_both_orders)
{
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct duo d;
		char buf[8];

		relay_start(&d, versions[v]);
		SSL_shutdown(d.client);
		duo_collect(&d);
		cr_assert_eq(relay_read(&d, buf, sizeof(buf)), 0);
		cr_assert_eq(relay_read(&d, buf, sizeof(buf)), 0);
		cr_assert_eq(hs_write(d.hs, (const uint8_t *)"rest", 4), 0);
		hs_close(d.hs);
		duo_deliver(&d);
		cr_assert_eq(SSL_read(d.client, buf, sizeof(buf)), 4);
		cr_assert_eq(SSL_read(d.client, buf, sizeof(buf)), 0);
		cr_assert(SSL_get_shutdown(d.client) & SSL_RECEIVED_SHUTDOWN);
		duo_fini(&d);

		relay_start(&d, versions[v]);
		hs_close(d.hs);
		hs_close(d.hs);
		cr_assert_eq(hs_write(d.hs, (const uint8_t *)"x", 1), -EPIPE);
		duo_deliver(&d);
		cr_assert_eq(SSL_read(d.client, buf, sizeof(buf)), 0);
		cr_assert_eq(SSL_write(d.client, "rest", 4), 4);
		SSL_shutdown(d.client);
		duo_collect(&d);
		cr_assert_eq(relay_read(&d, buf, sizeof(buf)), 4);
		cr_assert_eq(relay_read(&d, buf, sizeof(buf)), 0);
		duo_fini(&d);
	}
}

Test(relay, a_broken_record_ends_it_with_one_alert)
{
	struct duo d;
	char buf[8];

	relay_start(&d, KTLS_TLS13);
	SSL_write(d.client, "hello", 5);
	duo_collect(&d);
	d.wire[d.wire_len - 1] ^= 1;
	cr_assert_eq(relay_read(&d, buf, sizeof(buf)), -EPROTO);
	cr_assert_eq(hs_output(d.hs).len, 5 + 3 + 16);
	cr_assert_eq(relay_read(&d, buf, sizeof(buf)), -EPROTO);
	cr_assert_eq(hs_write(d.hs, (const uint8_t *)"x", 1), -EPROTO);
	hs_close(d.hs);
	cr_assert_eq(hs_output(d.hs).len, 5 + 3 + 16);
	duo_deliver(&d);
	cr_assert_leq(SSL_read(d.client, buf, sizeof(buf)), 0);
	cr_assert_eq(ERR_GET_REASON(ERR_peek_last_error()),
		     SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
	duo_fini(&d);
}

Test(relay, a_key_update_is_answered)
{
	struct duo d;
	char buf[8];

	relay_start(&d, KTLS_TLS13);
	cr_assert(SSL_key_update(d.client, SSL_KEY_UPDATE_REQUESTED));
	SSL_write(d.client, "new", 3);
	duo_collect(&d);
	cr_assert_eq(relay_read(&d, buf, sizeof(buf)), 3);
	cr_assert_eq(hs_write(d.hs, (const uint8_t *)"newer", 5), 0);
	duo_deliver(&d);
	cr_assert_eq(SSL_read(d.client, buf, sizeof(buf)), 5);
	duo_fini(&d);
}

Test(relay, a_renegotiation_is_refused)
{
	struct duo d;
	char buf[8];

	relay_start(&d, KTLS_TLS12);
	cr_assert(SSL_renegotiate(d.client));
	SSL_do_handshake(d.client);
	duo_collect(&d);
	cr_assert_leq(relay_read(&d, buf, sizeof(buf)), -1);
	duo_fini(&d);
}

Test(relay, gives_no_keys)
{
	struct ktls_keys keys;
	struct duo d;

	relay_start(&d, KTLS_TLS13);
	cr_assert_eq(hs_write(d.hs, (const uint8_t *)"x", 1), 0);
	cr_assert_eq(hs_keys(d.hs, &keys), -EIO);
	duo_fini(&d);
}

Test(relay, there_is_none_before_the_handshake_is_done)
{
	struct duo d;
	uint8_t buf[8];
	size_t used;

	duo_init(&d, "P-256");
	duo_connect(&d);
	cr_assert_eq(hs_read(d.hs, buf, 8, &used, buf, 8), -EPROTO);
	cr_assert_eq(used, 0);
	cr_assert_eq(hs_write(d.hs, buf, 1), -EPROTO);
	hs_close(d.hs);
	cr_assert_eq(hs_output(d.hs).len, 0);
	duo_fini(&d);
}
