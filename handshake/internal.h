/* SPDX-License-Identifier: MIT */
/*
 * What the files of handshake/ share. Nobody outside includes it.
 */
#ifndef HANDSHAKE_INTERNAL_H
#define HANDSHAKE_INTERNAL_H

#include <openssl/ssl.h>

#include "handshake/bio.h"
#include "handshake/failure.h"
#include "handshake/handshake.h"
#include "handshake/info.h"
#include "handshake/relay.h"
#include "handshake/secrets.h"

struct hs_ctx {
	SSL_CTX *ssl;
	BIO_METHOD *bio;
	struct ktls_derive *derive;
	EVP_MAC_CTX *hmac[2];		/* SHA-256, SHA-384: TLS 1.2's PRF */
	uint8_t *alpn;
	size_t alpn_len;
	uint8_t *leaf, *issuer, *staple;
	size_t leaf_len, issuer_len, staple_len;
	int64_t next_update;
	char key_alg[16], cert_sig_alg[16];
	bool key_is_pss;
};

struct hs {
	struct hs_ctx *ctx;
	SSL *ssl;
	enum hs_step step;

	const uint8_t *in;	/* the caller's, during a call */
	size_t in_len;
	uint8_t first[8];	/* kept until it is known to be TLS */
	uint8_t first_len, first_off;
	bool is_tls;

	uint8_t *out;
	size_t out_start, out_end, out_size;
	bool no_memory;

	struct hs_stream rx, tx;
	uint64_t rx_base;	/* rx.records at the peer's Finished */
	uint64_t tx_base;	/* tx.records when input was last wanted */
	struct hs_secret rx_secret, tx_secret;	/* TLS 1.3 */
	bool keys_taken, relayed;

	int64_t now;
	enum hs_staple staple;
	enum hs_failure failure;
	bool alerted;		/* a fatal alert is in the output */
	uint8_t alert;		/* that one */
	char error[160];
};

/* The objects that OpenSSL's callbacks get at. */
struct hs *hs_of(const SSL *ssl);

/* cert.c: the certificate, its chain and key into ctx->ssl */
int hs_cert_load(struct hs_ctx *ctx, const struct hs_config *config,
		 char *error, size_t error_len);

/* info.c */
uint16_t hs_max_fragment(const SSL *ssl);
void hs_describe_cert(struct hs_ctx *ctx, X509 *leaf);

#endif
