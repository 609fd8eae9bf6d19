/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: the key schedules of TLS 1.3 and 1.2. */
#ifndef HANDSHAKE_KDF_H
#define HANDSHAKE_KDF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/params.h>

#include "handshake/hmac.h"
#include "handshake/secrets.h"

/*
 * hs_kdf_tls13 - what libcrypto's TLS13-KDF does with the same parameters, of
 * which libssl gives: mode, digest, key, salt, prefix, label, data
 * (EVP_KDF-TLS13_KDF(7), RFC 8446 7.1)
 * Returns 1, or 0 for parameters that libssl does not use.
 */
int hs_kdf_tls13(uint8_t *out, size_t len, const OSSL_PARAM params[]);

/*
 * hs_kdf_prf - the same for TLS1-PRF in TLS 1.2: digest, secret, seeds
 * (EVP_KDF-TLS1_PRF(7), RFC 5246 5)
 */
int hs_kdf_prf(uint8_t *out, size_t len, const OSSL_PARAM params[]);

/*
 * hs_kdf_watch - in this thread, from now on, keep copies of what is derived:
 * TLS 1.3's first traffic secrets, their keys, and TLS 1.2's key block
 * @shown: where; borrowed until the next call, which NULL is for
 */
void hs_kdf_watch(struct hs_shown *shown);

#endif
