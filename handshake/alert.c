// SPDX-License-Identifier: MIT
/*
 * Alerts of our own: libcrypto's TLS has no call to send one, and a peer that
 * has our key refuses one in the clear.
 */
#include <string.h>

#include <openssl/evp.h>

#include "handshake/internal.h"

#define TAG_LEN 16
#define RECORD_MAX 64

static const EVP_CIPHER *cipher_of(const struct ktls_keys *keys)
{
	switch (keys->cipher) {
	case KTLS_AES_128_GCM:
		return EVP_aes_128_gcm();
	case KTLS_AES_256_GCM:
		return EVP_aes_256_gcm();
	default:
		return EVP_chacha20_poly1305();
	}
}

static void put_be64(uint8_t *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = v;
}

/* RFC 8446 5.3, RFC 7905 2; RFC 5288 3, where the peer reads the rest. */
static void make_nonce(const struct ktls_keys *keys, uint8_t nonce[static 12])
{
	uint8_t seq[8];

	put_be64(seq, keys->tx.seq);
	memcpy(nonce, keys->tx.iv, 12);
	if (keys->version == KTLS_TLS12 &&
	    keys->cipher != KTLS_CHACHA20_POLY1305)
		memset(nonce + 4, 0, 8);
	for (int i = 0; i < 8; i++)
		nonce[4 + i] ^= seq[i];
}

/* Encrypts @len bytes at @text in place and puts the tag behind them. */
static int seal(const struct ktls_keys *keys, const uint8_t *aad, int aad_len,
		uint8_t *text, int len)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t nonce[12];
	int n;
	int ok;

	make_nonce(keys, nonce);
	ok = c &&
	     EVP_EncryptInit_ex(c, cipher_of(keys), NULL, keys->tx.key,
				nonce) &&
	     EVP_EncryptUpdate(c, NULL, &n, aad, aad_len) &&
	     EVP_EncryptUpdate(c, text, &n, text, len) &&
	     EVP_EncryptFinal_ex(c, text + n, &n) &&
	     EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_LEN,
				 text + len);
	EVP_CIPHER_CTX_free(c);
	return ok ? 0 : -1;
}

/* RFC 8446 5.2. Returns the record's length, 0 when libcrypto fails. */
static size_t seal_tls13(const struct ktls_keys *keys, uint8_t alert,
			 uint8_t *record)
{
	uint8_t *text = record + 5;

	memcpy(record, "\x17\x03\x03\x00\x13", 5);
	text[0] = SSL3_AL_FATAL;
	text[1] = alert;
	text[2] = SSL3_RT_ALERT;
	return seal(keys, record, 5, text, 3) ? 0 : 5 + 3 + TAG_LEN;
}

/* RFC 5246 6.2.3.3; ChaCha20-Poly1305 has no explicit nonce (RFC 7905). */
static size_t seal_tls12(const struct ktls_keys *keys, uint8_t alert,
			 uint8_t *record)
{
	size_t explicit = keys->cipher == KTLS_CHACHA20_POLY1305 ? 0 : 8;
	uint8_t *text = record + 5 + explicit;
	uint8_t aad[13];

	memcpy(record, "\x15\x03\x03\x00", 4);
	record[4] = explicit + 2 + TAG_LEN;
	put_be64(aad, keys->tx.seq);
	if (explicit)
		memcpy(record + 5, aad, 8);
	memcpy(aad + 8, "\x15\x03\x03\x00\x02", 5);
	text[0] = SSL3_AL_FATAL;
	text[1] = alert;
	return seal(keys, aad, sizeof(aad), text, 2) ?
		       0 : 5 + explicit + 2 + TAG_LEN;
}

/* Is our write key in use? Between two calls it is so, or not at all. */
static bool is_sealing(const struct hs *hs)
{
	if (SSL_version(hs->ssl) == TLS1_3_VERSION)
		return hs->shown.server.len;
	return hs->tx.changed;
}

void hs_alert(struct hs *hs, uint8_t alert)
{
	struct ktls_keys keys __attribute__((cleanup(hs_keys_wipe))) = { 0 };
	uint8_t record[RECORD_MAX] = { SSL3_RT_ALERT, 3, 3, 0, 2,
				       SSL3_AL_FATAL, alert };
	size_t len = 7;

	/* A relay's sequence numbers and keys are OpenSSL's alone. */
	if (hs->alerted || hs->relayed || hs->keys_taken)
		return;
	hs->alerted = true;
	hs->alert = alert;
	if (is_sealing(hs)) {
		if (hs_derive(hs, &keys))
			return;
		len = keys.version == KTLS_TLS13 ?
			      seal_tls13(&keys, alert, record) :
			      seal_tls12(&keys, alert, record);
	}
	hs_append(hs, record, len);
}
