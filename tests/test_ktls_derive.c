// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "ktls/derive.h"

TestSuite(derive, .timeout = 10);

static void unhex(const char *hex, uint8_t *out)
{
	unsigned int byte;

	for (; *hex && sscanf(hex, "%2x", &byte) == 1; hex += 2)
		*out++ = byte;
}

static const struct {
	const char *what;
	enum ktls_cipher cipher;
	const char *secret, *key, *iv;
} vectors[] = {
	/* RFC 8448 3, "Simple 1-RTT Handshake" */
	{ "server_application_traffic_secret_0", KTLS_AES_128_GCM,
	  "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
	  "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984" },
	{ "client_application_traffic_secret_0", KTLS_AES_128_GCM,
	  "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
	  "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9" },
	/* RFC 8446 7.1 and 7.3, computed by another implementation of HMAC */
	{ "SHA-384", KTLS_AES_256_GCM,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	  "202122232425262728292a2b2c2d2e2f",
	  "6877d022f1c61d24ebb7487c16752d9a4798e40431c75b39320e537c90e23225",
	  "42822531a0fe88648fc09e9f" },
	{ "ChaCha20", KTLS_CHACHA20_POLY1305,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "2ffbc449e87844051c7768f61ffd8ad070830f01ec2c520ef65f08e8296dffa0",
	  "2f41c846a431a163814bcd71" },
};

Test(derive, gives_the_keys_of_the_rfc_in_any_order)
{
	struct ktls_derive *d = ktls_derive_new();

	cr_assert(d);
	/* Twice: a context that kept a secret would show in the second. */
	for (size_t i = 0; i < 2 * sizeof(vectors) / sizeof(*vectors); i++) {
		const size_t v = i % (sizeof(vectors) / sizeof(*vectors));
		uint8_t secret[KTLS_SECRET_MAX], key[32] = { 0 }, iv[12];
		struct ktls_dir dir = { .seq = 7 };

		unhex(vectors[v].secret, secret);
		unhex(vectors[v].key, key);
		unhex(vectors[v].iv, iv);
		cr_assert_eq(ktls_derive_keys(d, vectors[v].cipher, secret,
					      strlen(vectors[v].secret) / 2,
					      &dir),
			     0);
		cr_expect_arr_eq(dir.key, key, sizeof(key), "%s",
				 vectors[v].what);
		cr_expect_arr_eq(dir.iv, iv, sizeof(iv), "%s", vectors[v].what);
		cr_expect_eq(dir.seq, 0);
	}
	ktls_derive_free(d);
}

Test(derive, refuses_a_secret_of_another_length_and_leaves_no_key)
{
	static const uint8_t secret[KTLS_SECRET_MAX + 1];
	static const struct ktls_dir none;
	static const struct {
		enum ktls_cipher cipher;
		size_t len;
	} wrong[] = {
		{ KTLS_AES_128_GCM, 48 },	{ KTLS_AES_128_GCM, 31 },
		{ KTLS_AES_256_GCM, 32 },	{ KTLS_AES_256_GCM, 49 },
		{ KTLS_CHACHA20_POLY1305, 48 }, { KTLS_CHACHA20_POLY1305, 0 },
	};
	struct ktls_derive *d = ktls_derive_new();

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct ktls_dir dir;

		memset(&dir, 0x55, sizeof(dir));
		cr_expect_eq(ktls_derive_keys(d, wrong[i].cipher, secret,
					      wrong[i].len, &dir),
			     -EINVAL);
		cr_expect_arr_eq(&dir, &none, sizeof(dir));
	}
	ktls_derive_free(d);
}

Test(derive, takes_null_to_free)
{
	ktls_derive_free(NULL);
}

/* The same by OpenSSL's own HKDF: HkdfLabel written out by hand. */
static void expand(const char *digest, const uint8_t *secret, size_t len,
		   uint8_t *out)
{
	uint8_t label[] = "\0\0\x11tls13 traffic upd";
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int("mode", &mode),
		OSSL_PARAM_construct_utf8_string("digest", (char *)digest, 0),
		OSSL_PARAM_construct_octet_string("key", (void *)secret, len),
		OSSL_PARAM_construct_octet_string("info", label, sizeof(label)),
		OSSL_PARAM_construct_end(),
	};

	label[1] = len;
	cr_assert(EVP_KDF_derive(ctx, out, len, params) > 0);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

Test(derive, goes_on_from_secret_to_secret)
{
	static const char *const digests[] = { "SHA256", "SHA384" };
	struct ktls_derive *d = ktls_derive_new();
	uint8_t secret[48] = "a secret", next[48], want[48];

	for (int i = 0; i < 2; i++) {
		const size_t len = 32 + 16 * i;

		cr_assert_eq(ktls_derive_next(d, secret, len, next), 0);
		expand(digests[i], secret, len, want);
		cr_expect_arr_eq(next, want, len);
	}
	cr_expect_eq(ktls_derive_next(d, secret, 20, next), -EINVAL);
	ktls_derive_free(d);
}
