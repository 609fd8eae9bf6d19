// SPDX-License-Identifier: MIT
#include <dlfcn.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/provider.h>
#include <sodium.h>

#include "tests/handshake_peer.h"

#include "handshake/provider.h"

TestSuite(x25519, .timeout = 30);

#define LEN 32

static EVP_PKEY_CTX *context(const char *properties, const char *provider,
			     int (*init)(EVP_PKEY_CTX *ctx))
{
	EVP_PKEY_CTX *ctx =
		EVP_PKEY_CTX_new_from_name(NULL, "X25519", properties);

	cr_assert_not_null(ctx);
	cr_assert_eq(init(ctx), 1);
	cr_assert_str_eq(OSSL_PROVIDER_get0_name(
				 EVP_PKEY_CTX_get0_provider(ctx)), provider);
	return ctx;
}

static EVP_PKEY *make(void)
{
	EVP_PKEY_CTX *ctx = context(HS_PROPERTIES, "ktlsd",
				    EVP_PKEY_keygen_init);
	EVP_PKEY *key = NULL;

	cr_assert_eq(EVP_PKEY_keygen(ctx, &key), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void public_of(EVP_PKEY *key, uint8_t public[static LEN])
{
	size_t len = LEN;

	cr_assert_eq(EVP_PKEY_get_raw_public_key(key, public, &len), 1);
	cr_assert_eq(len, LEN);
}

/* libcrypto's own, with the same private half */
static EVP_PKEY *same_of_libcrypto(EVP_PKEY *key)
{
	uint8_t private[LEN];
	size_t len = LEN;
	EVP_PKEY *same;

	cr_assert_eq(EVP_PKEY_get_raw_private_key(key, private, &len), 1);
	same = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, private,
					       LEN);
	cr_assert_not_null(same);
	return same;
}

Test(x25519, has_the_public_half_that_libcrypto_computes)
{
	uint8_t public[LEN], want[LEN], last[LEN] = { 0 };

	cr_assert(hs_provider_load());
	for (int i = 0; i < 500; i++) {
		EVP_PKEY *key = make(), *same = same_of_libcrypto(key);

		public_of(key, public);
		public_of(same, want);
		cr_assert_arr_eq(public, want, LEN);
		cr_assert_arr_neq(public, last, LEN);
		memcpy(last, public, LEN);
		EVP_PKEY_free(same);
		EVP_PKEY_free(key);
	}
}

static void derive(const char *properties, EVP_PKEY *key, EVP_PKEY *peer,
		   uint8_t secret[static LEN])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, properties);
	size_t len = LEN;

	cr_assert_eq(EVP_PKEY_derive_init(ctx), 1);
	cr_assert_eq(EVP_PKEY_derive_set_peer(ctx, peer), 1);
	cr_assert_eq(EVP_PKEY_derive(ctx, secret, &len), 1);
	cr_assert_eq(len, LEN);
	EVP_PKEY_CTX_free(ctx);
}

Test(x25519, agrees_with_libcrypto_on_a_secret)
{
	uint8_t one[LEN], other[LEN];
	EVP_PKEY *key, *made, *theirs;

	cr_assert(hs_provider_load());
	key = make();
	made = make();
	theirs = same_of_libcrypto(made);
	derive(HS_PROPERTIES, key, made, one);
	derive(NULL, theirs, key, other);
	cr_expect_arr_eq(one, other, LEN);
	EVP_PKEY_free(theirs);
	EVP_PKEY_free(made);
	EVP_PKEY_free(key);
}

/* For the peer's, of which libssl sets the public half by itself. */
Test(x25519, makes_parameters_without_a_key)
{
	uint8_t public[LEN] = { 9 }, read[LEN];
	EVP_PKEY *key = NULL;
	size_t len = LEN;
	EVP_PKEY_CTX *ctx;

	cr_assert(hs_provider_load());
	ctx = context(HS_PROPERTIES, "ktlsd", EVP_PKEY_paramgen_init);
	cr_expect_leq(EVP_PKEY_CTX_set_group_name(ctx, "x448"), 0);
	cr_expect_eq(EVP_PKEY_CTX_set_group_name(ctx, "x25519"), 1);
	cr_assert_eq(EVP_PKEY_paramgen(ctx, &key), 1);
	cr_expect_neq(EVP_PKEY_get_raw_private_key(key, read, &len), 1);
	cr_expect_eq(EVP_PKEY_set1_encoded_public_key(key, public, LEN), 1);
	public_of(key, read);
	cr_expect_arr_eq(read, public, LEN);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(ctx);
}

Test(x25519, is_libcryptos_for_those_who_do_not_ask)
{
	cr_assert(hs_provider_load());
	EVP_PKEY_CTX_free(context(NULL, "default", EVP_PKEY_keygen_init));
}

static int n_made;

/* libsodium's is called from here, so that we know of it. */
int crypto_scalarmult_ed25519_base(unsigned char *point,
				   const unsigned char *private)
{
	static int (*real)(unsigned char *, const unsigned char *);

	if (!real)
		real = dlsym(RTLD_NEXT, "crypto_scalarmult_ed25519_base");
	n_made++;
	return real(point, private);
}

/* DHKEM's DeriveKeyPair, which libcrypto has since 3.2 */
Test(x25519, leaves_to_libcrypto_what_is_no_ordinary_key)
{
	uint8_t seed[LEN] = { 1 };
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string("dhkem-ikm", seed, LEN),
		OSSL_PARAM_END,
	};
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx;

	cr_assert(hs_provider_load());
	EVP_PKEY_free(make());
	cr_assert_eq(n_made, 1);
	ctx = context(HS_PROPERTIES, "ktlsd", EVP_PKEY_keygen_init);
	EVP_PKEY_CTX_set_params(ctx, params);
	cr_expect_eq(EVP_PKEY_keygen(ctx, &key), 1);
	cr_expect_eq(n_made, 1);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(ctx);
}

Test(x25519, is_the_key_of_handshakes)
{
	static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };
	struct duo d;

	for (size_t i = 0; i < COUNT(versions); i++) {
		duo_init(&d, "P-256");
		client_pair(&d, versions[i], KTLS_AES_128_GCM);
		cr_assert(SSL_CTX_set1_groups_list(d.client_ctx, "X25519:P-256"));
		n_made = 0;
		duo_connect(&d);
		duo_done(&d);
		cr_expect_eq(n_made, 1, "%d", n_made);
		duo_fini(&d);
	}
}
