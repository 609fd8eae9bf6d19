/* SPDX-License-Identifier: MIT */
/*
 * The traffic keys of one connection: what a finished handshake hands to the
 * kernel stage.
 */
#ifndef KTLS_KEYS_H
#define KTLS_KEYS_H

#include <stdint.h>

#define KTLS_TLS12 0x0303
#define KTLS_TLS13 0x0304

enum ktls_cipher {
	KTLS_AES_128_GCM,
	KTLS_AES_256_GCM,
	KTLS_CHACHA20_POLY1305,
	KTLS_CIPHERS,
};

/*
 * One version and cipher as one bit, so that a set of pairs is an unsigned:
 * KTLS_PAIR(KTLS_TLS13, KTLS_AES_128_GCM).
 */
#define KTLS_PAIR(version, cipher) \
	(1u << (((version) == KTLS_TLS13 ? KTLS_CIPHERS : 0) + (cipher)))
#define KTLS_ALL_PAIRS ((1u << (2 * KTLS_CIPHERS)) - 1)

/* Longest traffic secret: SHA-384's output, in bytes. */
#define KTLS_SECRET_MAX 48

/*
 * struct ktls_dir - one direction's record protection
 * @key: 16 bytes for AES-128-GCM, otherwise 32
 * @iv:  TLS 1.3 and every ChaCha20: the 12-byte static IV (RFC 8446 5.3,
 *       RFC 7905 2). TLS 1.2 AES-GCM: the 4-byte salt (RFC 5288 3), the
 *       other 8 bytes are not used
 * @seq: sequence number of the next record: records counted in the byte
 *       stream since this key came into use
 */
struct ktls_dir {
	uint8_t key[32];
	uint8_t iv[12];
	uint64_t seq;
};

/*
 * struct ktls_keys - both directions, seen from this end
 * @max_payload: bytes of plaintext in a record that the peer accepts
 *               (RFC 6066 4), 0 when nothing below 2^14 was negotiated
 * Secret: whoever fills it wipes it.
 */
struct ktls_keys {
	uint16_t version;
	uint16_t max_payload;
	enum ktls_cipher cipher;
	struct ktls_dir tx, rx;
};

#endif
