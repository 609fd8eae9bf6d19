// SPDX-License-Identifier: MIT
#include "derive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

enum { SHA256, SHA384, DIGESTS };

static const char *const digest_name[DIGESTS] = {"SHA2-256", "SHA2-384"};
static const size_t digest_len[DIGESTS] = {32, 48};

struct ktls_derive {
	EVP_MAC_CTX *hmac[DIGESTS];
};

static EVP_MAC_CTX *hmac_new(EVP_MAC *mac, int digest)
{
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
			OSSL_MAC_PARAM_DIGEST, (char *)digest_name[digest], 0),
		OSSL_PARAM_construct_end(),
	};

	if (ctx && EVP_MAC_CTX_set_params(ctx, params))
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

struct ktls_derive *ktls_derive_new(void)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	struct ktls_derive *d = calloc(1, sizeof(*d));

	if (!mac || !d)
		goto fail;
	for (int i = 0; i < DIGESTS; i++)
		if (!(d->hmac[i] = hmac_new(mac, i)))
			goto fail;
	/* Each context keeps a reference of its own. */
	EVP_MAC_free(mac);
	return d;
fail:
	EVP_MAC_free(mac);
	ktls_derive_free(d);
	return NULL;
}

void ktls_derive_free(struct ktls_derive *d)
{
	if (!d)
		return;
	for (int i = 0; i < DIGESTS; i++)
		EVP_MAC_CTX_free(d->hmac[i]);
	free(d);
}

/*
 * HKDF-Expand-Label(secret, label, "", out_len) with the secret already set as
 * the HMAC's key (RFC 8446 7.1). What is asked for here is never longer than
 * the digest, so HKDF-Expand (RFC 5869 2.3) is its first block alone.
 */
static int expand_label(EVP_MAC_CTX *hmac, const char *label, uint8_t *out,
			size_t out_len)
{
	const size_t label_len = strlen(label);
	uint8_t info[32] = {0, out_len, 6 + label_len};
	uint8_t block[KTLS_SECRET_MAX];
	size_t n = 3, block_len;
	int ok;

	memcpy(info + n, "tls13 ", 6);
	memcpy(info + n + 6, label, label_len);
	n += 6 + label_len;
	info[n++] = 0; /* no context */
	info[n++] = 1; /* the block's number */

	ok = EVP_MAC_update(hmac, info, n) &&
	     EVP_MAC_final(hmac, block, &block_len, sizeof(block)) &&
	     block_len >= out_len;
	if (ok)
		memcpy(out, block, out_len);
	OPENSSL_cleanse(block, sizeof(block));
	return ok;
}

/*
 * The context outlives the connection; its secret must not. Without a key
 * EVP_MAC_init() starts again with the one it has, so this is how it forgets.
 */
static int forget(EVP_MAC_CTX *hmac, size_t secret_len)
{
	static const uint8_t no_key[KTLS_SECRET_MAX];

	return EVP_MAC_init(hmac, no_key, secret_len, NULL);
}

int ktls_derive_keys(struct ktls_derive *d, enum ktls_cipher cipher,
		     const unsigned char *secret, size_t secret_len,
		     struct ktls_dir *dir)
{
	const int digest = cipher == KTLS_AES_256_GCM ? SHA384 : SHA256;
	const size_t key_len = cipher == KTLS_AES_128_GCM ? 16 : 32;
	EVP_MAC_CTX *hmac = d->hmac[digest];
	int ok;

	OPENSSL_cleanse(dir, sizeof(*dir));
	if (secret_len != digest_len[digest])
		return -EINVAL;

	ok = EVP_MAC_init(hmac, secret, secret_len, NULL) &&
	     expand_label(hmac, "key", dir->key, key_len) &&
	     EVP_MAC_init(hmac, NULL, 0, NULL) &&
	     expand_label(hmac, "iv", dir->iv, sizeof(dir->iv));
	ok &= forget(hmac, secret_len);
	if (ok)
		return 0;
	OPENSSL_cleanse(dir, sizeof(*dir));
	return -EIO;
}

int ktls_derive_next(struct ktls_derive *d, const unsigned char *secret,
		     size_t secret_len, unsigned char *next)
{
	const int digest = secret_len == digest_len[SHA384] ? SHA384 : SHA256;
	EVP_MAC_CTX *hmac = d->hmac[digest];
	int ok;

	if (secret_len != digest_len[digest])
		return -EINVAL;
	ok = EVP_MAC_init(hmac, secret, secret_len, NULL) &&
	     expand_label(hmac, "traffic upd", next, secret_len);
	ok &= forget(hmac, secret_len);
	if (ok)
		return 0;
	OPENSSL_cleanse(next, secret_len);
	return -EIO;
}
