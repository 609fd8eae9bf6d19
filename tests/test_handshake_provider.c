// SPDX-License-Identifier: MIT
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>

#include "tests/handshake_peer.h"

#include "handshake/internal.h"
#include "handshake/provider.h"

TestSuite(provider, .timeout = 30);

static EVP_MAC *hmac_of(const char *properties, const char *provider)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", properties);

	cr_assert_not_null(mac);
	cr_assert_str_eq(OSSL_PROVIDER_get0_name(EVP_MAC_get0_provider(mac)),
			 provider);
	return mac;
}

Test(provider, serves_those_alone_who_ask_for_it)
{
	cr_assert(hs_provider_load());
	cr_assert(hs_provider_load());
	EVP_MAC_free(hmac_of(HS_PROPERTIES, "ktlsd"));
	EVP_MAC_free(hmac_of(NULL, "default"));
}

Test(provider, leaves_what_it_lacks_to_others)
{
	EVP_MD *md;

	cr_assert(hs_provider_load());
	md = EVP_MD_fetch(NULL, "SHA256", HS_PROPERTIES);
	cr_assert_not_null(md);
	cr_assert_str_eq(OSSL_PROVIDER_get0_name(EVP_MD_get0_provider(md)),
			 "default");
	EVP_MD_free(md);
}

/* As openssl.cnf does it with default_properties = fips=yes */
Test(provider, gives_way_where_others_are_demanded)
{
	cr_assert(EVP_default_properties_enable_fips(NULL, 1));
	cr_assert_not(hs_provider_load());
	cr_assert(EVP_default_properties_enable_fips(NULL, 0));
	cr_assert(hs_provider_load());
}

static OSSL_LIB_CTX *apart;

/* All that the default provider has, under another name */
static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
	return OSSL_PROVIDER_query_operation(provider, operation, no_cache);
}

static void teardown(void *provider)
{
	OSSL_PROVIDER_unload(provider);
	OSSL_LIB_CTX_free(apart);
}

static const OSSL_DISPATCH others_functions[] = {
	{ OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))teardown },
	{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
	{ 0, NULL }
};

static int init_other(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
		      const OSSL_DISPATCH **out, void **provider)
{
	(void)handle;
	(void)in;
	apart = OSSL_LIB_CTX_new();
	*out = others_functions;
	*provider = OSSL_PROVIDER_load(apart, "default");
	return *provider != NULL;
}

/* As openssl.cnf does it that activates a FIPS module alone */
Test(provider, gives_way_where_there_are_others_alone)
{
	OSSL_PROVIDER *other;

	cr_assert(OSSL_PROVIDER_add_builtin(NULL, "other", init_other));
	other = OSSL_PROVIDER_load(NULL, "other");
	cr_assert_not_null(other);
	cr_assert_not(OSSL_PROVIDER_available(NULL, "default"));
	cr_expect_not(hs_provider_load());
	EVP_MAC_free(hmac_of(HS_PROPERTIES, "other"));
	OSSL_PROVIDER_unload(other);
}

static size_t mac_by(const char *properties, const char *provider,
		     const char *digest, uint8_t out[static EVP_MAX_MD_SIZE])
{
	static const uint8_t key[] = "a key", data[] = "some bytes, and others";
	EVP_MAC *mac = hmac_of(properties, provider);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac), *copy;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
						 (char *)digest, 0),
		OSSL_PARAM_END,
	};
	size_t len, len_again;
	uint8_t again[EVP_MAX_MD_SIZE];

	cr_assert(EVP_MAC_init(ctx, key, sizeof(key), params));
	cr_assert(EVP_MAC_update(ctx, data, 7));
	copy = EVP_MAC_CTX_dup(ctx);
	cr_assert(EVP_MAC_update(ctx, data + 7, sizeof(data) - 7));
	cr_assert(EVP_MAC_final(ctx, out, &len, EVP_MAX_MD_SIZE));
	cr_assert_eq(len, EVP_MAC_CTX_get_mac_size(ctx));
	/* With the same key */
	cr_assert(EVP_MAC_init(ctx, NULL, 0, NULL));
	cr_assert(EVP_MAC_update(ctx, data, sizeof(data)));
	cr_assert(EVP_MAC_final(ctx, again, &len_again, sizeof(again)));
	cr_assert_arr_eq(out, again, len);
	cr_assert(EVP_MAC_update(copy, data + 7, sizeof(data) - 7));
	cr_assert(EVP_MAC_final(copy, again, &len_again, sizeof(again)));
	cr_assert_arr_eq(out, again, len);
	EVP_MAC_CTX_free(copy);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return len;
}

Test(provider, macs_as_libcrypto_does)
{
	static const char *const digests[] = { "SHA256", "SHA2-384" };
	uint8_t mac[EVP_MAX_MD_SIZE], want[EVP_MAX_MD_SIZE];

	cr_assert(hs_provider_load());
	for (size_t i = 0; i < COUNT(digests); i++) {
		size_t len = mac_by(HS_PROPERTIES, "ktlsd", digests[i], mac);

		cr_assert_eq(mac_by(NULL, "default", digests[i], want), len);
		cr_assert_arr_eq(mac, want, len);
	}
}

Test(provider, makes_no_mac_without_digest_or_key)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
						 (char *)"SHA256", 0),
		OSSL_PARAM_END,
	};
	EVP_MAC_CTX *ctx;
	EVP_MAC *mac;

	cr_assert(hs_provider_load());
	mac = hmac_of(HS_PROPERTIES, "ktlsd");
	ctx = EVP_MAC_CTX_new(mac);
	cr_expect_not(EVP_MAC_init(ctx, (const uint8_t *)"key", 3, NULL));
	cr_expect_not(EVP_MAC_init(ctx, NULL, 0, params));
	cr_expect(EVP_MAC_init(ctx, (const uint8_t *)"key", 3, params));
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
						     (char *)"SHA512", 0);
	cr_expect_not(EVP_MAC_CTX_set_params(ctx, params));
	cr_expect_not(EVP_MAC_init(ctx, NULL, 0, NULL));
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

static void set_digest(EVP_MAC_CTX *ctx, const char *digest)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
						 (char *)digest, 0),
		OSSL_PARAM_END,
	};

	cr_assert(EVP_MAC_CTX_set_params(ctx, params));
}

Test(provider, makes_no_mac_before_it_is_begun)
{
	uint8_t out[EVP_MAX_MD_SIZE] = { 0 };
	EVP_MAC_CTX *ctx;
	EVP_MAC *mac;
	size_t len;

	cr_assert(hs_provider_load());
	mac = hmac_of(HS_PROPERTIES, "ktlsd");
	ctx = EVP_MAC_CTX_new(mac);
	cr_expect_not(EVP_MAC_update(ctx, out, 1));
	cr_expect_not(EVP_MAC_final(ctx, out, &len, sizeof(out)));
	set_digest(ctx, "SHA384");
	cr_assert(EVP_MAC_init(ctx, (const uint8_t *)"key", 3, NULL));
	/* The MAC of the other digest has no room in what this one needs. */
	set_digest(ctx, "SHA256");
	cr_expect_not(EVP_MAC_update(ctx, out, 1));
	cr_expect_not(EVP_MAC_final(ctx, out, &len, 32));
	for (size_t i = 0; i < sizeof(out); i++)
		cr_expect_eq(out[i], 0);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

/* A FIPS module's key schedule shows nobody anything, but for a key log. */
static void keys_are_had_without_it(uint16_t version, enum ktls_cipher cipher)
{
	struct ktls_keys keys;
	struct duo d;

	duo_init(&d, "P-256");
	client_pair(&d, version, cipher);
	cr_assert(duo_ctx(&d)->watches);
	d.ctx->watches = false;
	duo_connect(&d);
	duo_done(&d);
	cr_assert_eq(hs_keys(d.hs, &keys), 0);
	duo_try_keys(&d, &keys);
	duo_fini(&d);
}

Test(provider, is_not_needed_for_the_keys)
{
	for (int c = 0; c < KTLS_CIPHERS; c++) {
		keys_are_had_without_it(KTLS_TLS12, c);
		keys_are_had_without_it(KTLS_TLS13, c);
	}
}
