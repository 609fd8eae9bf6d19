// SPDX-License-Identifier: MIT
/*
 * Keys and sequence numbers: what they are is what a real client's records
 * say, so each test ends with a record each way.
 */
#include <errno.h>

#include <openssl/kdf.h>

#include "tests/handshake_peer.h"

#include "handshake/internal.h"

TestSuite(secrets, .timeout = 30);

static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

/* Shakes hands, takes the keys and tries them. */
static struct ktls_keys keys_of(struct duo *d)
{
	struct ktls_keys keys;

	duo_connect(d);
	duo_done(d);
	cr_assert_eq(hs_keys(d->hs, &keys), 0);
	return keys;
}

static void keys_work_for_each_pair(const char *key_type)
{
	for (size_t v = 0; v < COUNT(versions); v++) {
		for (int c = 0; c < KTLS_CIPHERS; c++) {
			struct ktls_keys keys;
			struct duo d;

			duo_init(&d, key_type);
			client_pair(&d, versions[v], c);
			keys = keys_of(&d);
			cr_assert_eq(keys.version, versions[v]);
			cr_assert_eq(keys.cipher, (enum ktls_cipher)c);
			cr_assert_eq(keys.max_payload, 0);
			duo_try_keys(&d, &keys);
			duo_fini(&d);
		}
	}
}

Test(secrets, the_keys_work_for_each_pair_with_an_ecdsa_certificate)
{
	keys_work_for_each_pair("P-256");
}

Test(secrets, the_keys_work_for_each_pair_with_an_rsa_certificate)
{
	keys_work_for_each_pair("RSA");
}

Test(secrets, are_given_once)
{
	struct ktls_keys keys;
	struct duo d;

	duo_init(&d, "P-256");
	keys = keys_of(&d);
	duo_try_keys(&d, &keys);
	cr_assert_eq(d.hs->shown.server.len, 0);
	for (size_t i = 0; i < KTLS_SECRET_MAX; i++)
		cr_assert_eq(d.hs->shown.server.data[i] | d.hs->shown.client.data[i],
			     0);
	cr_assert_eq(hs_keys(d.hs, &keys), -EIO);
	cr_assert_eq(keys.version | keys.tx.key[0] | keys.tx.key[1], 0);
	cr_assert_eq(hs_write(d.hs, (const uint8_t *)"x", 1), -EPROTO);
	duo_fini(&d);
}

/* Of those that KeyUpdate goes on from the first keys are made, too. */
Test(secrets, of_tls13_are_lent_until_the_keys_are_taken)
{
	struct ktls_derive *derive = ktls_derive_new();
	struct ocsp_bytes rx, tx;
	struct ktls_keys keys;
	struct ktls_dir dir;
	struct duo d;

	duo_init(&d, "P-256");
	client_pair(&d, KTLS_TLS13, KTLS_AES_256_GCM);
	duo_connect(&d);
	cr_expect_eq(hs_secrets(d.hs, &rx, &tx), -EIO);
	duo_done(&d);
	cr_assert_eq(hs_secrets(d.hs, &rx, &tx), 0);
	cr_assert_eq(rx.len, 48);
	cr_assert_eq(ktls_derive_keys(derive, KTLS_AES_256_GCM, rx.data,
				      rx.len, &dir), 0);
	cr_assert_eq(hs_keys(d.hs, &keys), 0);
	cr_expect_arr_eq(dir.key, keys.rx.key, sizeof(dir.key));
	cr_expect_eq(hs_secrets(d.hs, &rx, &tx), -EIO);
	cr_expect_eq(rx.data[0] | tx.data[0] | tx.data[47], 0);
	duo_fini(&d);
	ktls_derive_free(derive);
}

Test(secrets, tls12_has_none_to_lend)
{
	struct ocsp_bytes rx, tx;
	struct duo d;

	duo_init(&d, "P-256");
	client_pair(&d, KTLS_TLS12, KTLS_AES_128_GCM);
	duo_connect(&d);
	duo_done(&d);
	cr_expect_eq(hs_secrets(d.hs, &rx, &tx), -ENOTSUP);
	duo_fini(&d);
}

Test(secrets, are_not_given_before_the_end)
{
	struct ktls_keys keys;
	struct duo d;

	duo_init(&d, "P-256");
	duo_connect(&d);
	cr_assert_eq(hs_keys(d.hs, &keys), -EIO);
	duo_done(&d);
	cr_assert_eq(hs_keys(d.hs, &keys), 0);
	duo_fini(&d);
}

Test(secrets, the_keys_work_when_bytes_come_one_at_a_time)
{
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct ktls_keys keys;
		struct duo d;

		duo_init(&d, "P-256");
		d.chunk = 1;
		client_pair(&d, versions[v], KTLS_AES_128_GCM);
		keys = keys_of(&d);
		duo_try_keys(&d, &keys);
		duo_fini(&d);
	}
}

/* Tickets are records behind our Finished in TLS 1.3, before it in TLS 1.2. */
Test(secrets, tickets_are_counted_as_the_records_they_are)
{
	static const unsigned int tickets[] = { 0, 1, 2, 8 };

	for (size_t i = 0; i < COUNT(tickets); i++) {
		for (size_t v = 0; v < COUNT(versions); v++) {
			bool tls13 = versions[v] == KTLS_TLS13;
			struct ktls_keys keys;
			struct duo d;

			duo_init(&d, "P-256");
			d.config.tickets = tickets[i];
			client_pair(&d, versions[v], KTLS_AES_256_GCM);
			keys = keys_of(&d);
			cr_assert_eq(keys.tx.seq, tls13 ? tickets[i] : 1);
			cr_assert_eq(keys.rx.seq, tls13 ? 0 : 1);
			duo_try_keys(&d, &keys);
			cr_assert_eq(d.session != NULL, tickets[i] != 0);
			duo_fini(&d);
		}
	}
}

Test(secrets, the_keys_work_after_a_resumption)
{
	for (size_t v = 0; v < COUNT(versions); v++) {
		for (int c = 0; c < KTLS_CIPHERS; c++) {
			struct ktls_keys keys;
			struct hs_info info;
			struct duo d;

			duo_init(&d, "P-256");
			client_pair(&d, versions[v], c);
			keys = keys_of(&d);
			duo_try_keys(&d, &keys);
			duo_disconnect(&d);
			duo_connect(&d);
			SSL_set_session(d.client, d.session);
			duo_done(&d);
			hs_get_info(d.hs, &info);
			cr_assert(info.resumed);
			cr_assert_eq(hs_keys(d.hs, &keys), 0);
			/* one ticket is renewed, as each is used once */
			cr_assert_eq(keys.tx.seq, 1);
			duo_try_keys(&d, &keys);
			duo_fini(&d);
		}
	}
}

/* Long names in the session make tickets of two records of 512 bytes each. */
Test(secrets, records_of_a_small_fragment_length_are_counted)
{
	uint8_t alpn[200];
	char name[240] = "";

	memset(name, 'n', sizeof(name) - 1);
	memset(alpn, 'p', sizeof(alpn));
	alpn[0] = sizeof(alpn) - 1;
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct ktls_keys keys;
		struct duo d;

		duo_init(&d, "RSA");
		d.site.alpn = alpn;
		d.site.alpn_len = sizeof(alpn);
		SSL_CTX_set_alpn_protos(d.client_ctx, alpn, sizeof(alpn));
		client_pair(&d, versions[v], KTLS_CHACHA20_POLY1305);
		SSL_CTX_set_tlsext_max_fragment_length(
			d.client_ctx, TLSEXT_max_fragment_length_512);
		duo_connect(&d);
		SSL_set_tlsext_host_name(d.client, name);
		duo_done(&d);
		cr_assert_eq(hs_keys(d.hs, &keys), 0);
		cr_assert_eq(keys.max_payload, 512);
		if (versions[v] == KTLS_TLS13)
			cr_assert_eq(keys.tx.seq, 4);
		duo_try_keys(&d, &keys);
		duo_fini(&d);
	}
}

Test(secrets, the_keys_work_after_a_hello_retry_request)
{
	struct ktls_keys keys;
	struct duo d;

	duo_init(&d, "P-256");
	duo_connect(&d);
	cr_assert(SSL_CTX_set1_groups_list(d.ctx->ssl, "X25519:P-256"));
	duo_disconnect(&d);
	cr_assert(SSL_CTX_set1_groups_list(d.client_ctx, "P-384:P-256"));
	keys = keys_of(&d);
	cr_assert_eq(keys.version, KTLS_TLS13);
	duo_try_keys(&d, &keys);
	duo_fini(&d);
}

/* Early data is refused and thrown away; it never counts as a record. */
Test(secrets, the_keys_work_after_refused_early_data)
{
	struct ktls_keys keys;
	struct duo d;
	size_t put;

	duo_init(&d, "P-256");
	keys = keys_of(&d);
	duo_try_keys(&d, &keys);
	duo_disconnect(&d);
	duo_connect(&d);
	cr_assert(SSL_SESSION_set_max_early_data(d.session, 1000));
	SSL_set_session(d.client, d.session);
	cr_assert_eq(SSL_write_early_data(d.client, "early", 5, &put), 1);
	duo_done(&d);
	cr_assert_eq(SSL_get_early_data_status(d.client),
		     SSL_EARLY_DATA_REJECTED);
	cr_assert_eq(hs_keys(d.hs, &keys), 0);
	cr_assert_eq(keys.rx.seq, 0);
	duo_try_keys(&d, &keys);
	duo_fini(&d);
}

/* The client's own view of its keys in TLS 1.2, by libcrypto's PRF. */
static void client_keys12(struct duo *d, struct ktls_keys *keys)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *c = EVP_KDF_CTX_new(kdf);
	uint8_t master[48], randoms[64], block[40];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string("digest", (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string("secret", master, 48),
		OSSL_PARAM_construct_octet_string("seed",
						  (char *)"key expansion", 13),
		OSSL_PARAM_construct_octet_string("seed", randoms, 64),
		OSSL_PARAM_END,
	};

	SSL_SESSION_get_master_key(SSL_get_session(d->client), master, 48);
	SSL_get_server_random(d->client, randoms, 32);
	SSL_get_client_random(d->client, randoms + 32, 32);
	cr_assert_eq(EVP_KDF_derive(c, block, sizeof(block), params), 1);
	EVP_KDF_CTX_free(c);
	EVP_KDF_free(kdf);
	memset(keys, 0, sizeof(*keys));
	keys->version = KTLS_TLS12;
	keys->cipher = KTLS_AES_128_GCM;
	memcpy(keys->tx.key, block, 16);
	memcpy(keys->rx.key, block + 16, 16);
	memcpy(keys->tx.iv, block + 32, 4);
	memcpy(keys->rx.iv, block + 36, 4);
}

/* A flight each way, so that the client's last one is under way. */
static void run_to_client_finished(struct duo *d)
{
	SSL_do_handshake(d->client);
	duo_collect(d);
	while (duo_feed(d))
		;
	duo_deliver(d);
	SSL_do_handshake(d->client);
	cr_assert(duo_collect(d));
}

static size_t record_at(const struct duo *d, size_t offset)
{
	return offset + 5 + (d->wire[offset + 3] << 8 | d->wire[offset + 4]);
}

static const size_t chunks[] = { 0, 1, 7 };

/* What the client says in one breath with its Finished is the kernel's. */
static void take_keys_beside_data(struct duo *d)
{
	size_t len = d->wire_len;
	struct ktls_keys keys;
	uint8_t *text;
	uint8_t type;

	while (duo_feed(d))
		;
	cr_assert_eq(d->step, HS_DONE, "%s", hs_error(d->hs));
	cr_assert_lt(d->wire_len, len);
	cr_assert_eq(record_at(d, 0), d->wire_len);
	cr_assert_eq(hs_keys(d->hs, &keys), 0);
	cr_assert_eq(record_open(&keys, &keys.rx, d->wire, &type, &text), 5);
	cr_assert_arr_eq(text, "GET /", 5);
}

Test(secrets, data_behind_the_finished_is_not_taken)
{
	for (size_t i = 0; i < COUNT(chunks); i++) {
		struct duo d;

		duo_init(&d, "P-256");
		d.chunk = chunks[i];
		duo_connect(&d);
		run_to_client_finished(&d);
		cr_assert_eq(SSL_write(d.client, "GET /", 5), 5);
		duo_collect(&d);
		take_keys_beside_data(&d);
		duo_fini(&d);
	}
}

/* TLS 1.2: sent before our Finished (RFC 7918, false start) */
Test(secrets, data_of_a_false_start_is_not_taken)
{
	for (size_t i = 0; i < COUNT(chunks); i++) {
		struct ktls_keys client;
		struct duo d;

		duo_init(&d, "P-256");
		d.chunk = chunks[i];
		client_pair(&d, KTLS_TLS12, KTLS_AES_128_GCM);
		duo_connect(&d);
		run_to_client_finished(&d);
		client_keys12(&d, &client);
		client.tx.seq = 1;
		d.wire_len += record_seal(&client, 23, "GET /", 5,
					  d.wire + d.wire_len);
		take_keys_beside_data(&d);
		duo_fini(&d);
	}
}

/* Opens the client's Finished and seals it again as records of 4 bytes. */
static int split_finished(struct duo *d, struct ktls_keys *client)
{
	struct ktls_keys open = *client;
	size_t at = 0;
	uint8_t finished[64];
	uint8_t *text;
	uint8_t type;
	int n = 0;
	int len;

	while (record_at(d, at) < d->wire_len)
		at = record_at(d, at);
	len = record_open(&open, &open.tx, d->wire + at, &type, &text);
	cr_assert_eq(len, 16);
	memcpy(finished, text, len);
	d->wire_len = at;
	for (int i = 0; i < len; i += 4, n++)
		d->wire_len += record_seal(client, type, finished + i, 4,
					   d->wire + d->wire_len);
	return n;
}

Test(secrets, a_finished_in_several_records_counts_as_several)
{
	struct ktls_keys client;
	struct ktls_keys keys;
	uint8_t record[64];
	uint8_t *text;
	uint8_t type;
	struct duo d;

	duo_init(&d, "P-256");
	client_pair(&d, KTLS_TLS12, KTLS_AES_128_GCM);
	duo_connect(&d);
	run_to_client_finished(&d);
	client_keys12(&d, &client);
	cr_assert_eq(split_finished(&d, &client), 4);
	while (duo_feed(&d))
		;
	cr_assert_eq(d.step, HS_DONE, "%s", hs_error(d.hs));
	cr_assert_eq(hs_keys(d.hs, &keys), 0);
	cr_assert_eq(keys.rx.seq, 4);
	record_seal(&client, 23, "data", 4, record);
	cr_assert_eq(record_open(&keys, &keys.rx, record, &type, &text), 4);
	duo_fini(&d);
}

/*
 * Seals the client's Finished again, with a nonce that it may have by chance: it
 * reads like a ClientHello of 16 MiB.
 */
static void disguise_finished(struct duo *d, struct ktls_keys *client)
{
	static const uint8_t explicit[8] = { SSL3_MT_CLIENT_HELLO, 0xff, 0xff,
					     0xff };
	struct ktls_keys open = *client;
	uint8_t nonce[12], aad[13];
	uint8_t *record = d->wire;
	uint8_t *text;
	uint8_t type;
	int len;

	while (record_at(d, record - d->wire) < d->wire_len)
		record = d->wire + record_at(d, record - d->wire);
	len = record_open(&open, &open.tx, record, &type, &text);
	cr_assert_eq(len, 16);
	memcpy(record + 5, explicit, sizeof(explicit));
	record_nonce(client, &client->tx, explicit, nonce);
	record_aad(client, &client->tx, type, len, record, aad);
	cr_assert(aead(client, &client->tx, 1, nonce, aad, sizeof(aad), text,
		       len, text + len));
}

Test(secrets, a_resumed_finished_is_no_client_hello_whatever_its_bytes)
{
	struct ktls_keys client;
	struct ktls_keys keys;
	struct hs_info info;
	struct duo d;

	duo_init(&d, "P-256");
	d.config.max_hello = 16384;
	client_pair(&d, KTLS_TLS12, KTLS_AES_128_GCM);
	keys = keys_of(&d);
	duo_try_keys(&d, &keys);
	duo_disconnect(&d);
	duo_connect(&d);
	SSL_set_session(d.client, d.session);
	run_to_client_finished(&d);
	client_keys12(&d, &client);
	disguise_finished(&d, &client);
	while (duo_feed(&d))
		;
	cr_assert_eq(d.step, HS_DONE, "%s", hs_error(d.hs));
	hs_get_info(d.hs, &info);
	cr_assert(info.resumed);
	duo_fini(&d);
}

/* --- the key log -------------------------------------------------------- */

static char logged[16][256];
static unsigned int n_logged;

static void log_line(const char *line)
{
	cr_assert_lt(n_logged, COUNT(logged));
	snprintf(logged[n_logged++], sizeof(logged[0]), "%s", line);
}

static char client_logged[16][256];
static unsigned int n_client_logged;

static void client_line(const SSL *ssl, const char *line)
{
	(void)ssl;
	cr_assert_lt(n_client_logged, COUNT(client_logged));
	snprintf(client_logged[n_client_logged++], sizeof(client_logged[0]),
		 "%s", line);
}

static bool is_logged(const char *line)
{
	for (unsigned int i = 0; i < n_logged; i++)
		if (!strcmp(logged[i], line))
			return true;
	return false;
}

/* Both sides say the same, each secret once, or the file is of no use. */
static void compare_logs(unsigned int n)
{
	cr_assert_eq(n_logged, n);
	cr_assert_eq(n_client_logged, n);
	for (unsigned int i = 0; i < n_client_logged; i++)
		cr_assert(is_logged(client_logged[i]), "%s", client_logged[i]);
	n_logged = n_client_logged = 0;
}

static void shake_hands_and_log(struct duo *d, unsigned int lines)
{
	struct ktls_keys keys = keys_of(d);

	duo_try_keys(d, &keys);
	compare_logs(lines);
	duo_disconnect(d);
}

Test(secrets, all_are_logged_where_that_was_asked_for)
{
	for (size_t v = 0; v < COUNT(versions); v++) {
		unsigned int lines = versions[v] == KTLS_TLS13 ? 5 : 1;
		struct ktls_keys keys;
		struct hs_info info;
		struct duo d;

		duo_init(&d, "P-256");
		d.config.keylog = log_line;
		SSL_CTX_set_keylog_callback(d.client_ctx, client_line);
		client_pair(&d, versions[v], KTLS_AES_256_GCM);
		shake_hands_and_log(&d, lines);
		shake_hands_and_log(&d, lines);
		duo_connect(&d);
		SSL_set_session(d.client, d.session);
		duo_done(&d);
		hs_get_info(d.hs, &info);
		cr_assert(info.resumed);
		cr_assert_eq(hs_keys(d.hs, &keys), 0);
		duo_try_keys(&d, &keys);
		compare_logs(lines);
		duo_fini(&d);
	}
}
