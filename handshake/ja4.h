/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: a client's fingerprint, by how it says hello. */
#ifndef HANDSHAKE_JA4_H
#define HANDSHAKE_JA4_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#define HS_JA4_LEN 36

/*
 * hs_ja4_make - JA4, as FoxIO's specification of it says, of TLS over TCP
 * @message: a ClientHello with its handshake header, not yet looked at
 * @ja4:     gets 36 characters and a NUL; "" when the message is not one, or
 *           has more than 512 ciphers, extensions or signature algorithms, or
 *           libcrypto fails
 */
void hs_ja4_make(const EVP_MD *sha256, const uint8_t *message, size_t len,
		 char ja4[static HS_JA4_LEN + 1]);

#endif
