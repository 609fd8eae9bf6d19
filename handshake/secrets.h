/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: the traffic secrets and what becomes of them. */
#ifndef HANDSHAKE_SECRETS_H
#define HANDSHAKE_SECRETS_H

#include <openssl/ssl.h>

#include "ktls/derive.h"

struct hs;
struct hs_ctx;

struct hs_secret {
	uint8_t data[KTLS_SECRET_MAX];
	size_t len;
};

int hs_secrets_init(struct hs_ctx *ctx);
void hs_secrets_fini(struct hs_ctx *ctx);
/*
 * hs_keylog_next - take the traffic secret that the next Finished brings
 * The callback is the context's, and libssl prints every secret for it byte by
 * byte, which costs a twentieth of a handshake: so it is there only from a
 * Finished to the secret behind it, within one call of libssl.
 */
void hs_keylog_next(struct hs_ctx *ctx);
/* hs_keylog_all - for a context with a keylog: it is there all the time */
void hs_keylog_all(struct hs_ctx *ctx);
/* hs_derive - the keys as they are now. Returns 0 or -EIO, @keys wiped. */
int hs_derive(struct hs *hs, struct ktls_keys *keys);
void hs_keys_wipe(struct ktls_keys *keys);
void hs_forget_secrets(struct hs *hs);

#endif
