// SPDX-License-Identifier: MIT
/* The key schedules give what those of libcrypto's default provider do. */
#include <criterion/criterion.h>

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include "handshake/kdf.h"

TestSuite(kdf, .timeout = 10);

#define OUT_MAX 700

static const char *const digests[] = { "SHA2-256", "SHA2-384" };
static const size_t digest_lens[] = { 32, 48 };

static uint8_t secret[48], data[48];

static void init(void)
{
	for (size_t i = 0; i < sizeof(secret); i++) {
		secret[i] = 7 * i + 3;
		data[i] = 11 * i + 5;
	}
}

static OSSL_PARAM string(const char *key, const char *value)
{
	return OSSL_PARAM_construct_utf8_string(key, (char *)value, 0);
}

static OSSL_PARAM bytes(const char *key, const void *value, size_t len)
{
	return OSSL_PARAM_construct_octet_string(key, (void *)value, len);
}

static void derive_by_libcrypto(const char *name, uint8_t *out, size_t len,
				const OSSL_PARAM *params)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, "provider=default");
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);

	cr_assert_eq(EVP_KDF_derive(ctx, out, len, params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static void expect_tls13(const OSSL_PARAM *params, size_t len)
{
	uint8_t out[OUT_MAX], want[OUT_MAX];

	derive_by_libcrypto(OSSL_KDF_NAME_TLS1_3_KDF, want, len, params);
	cr_assert_eq(hs_kdf_tls13(out, len, params), 1);
	cr_assert_arr_eq(out, want, len);
}

/* As libssl's tls13_hkdf_expand() */
static void expect_expanded(int digest, const char *label, bool with_data,
			    size_t len)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		string(OSSL_KDF_PARAM_DIGEST, digests[digest]),
		bytes(OSSL_KDF_PARAM_KEY, secret, digest_lens[digest]),
		bytes(OSSL_KDF_PARAM_PREFIX, "tls13 ", 6),
		bytes(OSSL_KDF_PARAM_LABEL, label, strlen(label)),
		with_data ? bytes(OSSL_KDF_PARAM_DATA, data,
				  digest_lens[digest]) :
			    OSSL_PARAM_construct_end(),
		OSSL_PARAM_construct_end(),
	};

	expect_tls13(params, len);
}

/* As its tls13_generate_secret(); no @salt at the first, no key at the last */
static void expect_extracted(int digest, bool salt, bool key)
{
	int mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
	OSSL_PARAM params[8];
	int n = 0;

	params[n++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	params[n++] = string(OSSL_KDF_PARAM_DIGEST, digests[digest]);
	if (key)
		params[n++] = bytes(OSSL_KDF_PARAM_KEY, data, 32);
	if (salt)
		params[n++] = bytes(OSSL_KDF_PARAM_SALT, secret,
				    digest_lens[digest]);
	params[n++] = bytes(OSSL_KDF_PARAM_PREFIX, "tls13 ", 6);
	params[n++] = bytes(OSSL_KDF_PARAM_LABEL, "derived", 7);
	params[n] = OSSL_PARAM_construct_end();
	expect_tls13(params, digest_lens[digest]);
}

Test(kdf, expands_labels_as_libcrypto_does, .init = init)
{
	static const size_t lens[] = { 12, 16, 32, 48, 49, 96, 97, 700 };

	for (int d = 0; d < 2; d++)
		for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
			expect_expanded(d, "key", false, lens[i]);
			expect_expanded(d, "c ap traffic", true, lens[i]);
			expect_expanded(d, "EXPORTER-Channel-Binding", true,
					lens[i]);
		}
}

Test(kdf, extracts_secrets_as_libcrypto_does, .init = init)
{
	for (int d = 0; d < 2; d++) {
		expect_extracted(d, false, false);
		expect_extracted(d, false, true);
		expect_extracted(d, true, false);
		expect_extracted(d, true, true);
	}
}

/* As its tls1_PRF(), with seeds that are not there */
static void expect_prf(int digest, size_t len)
{
	OSSL_PARAM params[] = {
		string(OSSL_KDF_PARAM_DIGEST, digests[digest]),
		bytes(OSSL_KDF_PARAM_SECRET, secret, sizeof(secret)),
		bytes(OSSL_KDF_PARAM_SEED, "key expansion", 13),
		bytes(OSSL_KDF_PARAM_SEED, data, 32),
		bytes(OSSL_KDF_PARAM_SEED, NULL, 0),
		bytes(OSSL_KDF_PARAM_SEED, data + 16, 32),
		bytes(OSSL_KDF_PARAM_SEED, NULL, 0),
		OSSL_PARAM_construct_end(),
	};
	uint8_t out[OUT_MAX], want[OUT_MAX];

	derive_by_libcrypto(OSSL_KDF_NAME_TLS1_PRF, want, len, params);
	cr_assert_eq(hs_kdf_prf(out, len, params), 1);
	cr_assert_arr_eq(out, want, len);
}

Test(kdf, is_the_pseudorandom_function_of_tls12, .init = init)
{
	static const size_t lens[] = { 12, 32, 40, 48, 72, 88, 700 };

	for (int d = 0; d < 2; d++)
		for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++)
			expect_prf(d, lens[i]);
}

static OSSL_PARAM usual[8];

/* What is derived by them is a secret of a client's traffic. */
static void set_usual(const char *digest, int *mode)
{
	usual[0] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, mode);
	usual[1] = string(OSSL_KDF_PARAM_DIGEST, digest);
	usual[2] = bytes(OSSL_KDF_PARAM_KEY, secret, 32);
	usual[3] = bytes(OSSL_KDF_PARAM_PREFIX, "tls13 ", 6);
	usual[4] = bytes(OSSL_KDF_PARAM_LABEL, "c ap traffic", 12);
	usual[5] = bytes(OSSL_KDF_PARAM_DATA, data, 32);
	usual[6] = OSSL_PARAM_construct_end();
}

Test(kdf, refuses_what_it_does_not_know, .init = init)
{
	int expand = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	int both = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
	static const uint8_t longest[256];
	uint8_t out[32];

	set_usual("SHA2-256", &expand);
	cr_expect_eq(hs_kdf_tls13(out, sizeof(out), usual), 1);
	cr_expect_eq(hs_kdf_tls13(out, sizeof(out), NULL), 0);
	set_usual("SHA2-256", &both);
	cr_expect_eq(hs_kdf_tls13(out, sizeof(out), usual), 0);
	set_usual("SHA2-512", &expand);
	cr_expect_eq(hs_kdf_tls13(out, sizeof(out), usual), 0);
	set_usual("SHA2-256", &expand);
	usual[4] = bytes(OSSL_KDF_PARAM_LABEL, longest, 250);
	cr_expect_eq(hs_kdf_tls13(out, sizeof(out), usual), 0);
	set_usual("SHA2-256", &expand);
	usual[5] = bytes(OSSL_KDF_PARAM_DATA, longest, 256);
	cr_expect_eq(hs_kdf_tls13(out, sizeof(out), usual), 0);
	set_usual("SHA2-256", &expand);
	usual[2] = OSSL_PARAM_construct_end();
	cr_expect_eq(hs_kdf_tls13(out, sizeof(out), usual), 0);
	/* Those of another function: there is no secret. */
	cr_expect_eq(hs_kdf_prf(out, sizeof(out), usual), 0);
}

Test(kdf, keeps_the_traffic_secrets_of_whom_it_watches, .init = init)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	struct hs_shown shown = { .block.len = 0 };
	uint8_t out[32];

	set_usual("SHA2-256", &mode);
	hs_kdf_tls13(out, sizeof(out), usual);
	cr_expect_eq(shown.client.len, 0);
	hs_kdf_watch(&shown);
	hs_kdf_tls13(out, sizeof(out), usual);
	cr_expect_eq(shown.client.len, 32);
	cr_expect_arr_eq(shown.client.data, out, 32);
	cr_expect_eq(shown.server.len, 0);
	usual[4] = bytes(OSSL_KDF_PARAM_LABEL, "s ap traffic", 12);
	hs_kdf_tls13(out, sizeof(out), usual);
	cr_expect_eq(shown.server.len, 32);
	cr_expect_arr_eq(shown.server.data, out, 32);
	usual[4] = bytes(OSSL_KDF_PARAM_LABEL, "s hs traffic", 12);
	hs_kdf_tls13(out, sizeof(out), usual);
	cr_expect_arr_neq(shown.server.data, out, 32);
	hs_kdf_watch(NULL);
	usual[4] = bytes(OSSL_KDF_PARAM_LABEL, "s ap traffic", 12);
	usual[5] = bytes(OSSL_KDF_PARAM_DATA, secret, 32);
	hs_kdf_tls13(out, sizeof(out), usual);
	cr_expect_arr_neq(shown.server.data, out, 32);
}

/* Secrets that differ in one bit, or only in what they are the secret of */
Test(kdf, takes_no_secret_for_another_while_it_watches, .init = init)
{
	static const uint8_t order[] = { 0, 0, 1, 0, 1, 2, 1, 2, 0, 0, 2 };
	struct hs_shown shown = { .block.len = 0 };

	for (int round = 0; round < 2; round++) {
		hs_kdf_watch(&shown);
		for (size_t i = 0; i < sizeof(order); i++)
			for (int d = 0; d < 2; d++) {
				secret[31] = order[i];
				expect_expanded(d, "key", false, 16);
				expect_expanded(d, "finished", false,
						digest_lens[d]);
				expect_prf(d, 40);
				expect_prf(d, 12);
				expect_extracted(d, true, true);
			}
		hs_kdf_watch(NULL);
	}
}

static void derive(const char *label, const uint8_t *from, uint8_t *out,
		   size_t len)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;

	set_usual("SHA2-256", &mode);
	usual[2] = bytes(OSSL_KDF_PARAM_KEY, from, 32);
	usual[4] = bytes(OSSL_KDF_PARAM_LABEL, label, strlen(label));
	cr_assert_eq(hs_kdf_tls13(out, len, usual), 1);
}

/* libssl derives those of the handshake in between. */
Test(kdf, keeps_the_keys_that_are_made_of_them, .init = init)
{
	struct hs_shown shown = { .block.len = 0 };
	uint8_t client[32], server[32], other[32], key[32], iv[12];

	hs_kdf_watch(&shown);
	derive("s ap traffic", secret, server, 32);
	derive("key", server, key, 16);
	cr_expect_eq(shown.server.key_len, 16);
	cr_expect_arr_eq(shown.server.keys.key, key, 16);
	derive("c hs traffic", secret, other, 32);
	derive("key", other, key, 16);
	derive("iv", server, iv, 12);
	cr_expect_arr_neq(shown.server.keys.key, key, 16);
	cr_expect_arr_eq(shown.server.keys.iv, iv, 12);
	derive("c ap traffic", secret, client, 32);
	cr_expect_eq(shown.client.key_len | shown.client.iv_len, 0);
	derive("key", client, key, 32);
	derive("iv", client, iv, 12);
	cr_expect_arr_eq(shown.client.keys.key, key, 32);
	cr_expect_arr_eq(shown.client.keys.iv, iv, 12);
	hs_kdf_watch(NULL);
}

static void derive_block(const char *label, uint8_t *out, size_t len)
{
	OSSL_PARAM params[] = {
		string(OSSL_KDF_PARAM_DIGEST, "SHA2-256"),
		bytes(OSSL_KDF_PARAM_SECRET, secret, sizeof(secret)),
		bytes(OSSL_KDF_PARAM_SEED, label, strlen(label)),
		bytes(OSSL_KDF_PARAM_SEED, data, 32),
		OSSL_PARAM_construct_end(),
	};

	cr_assert_eq(hs_kdf_prf(out, len, params), 1);
}

Test(kdf, keeps_the_key_block_of_tls12, .init = init)
{
	struct hs_shown shown = { .block.len = 0 };
	uint8_t out[88];

	hs_kdf_watch(&shown);
	derive_block("master secret", out, 48);
	cr_expect_eq(shown.block.len, 0);
	derive_block("key expansion", out, 40);
	cr_expect_eq(shown.block.len, 40);
	cr_expect_arr_eq(shown.block.data, out, 40);
	hs_kdf_watch(NULL);
	derive_block("key expansion", out, 88);
	cr_expect_eq(shown.block.len, 40);
}
