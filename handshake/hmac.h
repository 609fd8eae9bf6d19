/* SPDX-License-Identifier: MIT */
/*
 * Inside of handshake/: HMAC (RFC 2104) with SHA-256 or SHA-384, on memory of
 * the caller's.
 */
#ifndef HANDSHAKE_HMAC_H
#define HANDSHAKE_HMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/sha.h>

#define HS_HMAC_MAX SHA384_DIGEST_LENGTH

enum hs_digest { HS_SHA256, HS_SHA384, HS_DIGESTS };

union hs_digest_state {
	SHA256_CTX sha256;
	SHA512_CTX sha512;
};

struct hs_hmac {
	enum hs_digest digest;
	union hs_digest_state inner, outer;	/* behind the key's block */
	union hs_digest_state now;
};

/*
 * hs_digest_find - by a name of libcrypto's
 * Returns false for other digests.
 */
bool hs_digest_find(const char *name, enum hs_digest *digest);
size_t hs_digest_len(enum hs_digest digest);
/* hs_digest_empty - the digest of no bytes at all */
const uint8_t *hs_digest_empty(enum hs_digest digest);

/*
 * hs_hmac_init - begin, with @key; the digest's first
 * From here on @h holds as good as the key: hs_hmac_wipe() is for each way out.
 */
void hs_hmac_init(struct hs_hmac *h, enum hs_digest digest, const void *key,
		  size_t len);
/* hs_hmac_again - begin anew with the same key */
void hs_hmac_again(struct hs_hmac *h);
void hs_hmac_add(struct hs_hmac *h, const void *data, size_t len);
/* hs_hmac_end - write hs_digest_len() bytes; then hs_hmac_again() or the end */
void hs_hmac_end(struct hs_hmac *h, uint8_t *out);
void hs_hmac_wipe(struct hs_hmac *h);

#endif
