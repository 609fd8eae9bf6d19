// SPDX-License-Identifier: MIT
/*
 * The key schedules: some 25 derivations in a handshake of TLS 1.3, each of one
 * or two HMACs.
 */
#include "handshake/kdf.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>

#include "ocsp/ocsp.h"

#define LABEL_MAX (2 + 1 + UINT8_MAX + 1 + UINT8_MAX)

struct told {
	enum hs_digest digest;
	int mode;
	struct ocsp_bytes key, salt, prefix, label, data;
};

/* A secret that something was derived of, with the HMAC that it begins. */
struct begun {
	uint8_t secret[HS_HMAC_MAX];
	size_t len;
	struct hs_hmac hmac;
};

static _Thread_local struct hs_shown *shown;

/*
 * The last two: of a traffic secret there are two or three derivations in a row,
 * and between them those of the secret that it was derived of.
 */
static _Thread_local struct begun begun[2];
static _Thread_local unsigned int newest;

void hs_kdf_watch(struct hs_shown *where)
{
	shown = where;
	if (!where)
		explicit_bzero(begun, sizeof(begun));
}

static bool is_of(const struct begun *b, enum hs_digest digest,
		  struct ocsp_bytes secret)
{
	return b->len == secret.len && b->hmac.digest == digest &&
	       !CRYPTO_memcmp(b->secret, secret.data, secret.len);
}

/* Begins one with @secret; it is @own or, while somebody watches, kept here. */
static struct hs_hmac *begin(struct hs_hmac *own, enum hs_digest digest,
			     struct ocsp_bytes secret)
{
	struct begun *b;

	if (!shown || !secret.len || secret.len > sizeof(b->secret)) {
		hs_hmac_init(own, digest, secret.data, secret.len);
		return own;
	}
	for (unsigned int i = 0; i < 2; i++) {
		b = &begun[newest ^ i];
		if (!is_of(b, digest, secret))
			continue;
		newest ^= i;
		hs_hmac_again(&b->hmac);
		return &b->hmac;
	}
	newest ^= 1;
	b = &begun[newest];
	memcpy(b->secret, secret.data, secret.len);
	b->len = secret.len;
	hs_hmac_init(&b->hmac, digest, secret.data, secret.len);
	return &b->hmac;
}

static struct ocsp_bytes bytes_of(const OSSL_PARAM *p)
{
	if (p->data_type != OSSL_PARAM_OCTET_STRING || !p->data)
		return (struct ocsp_bytes){ 0 };
	return (struct ocsp_bytes){ p->data, p->data_size };
}

/* By its first letter most others are told apart without a call. */
static inline bool is_called(const OSSL_PARAM *p, const char *key)
{
	return *p->key == *key && !strcmp(p->key, key);
}

static bool digest_of(const OSSL_PARAM *p, enum hs_digest *digest)
{
	return p->data_type == OSSL_PARAM_UTF8_STRING &&
	       hs_digest_find(p->data, digest);
}

/* One pass, as there are few of them and each call brings them all. */
static bool read_told(const OSSL_PARAM *p, struct told *t)
{
	bool digest = false;

	for (; p->key; p++) {
		if (is_called(p, OSSL_KDF_PARAM_DIGEST))
			digest = digest_of(p, &t->digest);
		else if (is_called(p, OSSL_KDF_PARAM_MODE) &&
			 !OSSL_PARAM_get_int(p, &t->mode))
			return false;
		else if (is_called(p, OSSL_KDF_PARAM_KEY))
			t->key = bytes_of(p);
		else if (is_called(p, OSSL_KDF_PARAM_SALT))
			t->salt = bytes_of(p);
		else if (is_called(p, OSSL_KDF_PARAM_PREFIX))
			t->prefix = bytes_of(p);
		else if (is_called(p, OSSL_KDF_PARAM_LABEL))
			t->label = bytes_of(p);
		else if (is_called(p, OSSL_KDF_PARAM_DATA))
			t->data = bytes_of(p);
	}
	return digest && t->prefix.len + t->label.len <= UINT8_MAX &&
	       t->data.len <= UINT8_MAX;
}

static uint8_t *put(uint8_t *at, struct ocsp_bytes b)
{
	if (b.len)
		memcpy(at, b.data, b.len);
	return at + b.len;
}

/* HKDF-Expand (RFC 5869 2.3); nearly always of one digest's length */
static bool expand(struct hs_hmac *h, const uint8_t *info, size_t info_len,
		   uint8_t *out, size_t len)
{
	size_t block_len = hs_digest_len(h->digest);
	uint8_t block[HS_HMAC_MAX];
	uint8_t number = 0;

	if (len > UINT8_MAX * block_len)
		return false;
	while (len) {
		size_t n = len < block_len ? len : block_len;

		if (number) {
			hs_hmac_again(h);
			hs_hmac_add(h, block, block_len);
		}
		number++;
		hs_hmac_add(h, info, info_len);
		hs_hmac_add(h, &number, 1);
		hs_hmac_end(h, block);
		memcpy(out, block, n);
		out += n;
		len -= n;
	}
	OPENSSL_cleanse(block, sizeof(block));
	return true;
}

/* HKDF-Expand-Label (RFC 8446 7.1) */
static bool expand_label(const struct told *t, struct ocsp_bytes secret,
			 struct ocsp_bytes context, uint8_t *out, size_t len)
{
	uint8_t info[LABEL_MAX] = { len >> 8, len,
				    t->prefix.len + t->label.len };
	struct hs_hmac own __attribute__((cleanup(hs_hmac_wipe)));
	uint8_t *at = put(put(info + 3, t->prefix), t->label);

	*at++ = context.len;
	at = put(at, context);
	return len <= UINT16_MAX &&
	       expand(begin(&own, t->digest, secret), info, at - info, out, len);
}

static bool is(struct ocsp_bytes label, const char *name, size_t len)
{
	return label.len == len && !memcmp(label.data, name, len);
}
#define IS(label, name) is(label, name, sizeof(name) - 1)

static void keep(uint8_t *to, size_t *to_len, size_t max, const uint8_t *out,
		 size_t len)
{
	if (len > max)
		return;
	memcpy(to, out, len);
	*to_len = len;
}

/* The one that @secret is, if any. */
static struct hs_secret *find_shown(struct ocsp_bytes secret)
{
	struct hs_secret *s[] = { &shown->client, &shown->server };

	for (int i = 0; i < 2; i++)
		if (s[i]->len && s[i]->len == secret.len &&
		    !memcmp(s[i]->data, secret.data, secret.len))
			return s[i];
	return NULL;
}

static void watch(const struct told *t, const uint8_t *out, size_t len)
{
	struct hs_secret *s;

	if (IS(t->label, "c ap traffic"))
		keep(shown->client.data, &shown->client.len,
		     sizeof(shown->client.data), out, len);
	else if (IS(t->label, "s ap traffic"))
		keep(shown->server.data, &shown->server.len,
		     sizeof(shown->server.data), out, len);
	else if (IS(t->label, "key") && (s = find_shown(t->key)))
		keep(s->keys.key, &s->key_len, sizeof(s->keys.key), out, len);
	else if (IS(t->label, "iv") && (s = find_shown(t->key)))
		keep(s->keys.iv, &s->iv_len, sizeof(s->keys.iv), out, len);
}

/*
 * HKDF-Extract (RFC 5869 2.2) with what is derived of the last secret for salt;
 * nothing for a secret means zeros (RFC 8446 7.1)
 */
static bool extract(const struct told *t, uint8_t *out, size_t len)
{
	static const uint8_t zeros[HS_HMAC_MAX];
	struct hs_hmac h __attribute__((cleanup(hs_hmac_wipe)));
	size_t digest_len = hs_digest_len(t->digest);
	struct ocsp_bytes key = t->key, salt = t->salt;
	uint8_t derived[HS_HMAC_MAX];
	bool ok = len == digest_len;

	if (!key.data)
		key = (struct ocsp_bytes){ zeros, digest_len };
	if (ok && salt.data) {
		ok = expand_label(t, salt, (struct ocsp_bytes){
				  hs_digest_empty(t->digest), digest_len },
				  derived, digest_len);
		salt = (struct ocsp_bytes){ derived, digest_len };
	}
	hs_hmac_init(&h, t->digest, salt.data, salt.len);
	hs_hmac_add(&h, key.data, key.len);
	if (ok)
		hs_hmac_end(&h, out);
	OPENSSL_cleanse(derived, sizeof(derived));
	return ok;
}

int hs_kdf_tls13(uint8_t *out, size_t len, const OSSL_PARAM params[])
{
	struct told t = { .mode = -1 };

	if (!params || !read_told(params, &t))
		return 0;
	if (t.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY)
		return extract(&t, out, len);
	if (t.mode != EVP_KDF_HKDF_MODE_EXPAND_ONLY || !t.key.data ||
	    !expand_label(&t, t.key, t.data, out, len))
		return 0;
	if (shown)
		watch(&t, out, len);
	return 1;
}

static void add_seeds(struct hs_hmac *h, const OSSL_PARAM *p)
{
	for (; p->key; p++) {
		struct ocsp_bytes seed = bytes_of(p);

		if (is_called(p, OSSL_KDF_PARAM_SEED))
			hs_hmac_add(h, seed.data, seed.len);
	}
}

/* P_hash (RFC 5246 5) with all seeds of @params */
static void p_hash(struct hs_hmac *h, const OSSL_PARAM *params, uint8_t *out,
		   size_t len)
{
	size_t block_len = hs_digest_len(h->digest);
	uint8_t a[HS_HMAC_MAX], block[HS_HMAC_MAX];

	add_seeds(h, params);
	hs_hmac_end(h, a);
	while (len) {
		size_t n = len < block_len ? len : block_len;

		hs_hmac_again(h);
		hs_hmac_add(h, a, block_len);
		add_seeds(h, params);
		hs_hmac_end(h, block);
		memcpy(out, block, n);
		out += n;
		len -= n;
		if (!len)
			break;
		hs_hmac_again(h);
		hs_hmac_add(h, a, block_len);
		hs_hmac_end(h, a);
	}
	OPENSSL_cleanse(a, sizeof(a));
	OPENSSL_cleanse(block, sizeof(block));
}

int hs_kdf_prf(uint8_t *out, size_t len, const OSSL_PARAM params[])
{
	const OSSL_PARAM *digest =
		OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_DIGEST);
	const OSSL_PARAM *secret =
		OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_SECRET);
	const OSSL_PARAM *label =
		OSSL_PARAM_locate_const(params, OSSL_KDF_PARAM_SEED);
	struct hs_hmac own __attribute__((cleanup(hs_hmac_wipe)));
	enum hs_digest d;

	if (!digest || !digest_of(digest, &d) || !secret ||
	    !bytes_of(secret).data)
		return 0;
	p_hash(begin(&own, d, bytes_of(secret)), params, out, len);
	if (shown && label && IS(bytes_of(label), "key expansion"))
		keep(shown->block.data, &shown->block.len,
		     sizeof(shown->block.data), out, len);
	return 1;
}
