/* SPDX-License-Identifier: MIT */
/*
 * What the files of handshake/ share. Nobody outside includes it.
 */
#ifndef HANDSHAKE_INTERNAL_H
#define HANDSHAKE_INTERNAL_H

#include <openssl/ssl.h>

#include "handshake/handshake.h"
#include "ktls/derive.h"

/* One direction's byte stream, cut at record headers (RFC 8446 5.1). */
struct hs_stream {
	uint8_t header[5];
	uint8_t have;		/* bytes of the header seen */
	uint16_t left;		/* bytes of the record's body to come */
	bool changed;		/* a ChangeCipherSpec was seen */
	uint64_t records;	/* since the last of them */
};

struct hs_secret {
	uint8_t data[KTLS_SECRET_MAX];
	size_t len;
};

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

/* bio.c */
BIO_METHOD *hs_bio_method(void);
void hs_stream_scan(struct hs_stream *s, const uint8_t *p, size_t len);
/* hs_append - to the output, records only. Returns 0 or -ENOMEM. */
int hs_append(struct hs *hs, const uint8_t *p, size_t len);

/* cert.c: the certificate, its chain and key into ctx->ssl */
int hs_cert_load(struct hs_ctx *ctx, const struct hs_config *config,
		 char *error, size_t error_len);

/* secrets.c */
int hs_secrets_init(struct hs_ctx *ctx);
void hs_secrets_fini(struct hs_ctx *ctx);
/*
 * hs_keylog_next - take the traffic secret that the next Finished brings
 * The callback is the context's, and libssl prints every secret for it byte by
 * byte, which costs a twentieth of a handshake: so it is there only from a
 * Finished to the secret behind it, within one call of libssl.
 */
void hs_keylog_next(const SSL *ssl);
/* hs_derive - the keys as they are now. Returns 0 or -EIO, @keys wiped. */
int hs_derive(struct hs *hs, struct ktls_keys *keys);
void hs_keys_wipe(struct ktls_keys *keys);
void hs_forget_secrets(struct hs *hs);

/* info.c */
uint16_t hs_max_fragment(const SSL *ssl);
void hs_describe_cert(struct hs_ctx *ctx, X509 *leaf);

/* failure.c: the first one wins */
enum hs_step hs_fail(struct hs *hs, enum hs_failure failure, uint8_t alert,
		     const char *sentence);
/* hs_fail_peer - by an alert of the peer, which gets none back */
enum hs_step hs_fail_peer(struct hs *hs, int alert);
enum hs_step hs_fail_ssl(struct hs *hs, int ssl_error);

/* alert.c: a fatal alert, sealed when the write key is in use */
void hs_alert(struct hs *hs, uint8_t alert);

#endif
