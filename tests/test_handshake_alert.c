// SPDX-License-Identifier: MIT
/*
 * An alert of our own must be readable in each state of a handshake, whatever
 * key is in use.
 */
#include "tests/handshake_peer.h"

TestSuite(alert, .timeout = 30);

static int received;

static void note_alert(const SSL *ssl, int where, int value)
{
	(void)ssl;
	if (where == SSL_CB_READ_ALERT)
		received = value;
}

/* Gives up after @flights of the client's, and lets it read the alert. */
static void give_up(struct duo *d, int flights, uint8_t alert)
{
	SSL_set_info_callback(d->client, note_alert);
	received = 0;
	for (int i = 0; i < flights; i++) {
		SSL_do_handshake(d->client);
		duo_collect(d);
		duo_feed(d);
		duo_deliver(d);
	}
	hs_abort(d->hs, alert);
	hs_abort(d->hs, 99);
	duo_deliver(d);
	if (!SSL_is_init_finished(d->client))
		SSL_do_handshake(d->client);
	if (SSL_is_init_finished(d->client))
		SSL_read(d->client, d->wire, 1);
	cr_assert_eq(received, SSL3_AL_FATAL << 8 | alert,
		     "received %04x after %d flights", received, flights);
}

static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

Test(alert, is_understood_in_each_state_under_each_key)
{
	for (size_t v = 0; v < COUNT(versions); v++) {
		for (int c = 0; c < KTLS_CIPHERS; c++) {
			for (int flights = 0; flights < 3; flights++) {
				struct duo d;

				duo_init(&d, "P-256");
				client_pair(&d, versions[v], c);
				duo_connect(&d);
				give_up(&d, flights, SSL_AD_INTERNAL_ERROR);
				duo_fini(&d);
			}
		}
	}
}

/* Our Finished comes first here, so its key is in use before the end. */
Test(alert, is_understood_in_the_middle_of_a_resumption)
{
	for (size_t v = 0; v < COUNT(versions); v++) {
		for (int c = 0; c < KTLS_CIPHERS; c++) {
			struct duo d;
			char buf[8];

			duo_init(&d, "P-256");
			client_pair(&d, versions[v], c);
			duo_connect(&d);
			duo_done(&d);
			SSL_read(d.client, buf, sizeof(buf));
			duo_disconnect(&d);
			duo_connect(&d);
			SSL_set_session(d.client, d.session);
			give_up(&d, 1, SSL_AD_USER_CANCELLED);
			cr_assert(SSL_session_reused(d.client));
			duo_fini(&d);
		}
	}
}

Test(alert, after_the_keys_are_taken_there_is_none)
{
	struct ktls_keys keys;
	struct duo d;

	duo_init(&d, "P-256");
	duo_connect(&d);
	duo_done(&d);
	cr_assert_eq(hs_keys(d.hs, &keys), 0);
	hs_abort(d.hs, 80);
	cr_assert_eq(hs_output(d.hs).len, 0);
	duo_fini(&d);
}
