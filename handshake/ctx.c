// SPDX-License-Identifier: MIT
/*
 * What a listener offers: versions, ciphers, tickets.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "handshake/internal.h"

static const char *const tls13_names[KTLS_CIPHERS] = {
	[KTLS_AES_128_GCM] = "TLS_AES_128_GCM_SHA256",
	[KTLS_AES_256_GCM] = "TLS_AES_256_GCM_SHA384",
	[KTLS_CHACHA20_POLY1305] = "TLS_CHACHA20_POLY1305_SHA256",
};

static const char *const tls12_names[KTLS_CIPHERS] = {
	[KTLS_AES_128_GCM] = "ECDHE-ECDSA-AES128-GCM-SHA256:"
			     "ECDHE-RSA-AES128-GCM-SHA256",
	[KTLS_AES_256_GCM] = "ECDHE-ECDSA-AES256-GCM-SHA384:"
			     "ECDHE-RSA-AES256-GCM-SHA384",
	[KTLS_CHACHA20_POLY1305] = "ECDHE-ECDSA-CHACHA20-POLY1305:"
				   "ECDHE-RSA-CHACHA20-POLY1305",
};

#define NAMES_MAX 256

/* Joins the names of @version's ciphers in @pairs. Returns their number. */
static int join_names(unsigned int pairs, uint16_t version,
		      const char *const names[KTLS_CIPHERS],
		      char list[static NAMES_MAX])
{
	size_t len = 0;
	int n = 0;

	list[0] = '\0';
	for (int c = 0; c < KTLS_CIPHERS; c++) {
		if (!(pairs & KTLS_PAIR(version, c)))
			continue;
		len += snprintf(list + len, NAMES_MAX - len, "%s%s",
				n++ ? ":" : "", names[c]);
	}
	return n;
}

static int set_ciphers(SSL_CTX *ssl, unsigned int pairs)
{
	char tls12[NAMES_MAX];
	char tls13[NAMES_MAX];
	int n12 = join_names(pairs, KTLS_TLS12, tls12_names, tls12);
	int n13 = join_names(pairs, KTLS_TLS13, tls13_names, tls13);

	if (!n12 && !n13)
		return -EINVAL;
	if (n12 && !SSL_CTX_set_cipher_list(ssl, tls12))
		return -EIO;
	if (n13 && !SSL_CTX_set_ciphersuites(ssl, tls13))
		return -EIO;
	if (!SSL_CTX_set_min_proto_version(ssl, n12 ? TLS1_2_VERSION :
						      TLS1_3_VERSION) ||
	    !SSL_CTX_set_max_proto_version(ssl, n13 ? TLS1_3_VERSION :
						      TLS1_2_VERSION))
		return -EIO;
	return 0;
}

/* Tickets are stateless: nothing of a session stays in a worker. */
static int set_sessions(SSL_CTX *ssl, unsigned int tickets)
{
	static const uint8_t id[] = "ktlsd";

	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_early_data(ssl, 0);
	if (!tickets)
		SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
	if (!SSL_CTX_set_num_tickets(ssl, tickets) ||
	    !SSL_CTX_set_session_id_context(ssl, id, sizeof(id) - 1))
		return -EIO;
	return 0;
}

static void set_options(SSL_CTX *ssl)
{
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION |
				 SSL_OP_NO_COMPRESSION |
				 SSL_OP_CIPHER_SERVER_PREFERENCE |
				 SSL_OP_PRIORITIZE_CHACHA);
	/* Whatever the system's openssl.cnf says: no socket is under it. */
	SSL_CTX_clear_options(ssl, SSL_OP_ENABLE_KTLS |
				   SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
	/* The chain is sent as it is in the file, not built each time. */
	SSL_CTX_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_read_ahead(ssl, 0);
	SSL_CTX_set_quiet_shutdown(ssl, 0);
}

/* Called with each message, after its last byte was taken or given. */
static void watch(int sent, int version, int type, const void *buf, size_t len,
		  SSL *ssl, void *arg)
{
	const uint8_t *p = buf;
	struct hs *hs = arg;

	(void)version;
	if (type == SSL3_RT_HANDSHAKE && len && p[0] == SSL3_MT_FINISHED) {
		if (!sent)
			hs->rx_base = hs->rx.records;
		if (SSL_version(ssl) == TLS1_3_VERSION)
			hs_keylog_next(ssl);
	}
	if (type == SSL3_RT_ALERT && sent && len == 2 &&
	    p[0] == SSL3_AL_FATAL) {
		hs->alerted = true;
		hs->alert = p[1];
	}
}

static int setup(struct hs_ctx *ctx, const struct hs_config *config)
{
	int ret;

	ctx->strict = config->strict;
	ctx->alpn_ignore = config->alpn_ignore;
	ctx->max_hello = config->max_hello;
	ctx->bio = hs_bio_method();
	ctx->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	ctx->digest = EVP_MD_CTX_new();
	if (!ctx->bio || !ctx->sha256 || !ctx->digest || hs_secrets_init(ctx))
		return -EIO;
	set_options(ctx->ssl);
	SSL_CTX_set_msg_callback(ctx->ssl, watch);
	SSL_CTX_set_tlsext_status_cb(ctx->ssl, hs_staple);
	SSL_CTX_set_cert_cb(ctx->ssl, hs_sites_install, NULL);
	hs_hello_init(ctx);
	ret = set_ciphers(ctx->ssl, config->pairs);
	if (!ret)
		ret = set_sessions(ctx->ssl, config->tickets);
	return ret;
}

struct hs_ctx *hs_ctx_new(const struct hs_config *config, char *error,
			  size_t error_len)
{
	struct hs_ctx *ctx = calloc(1, sizeof(*ctx));
	int ret = -ENOMEM;

	ERR_clear_error();
	if (ctx)
		ctx->ssl = SSL_CTX_new(TLS_server_method());
	if (ctx && ctx->ssl)
		ret = setup(ctx, config);
	if (ret == -EINVAL)
		snprintf(error, error_len,
			 "there is no TLS version and cipher to offer");
	else if (ret)
		snprintf(error, error_len, "libssl cannot be set up: %s",
			 ERR_peek_error() ?
				 ERR_reason_error_string(ERR_peek_error()) :
				 "out of memory");
	else
		ret = hs_sites_init(ctx, config, error, error_len);
	if (!ret)
		return ctx;
	hs_ctx_free(ctx);
	return NULL;
}

void hs_ctx_free(struct hs_ctx *ctx)
{
	if (!ctx)
		return;
	SSL_CTX_free(ctx->ssl);
	BIO_meth_free(ctx->bio);
	hs_secrets_fini(ctx);
	hs_sites_fini(ctx);
	EVP_MD_free(ctx->sha256);
	EVP_MD_CTX_free(ctx->digest);
	free(ctx);
}
