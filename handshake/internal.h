/* SPDX-License-Identifier: MIT */
/*
 * What the files of handshake/ share. Nobody outside includes it.
 */
#ifndef HANDSHAKE_INTERNAL_H
#define HANDSHAKE_INTERNAL_H

#include <openssl/ssl.h>

#include "handshake/bio.h"
#include "handshake/chain.h"
#include "handshake/failure.h"
#include "handshake/handshake.h"
#include "handshake/info.h"
#include "handshake/ja4.h"
#include "handshake/names.h"
#include "handshake/relay.h"
#include "handshake/secrets.h"
#include "handshake/tickets.h"

/* Since this version a chain can be stapled, not only its leaf. */
#define HS_STAPLES_CHAIN (OPENSSL_VERSION_NUMBER >= 0x30600000L)

/* An OCSP response; of no length: none. */
struct hs_response {
	uint8_t *der;
	size_t len;
	struct ocsp_times times;
};

struct hs_position {
	int issuer;		/* index into der, -1: not in the chain */
	struct hs_response response;
};

struct hs_cert {
	unsigned int refs;
	int tried;		/* OpenSSL takes it up to this security level */
	X509 *leaf;
	STACK_OF(X509) *chain;	/* what is sent behind it */
	EVP_PKEY *key;
	char *file, *name;	/* for people; name NULL: it has none */
	char *key_file;
	char **names;		/* for clients, in lower case */
	unsigned int n_names;
	struct ocsp_bytes *der;	/* of the leaf and the chain */
	unsigned int n_chain;	/* the leaf included */
	struct hs_position *positions;
	unsigned int depths;
	bool staple_required;
	char key_alg[16], cert_sig_alg[16];
	enum hs_key key_type;
	bool key_is_pss;
	uint8_t end_point[HS_END_POINT_MAX];
	unsigned int end_point_len;	/* 0: it has none */
};

#define HS_NAME_MAX 255	/* what OpenSSL takes from a client */
#define HS_CIPHERS 6	/* of TLS 1.2: all that the kernel takes */

struct hs_ctx {
	SSL_CTX *ssl;		/* with names.fallback's certificates */
	struct hs_site *sites;
	size_t n_sites;
	uint8_t *alpns;		/* theirs */
	struct hs_names names;
	bool strict, alpn_ignore;
	unsigned int max_hello;
	uint16_t ciphers[HS_CIPHERS];	/* of TLS 1.2, ascending */
	size_t n_ciphers;
	BIO_METHOD *bio;
	struct ktls_derive *derive;
	EVP_MAC_CTX *hmac[2];		/* SHA-256, SHA-384: TLS 1.2's PRF */
	EVP_MD *sha256;
	EVP_MD_CTX *digest;		/* for it */
	bool ja4;
	bool watches;			/* the provider is ours */
	void (*keylog)(const char *line);
	struct hs_tickets *tickets;	/* NULL: OpenSSL's keys */
};

struct hs {
	struct hs_ctx *ctx;
	SSL *ssl;
	enum hs_step step;

	const uint8_t *in;	/* the caller's, during a call */
	size_t in_len;
	uint8_t first[24];	/* kept until it is known what it is */
	uint8_t first_len, first_off;
	bool is_tls;

	uint8_t *out;
	size_t out_start, out_end, out_size;
	bool no_memory;

	struct hs_stream rx, tx;
	uint64_t rx_base;	/* rx.records at the peer's Finished */
	uint64_t tx_base;	/* tx.records when input was last wanted */
	struct hs_shown shown;
	bool keys_taken, relayed;

	enum hs_choice (*choose)(void *arg, struct hs_hello *hello);
	void *choose_arg;
	char name[HS_NAME_MAX + 1];	/* the client's, as in struct hs_hello */
	const struct hs_name *set;	/* by the client's name */
	const struct hs_name *installed;	/* those that ssl has */
	bool known;			/* there is a set for that name */
	struct ocsp_bytes protocol;	/* to be agreed on, the site's own */
	uint8_t bound[32];		/* see hello.c; once @greeted */
	bool greeted;			/* a ClientHello was accepted */
	const struct hs_client *client;	/* asked for a certificate; or NULL */
	struct hs_peer *peer;		/* see hs_get_peer() */
	bool crl_expired;
	bool no_ticket;			/* it would be too long */
	int64_t now;
	enum hs_staple staple;
	enum hs_failure failure;
	uint8_t refusal;	/* the alert instead of OpenSSL's; or 0 */
	bool alerted;		/* a fatal alert is in the output */
	uint8_t alert;		/* that one */
	char error[160];
	char ja4[HS_JA4_LEN + 1];
};

/* The objects that OpenSSL's callbacks get at. */
struct hs *hs_of(const SSL *ssl);

/* handshake.c: may a message with this head (RFC 8446 4) come from the client? */
bool hs_hello_fits(const struct hs *hs, const uint8_t head[static 4]);
void hs_fail_long(struct hs *hs);

/* info.c */
uint16_t hs_max_fragment(const SSL *ssl);
void hs_describe_cert(struct hs_cert *cert);
/* Of the set the one that was signed with, or is about to be. */
const struct hs_cert *hs_cert_used(const struct hs *hs);

/*
 * hello.c: what follows from a ClientHello; once it is known which ciphers are on
 * offer. 0 or -EIO.
 */
int hs_hello_init(struct hs_ctx *ctx);

/*
 * sites.c: the context's own copy of its sites. 0, or a negative value and a
 * sentence in @error that names the file.
 */
int hs_sites_init(struct hs_ctx *ctx, const struct hs_config *config,
		  char *error, size_t error_len);
void hs_sites_fini(struct hs_ctx *ctx);
/* OpenSSL's callback, in full handshakes, where a certificate is needed */
int hs_sites_install(SSL *ssl, void *arg);

/*
 * tls.c: for hs_ctx_new(), which switches off what must be off after it
 * Returns 0, or a negative value and a sentence in @error.
 */
int hs_tls_apply(SSL_CTX *ssl, const struct hs_tls *tls, unsigned int pairs,
		 char *error, size_t error_len);

/* tickets.c: @ctx's keys and lifetime. Returns 0 or -EIO. */
int hs_tickets_init(struct hs_ctx *ctx, const struct hs_config *config);
/* What a ticket says, as hs_chain_write(); its bytes, or -ENODATA. */
ssize_t hs_ticket_chain(SSL_SESSION *session, uint8_t out[static HS_CHAIN_MAX]);
/* What the ticket of a resumed session says, as hs_end_point(), or false. */
bool hs_ticket_end_point(SSL_SESSION *session,
			 uint8_t out[static HS_END_POINT_MAX], size_t *len);

/*
 * binding.c: what hs_end_point() tells of it. Tickets carry it, too, and to make
 * it with each would be a hundredth of a handshake.
 */
void hs_end_point_make(struct hs_cert *cert);

/* staple.c: OpenSSL's callback, for clients that asked */
int hs_staple(SSL *ssl, void *arg);

#endif
