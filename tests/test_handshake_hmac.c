// SPDX-License-Identifier: MIT
/* Against libcrypto's own, and its ready-made test vectors (RFC 4231). */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <criterion/criterion.h>

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "handshake/hmac.h"

TestSuite(hmac, .timeout = 10);

static const char *const names[HS_DIGESTS] = { "SHA256", "SHA384" };

/* Some bytes that are not all alike */
static void fill(uint8_t *p, size_t len, unsigned int seed)
{
	while (len--)
		*p++ = seed = seed * 73 + 41;
}

static void expect(struct hs_hmac *h, const uint8_t *key, size_t key_len,
		   const uint8_t *data, size_t len)
{
	uint8_t mac[HS_HMAC_MAX], want[EVP_MAX_MD_SIZE];
	unsigned int want_len;

	hs_hmac_end(h, mac);
	cr_assert(HMAC(EVP_get_digestbyname(names[h->digest]), key, key_len,
		       data, len, want, &want_len));
	cr_assert_eq(want_len, hs_digest_len(h->digest));
	cr_assert_arr_eq(mac, want, want_len, "key %zu, data %zu", key_len,
			 len);
}

Test(hmac, is_libcryptos_for_keys_and_data_of_any_length)
{
	static const size_t lens[] = { 0, 1, 31, 32, 48, 63, 64, 65, 127, 128,
				       129, 300 };
	uint8_t key[300], data[300];
	struct hs_hmac h;

	fill(key, sizeof(key), 1);
	fill(data, sizeof(data), 2);
	for (int d = 0; d < HS_DIGESTS; d++)
		for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++)
			for (size_t j = 0; j < sizeof(lens) / sizeof(*lens);
			     j++) {
				hs_hmac_init(&h, d, key, lens[i]);
				hs_hmac_add(&h, data, lens[j] / 2);
				hs_hmac_add(&h, data + lens[j] / 2,
					    lens[j] - lens[j] / 2);
				expect(&h, key, lens[i], data, lens[j]);
			}
	hs_hmac_wipe(&h);
}

Test(hmac, begins_anew_with_the_same_key)
{
	static const uint8_t key[] = "secret", other[] = "other";
	struct hs_hmac h;

	hs_hmac_init(&h, HS_SHA384, key, sizeof(key));
	hs_hmac_add(&h, other, sizeof(other));
	hs_hmac_again(&h);
	hs_hmac_add(&h, key, 3);
	expect(&h, key, sizeof(key), key, 3);
	hs_hmac_again(&h);
	hs_hmac_add(&h, other, 4);
	expect(&h, key, sizeof(key), other, 4);
}

/* RFC 4231 4.3 */
Test(hmac, is_that_of_the_standard)
{
	static const char data[] = "what do ya want for nothing?";
	static const uint8_t want[] = { 0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60,
					0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26,
					0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00,
					0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
					0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec,
					0x38, 0x43 };
	uint8_t mac[HS_HMAC_MAX];
	struct hs_hmac h;

	hs_hmac_init(&h, HS_SHA256, "Jefe", 4);
	hs_hmac_add(&h, data, sizeof(data) - 1);
	hs_hmac_end(&h, mac);
	cr_assert_arr_eq(mac, want, sizeof(want));
}

Test(hmac, knows_what_the_digest_of_nothing_is)
{
	uint8_t want[EVP_MAX_MD_SIZE];
	unsigned int len;

	for (int d = 0; d < HS_DIGESTS; d++) {
		cr_assert(EVP_Digest("", 0, want, &len,
				     EVP_get_digestbyname(names[d]), NULL));
		cr_assert_eq(len, hs_digest_len(d));
		cr_assert_arr_eq(hs_digest_empty(d), want, len);
	}
}

Test(hmac, finds_digests_by_any_of_their_names)
{
	enum hs_digest d;

	cr_expect(hs_digest_find("SHA2-256", &d) && d == HS_SHA256);
	cr_expect(hs_digest_find("sha256", &d) && d == HS_SHA256);
	cr_expect(hs_digest_find("SHA-384", &d) && d == HS_SHA384);
	cr_expect_not(hs_digest_find("SHA512", &d));
	cr_expect_not(hs_digest_find("SHA2-25", &d));
	cr_expect_not(hs_digest_find("", &d));
}

Test(hmac, leaves_nothing_behind_when_it_is_wiped)
{
	static const struct hs_hmac nothing;
	struct hs_hmac h;

	hs_hmac_init(&h, HS_SHA256, "secret", 6);
	hs_hmac_wipe(&h);
	cr_assert_arr_eq((uint8_t *)&h, (const uint8_t *)&nothing, sizeof(h));
}
