/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: the traffic secrets and what becomes of them. */
#ifndef HANDSHAKE_SECRETS_H
#define HANDSHAKE_SECRETS_H

#include <openssl/ssl.h>

#include "ktls/derive.h"

struct hs;
struct hs_ctx;

/* A traffic secret, and what was made of it; of no length: nothing yet. */
struct hs_secret {
	uint8_t data[KTLS_SECRET_MAX];
	size_t len;
	struct ktls_dir keys;
	size_t key_len, iv_len;
};

#define HS_KEY_BLOCK_MAX (2 * (32 + 12))

/* RFC 5246 6.3 */
struct hs_key_block {
	uint8_t data[HS_KEY_BLOCK_MAX];
	size_t len;
};

/* What the key schedule shows of a connection. */
struct hs_shown {
	struct hs_secret client, server;	/* TLS 1.3 */
	struct hs_key_block block;		/* TLS 1.2 */
};

int hs_secrets_init(struct hs_ctx *ctx);
void hs_secrets_fini(struct hs_ctx *ctx);
/*
 * hs_keylog_next - take the traffic secret that the next Finished brings, where
 * the key schedule is not ours, which shows them to us
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
