// SPDX-License-Identifier: MIT
/*
 * The traffic keys: in TLS 1.3 from the secrets that the key schedule, or else
 * the key log, shows; in TLS 1.2 from the master secret.
 */
#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "handshake/internal.h"

#define HEX_RANDOM (2 * SSL3_RANDOM_SIZE)

static void secret_wipe(struct hs_secret *s)
{
	OPENSSL_cleanse(s, sizeof(*s));
}

void hs_keys_wipe(struct ktls_keys *keys)
{
	OPENSSL_cleanse(keys, sizeof(*keys));
}

void hs_forget_secrets(struct hs *hs)
{
	OPENSSL_cleanse(&hs->shown, sizeof(hs->shown));
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static void take_secret(struct hs_secret *s, const char *hex)
{
	size_t len = strlen(hex);
	int hi;
	int lo;

	secret_wipe(s);
	if (len % 2 || len / 2 > sizeof(s->data))
		return;
	for (size_t i = 0; i < len / 2; i++) {
		hi = nibble(hex[2 * i]);
		lo = nibble(hex[2 * i + 1]);
		if (hi < 0 || lo < 0) {
			secret_wipe(s);
			return;
		}
		s->data[i] = hi << 4 | lo;
	}
	s->len = len / 2;
}

/*
 * "LABEL client_random secret", the latter two in hexadecimal
 * Returns whether it was one of the two that are wanted.
 */
static bool take_line(struct hs *hs, const char *line)
{
	static const char client[] = "CLIENT_TRAFFIC_SECRET_0 ";
	static const char server[] = "SERVER_TRAFFIC_SECRET_0 ";
	size_t skip = sizeof(client) - 1 + HEX_RANDOM + 1;

	if (strlen(line) <= skip)
		return false;
	if (!strncmp(line, client, sizeof(client) - 1))
		take_secret(&hs->shown.client, line + skip);
	else if (!strncmp(line, server, sizeof(server) - 1))
		take_secret(&hs->shown.server, line + skip);
	else
		return false;
	return true;
}

static void keylog(const SSL *ssl, const char *line)
{
	if (take_line(hs_of(ssl), line))
		SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), NULL);
}

static void keylog_all(const SSL *ssl, const char *line)
{
	struct hs *hs = hs_of(ssl);

	take_line(hs, line);
	hs->ctx->keylog(line);
}

void hs_keylog_all(struct hs_ctx *ctx)
{
	SSL_CTX_set_keylog_callback(ctx->ssl, keylog_all);
}

void hs_keylog_next(struct hs_ctx *ctx)
{
	if (!ctx->keylog && !ctx->watches)
		SSL_CTX_set_keylog_callback(ctx->ssl, keylog);
}

static int hmac_new(EVP_MAC *mac, const char *digest, EVP_MAC_CTX **ctx)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
						 (char *)digest, 0),
		OSSL_PARAM_END,
	};

	*ctx = EVP_MAC_CTX_new(mac);
	if (!*ctx || !EVP_MAC_CTX_set_params(*ctx, params))
		return -EIO;
	return 0;
}

int hs_secrets_init(struct hs_ctx *ctx)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	int ret = -EIO;

	ctx->derive = ktls_derive_new();
	if (mac && ctx->derive && !hmac_new(mac, "SHA256", &ctx->hmac[0]) &&
	    !hmac_new(mac, "SHA384", &ctx->hmac[1]))
		ret = 0;
	EVP_MAC_free(mac);
	return ret;
}

void hs_secrets_fini(struct hs_ctx *ctx)
{
	EVP_MAC_CTX_free(ctx->hmac[0]);
	EVP_MAC_CTX_free(ctx->hmac[1]);
	ktls_derive_free(ctx->derive);
}

/* @out gets HMAC(secret, a ‖ b). Returns its length, 0 on failure. */
static size_t hmac(EVP_MAC_CTX *c, const struct hs_secret *secret,
		   const uint8_t *a, size_t a_len, const uint8_t *b,
		   size_t b_len, uint8_t out[static EVP_MAX_MD_SIZE])
{
	size_t len;

	if (!EVP_MAC_init(c, secret->data, secret->len, NULL) ||
	    !EVP_MAC_update(c, a, a_len) || !EVP_MAC_update(c, b, b_len) ||
	    !EVP_MAC_final(c, out, &len, EVP_MAX_MD_SIZE))
		return 0;
	return len;
}

/*
 * P_hash (RFC 5246 5). By hand on two HMAC objects, because EVP_KDF looks up
 * its digest by name each time.
 */
static int p_hash(EVP_MAC_CTX *c, const struct hs_secret *secret,
		  const uint8_t *seed, size_t seed_len, uint8_t *out,
		  size_t out_len)
{
	static const struct hs_secret nothing = { .len = KTLS_SECRET_MAX };
	uint8_t a[EVP_MAX_MD_SIZE];
	uint8_t block[EVP_MAX_MD_SIZE];
	size_t n = hmac(c, secret, seed, seed_len, NULL, 0, a);
	size_t part;

	while (n && out_len) {
		n = hmac(c, secret, a, n, seed, seed_len, block);
		part = n < out_len ? n : out_len;
		memcpy(out, block, part);
		out += part;
		out_len -= part;
		if (n)
			n = hmac(c, secret, a, n, NULL, 0, a);
	}
	/* The object outlives this connection: let it forget the secret. */
	EVP_MAC_init(c, nothing.data, nothing.len, NULL);
	OPENSSL_cleanse(a, sizeof(a));
	OPENSSL_cleanse(block, sizeof(block));
	return out_len ? -EIO : 0;
}

/*
 * PRF(master, "key expansion", server_random ‖ client_random), RFC 5246 6.3,
 * where it was not shown to us
 */
static int key_block(struct hs *hs, enum ktls_cipher cipher, size_t len)
{
	struct hs_key_block *block = &hs->shown.block;

	struct hs_secret master __attribute__((cleanup(secret_wipe))) = { 0 };
	uint8_t seed[13 + 2 * SSL3_RANDOM_SIZE] = "key expansion";
	EVP_MAC_CTX *c = hs->ctx->hmac[cipher == KTLS_AES_256_GCM];

	if (block->len)
		return block->len == len ? 0 : -EIO;
	master.len = SSL_SESSION_get_master_key(SSL_get_session(hs->ssl),
						master.data,
						sizeof(master.data));
	SSL_get_server_random(hs->ssl, seed + 13, SSL3_RANDOM_SIZE);
	SSL_get_client_random(hs->ssl, seed + 13 + SSL3_RANDOM_SIZE,
			      SSL3_RANDOM_SIZE);
	if (!master.len)
		return -EIO;
	return p_hash(c, &master, seed, sizeof(seed), block->data, len);
}

static int derive_tls12(struct hs *hs, struct ktls_keys *keys)
{
	size_t key = keys->cipher == KTLS_AES_128_GCM ? 16 : 32;
	size_t iv = keys->cipher == KTLS_CHACHA20_POLY1305 ? 12 : 4;
	const uint8_t *p = hs->shown.block.data;

	if (key_block(hs, keys->cipher, 2 * (key + iv)))
		return -EIO;
	memcpy(keys->rx.key, p, key);
	memcpy(keys->tx.key, p + key, key);
	memcpy(keys->rx.iv, p + 2 * key, iv);
	memcpy(keys->tx.iv, p + 2 * key + iv, iv);
	keys->rx.seq = hs->rx.records;
	keys->tx.seq = hs->tx.records;
	return 0;
}

static int derive_dir(struct hs *hs, enum ktls_cipher cipher,
		      const struct hs_secret *secret, uint64_t seq,
		      struct ktls_dir *dir)
{
	if (secret->key_len && secret->iv_len)
		*dir = secret->keys;
	else if (ktls_derive_keys(hs->ctx->derive, cipher, secret->data,
				  secret->len, dir))
		return -EIO;
	dir->seq = seq;
	return 0;
}

static int derive_tls13(struct hs *hs, struct ktls_keys *keys)
{
	if (derive_dir(hs, keys->cipher, &hs->shown.server,
		       hs->tx.records - hs->tx_base, &keys->tx))
		return -EIO;
	/* An alert before the peer's Finished needs ours alone. */
	if (hs->step != HS_DONE)
		return 0;
	return derive_dir(hs, keys->cipher, &hs->shown.client,
			  hs->rx.records - hs->rx_base, &keys->rx);
}

static int cipher_of(const SSL *ssl, enum ktls_cipher *cipher)
{
	const SSL_CIPHER *c = SSL_get_current_cipher(ssl);

	switch (c ? SSL_CIPHER_get_cipher_nid(c) : NID_undef) {
	case NID_aes_128_gcm:
		*cipher = KTLS_AES_128_GCM;
		return 0;
	case NID_aes_256_gcm:
		*cipher = KTLS_AES_256_GCM;
		return 0;
	case NID_chacha20_poly1305:
		*cipher = KTLS_CHACHA20_POLY1305;
		return 0;
	default:
		return -EIO;
	}
}

int hs_derive(struct hs *hs, struct ktls_keys *keys)
{
	int ret;

	hs_keys_wipe(keys);
	ERR_clear_error();
	keys->version = SSL_version(hs->ssl);
	ret = cipher_of(hs->ssl, &keys->cipher);
	if (!ret)
		ret = keys->version == KTLS_TLS13 ? derive_tls13(hs, keys) :
						    derive_tls12(hs, keys);
	if (ret)
		hs_keys_wipe(keys);
	return ret;
}

int hs_secrets(const struct hs *hs, struct ocsp_bytes *rx,
	       struct ocsp_bytes *tx)
{
	if (hs->step != HS_DONE || hs->keys_taken || hs->relayed)
		return -EIO;
	if (SSL_version(hs->ssl) != KTLS_TLS13)
		return -ENOTSUP;
	if (!hs->shown.client.len || hs->shown.client.len != hs->shown.server.len)
		return -EIO;
	*rx = (struct ocsp_bytes){ hs->shown.client.data, hs->shown.client.len };
	*tx = (struct ocsp_bytes){ hs->shown.server.data, hs->shown.server.len };
	return 0;
}

int hs_keys(struct hs *hs, struct ktls_keys *keys)
{
	int ret;

	hs_keys_wipe(keys);
	if (hs->step != HS_DONE || hs->keys_taken || hs->relayed)
		return -EIO;
	ret = hs_derive(hs, keys);
	if (!ret)
		keys->max_payload = hs_max_fragment(hs->ssl);
	hs->keys_taken = true;
	hs_forget_secrets(hs);
	return ret;
}
