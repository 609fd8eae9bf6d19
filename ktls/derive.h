/* SPDX-License-Identifier: MIT */
#ifndef KTLS_DERIVE_H
#define KTLS_DERIVE_H

#include <stddef.h>

#include "keys.h"

struct ktls_derive;

/*
 * ktls_derive_new - objects for key derivation, made once per process
 * Fetches its algorithms from libcrypto here, so that no derivation looks one
 * up by name. Not for use by two threads at once.
 * Returns NULL when libcrypto has no HMAC, SHA-256 or SHA-384.
 */
struct ktls_derive *ktls_derive_new(void);
void ktls_derive_free(struct ktls_derive *d);

/*
 * ktls_derive_keys - key and IV of one direction from a TLS 1.3 traffic secret
 * @secret:     client_ or server_application_traffic_secret_N; borrowed
 * @secret_len: bytes: 32 with SHA-256, 48 with SHA-384
 * @dir:        gets key and iv, and sequence number 0 (RFC 8446 5.3, 7.3)
 * Returns 0, -EINVAL for a secret of another length, -EIO when libcrypto
 * fails; after an error @dir is wiped.
 */
int ktls_derive_keys(struct ktls_derive *d, enum ktls_cipher cipher,
		     const unsigned char *secret, size_t secret_len,
		     struct ktls_dir *dir);

/*
 * ktls_derive_next - the traffic secret after a KeyUpdate (RFC 8446 7.2)
 * @secret_len: bytes of both secrets: 32 or 48
 * @next:       may not be @secret
 * Returns as ktls_derive_keys(); after an error @next is wiped.
 */
int ktls_derive_next(struct ktls_derive *d, const unsigned char *secret,
		     size_t secret_len, unsigned char *next);

#endif
