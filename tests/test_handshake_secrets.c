// SPDX-License-Identifier: MIT
/*
 * Keys and sequence numbers: what they are is what a real client's records
 * say, so each test ends with a record each way.
 */
#include "tests/handshake_peer.h"

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
