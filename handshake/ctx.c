// SPDX-License-Identifier: MIT
/*
 * What a listener offers, put together: tls.c, tickets, sites.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "handshake/admit.h"
#include "handshake/internal.h"
#include "handshake/provider.h"
#include "handshake/random.h"

/* Tickets are stateless: nothing of a session stays in a worker. */
static int set_sessions(struct hs_ctx *ctx, const struct hs_config *config)
{
	static const uint8_t id[] = "ktlsd";
	SSL_CTX *ssl = ctx->ssl;

	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_early_data(ssl, 0);
	if (!config->tickets)
		SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
	if (!SSL_CTX_set_num_tickets(ssl, config->tickets) ||
	    !SSL_CTX_set_session_id_context(ssl, id, sizeof(id) - 1))
		return -EIO;
	return hs_tickets_init(ctx, config);
}

static void set_options(SSL_CTX *ssl)
{
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION |
				 SSL_OP_NO_COMPRESSION);
	/* Whatever the system's openssl.cnf says: no socket is under it. */
	SSL_CTX_clear_options(ssl, SSL_OP_ENABLE_KTLS |
				   SSL_OP_ALLOW_CLIENT_RENEGOTIATION |
				   SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
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
	/* Here, because extensions that libssl does not know are in here only.
	 * Of two ClientHellos the first is the client's own. */
	if (type == SSL3_RT_HANDSHAKE && len && p[0] == SSL3_MT_CLIENT_HELLO &&
	    hs->ctx->ja4 && !*hs->ja4)
		hs_ja4_make(hs->ctx->sha256, buf, len, hs->ja4);
	if (type == SSL3_RT_HANDSHAKE && len && p[0] == SSL3_MT_FINISHED) {
		if (!sent)
			hs->rx_base = hs->rx.records;
		if (SSL_version(ssl) == TLS1_3_VERSION)
			hs_keylog_next(hs->ctx);
	}
	if (type == SSL3_RT_ALERT && sent && len == 2 &&
	    p[0] == SSL3_AL_FATAL && !hs->refusal) {
		hs->alerted = true;
		hs->alert = p[1];
	}
}

/* Returns 0, -EINVAL with a sentence in @error, or another negative value. */
static int setup(struct hs_ctx *ctx, const struct hs_config *config,
		 char *error, size_t error_len)
{
	ctx->strict = config->strict;
	ctx->alpn_ignore = config->alpn_ignore;
	ctx->max_hello = config->max_hello;
	ctx->bio = hs_bio_method();
	ctx->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	ctx->digest = EVP_MD_CTX_new();
	if (!ctx->bio || !ctx->sha256 || !ctx->digest || hs_secrets_init(ctx))
		return -EIO;
	SSL_CTX_set_msg_callback(ctx->ssl, watch);
	SSL_CTX_set_tlsext_status_cb(ctx->ssl, hs_staple);
	SSL_CTX_set_cert_verify_callback(ctx->ssl, hs_admit, NULL);
	SSL_CTX_set_cert_cb(ctx->ssl, hs_sites_install, NULL);
	ctx->ja4 = config->ja4;
	ctx->keylog = config->keylog;
	if (ctx->keylog)
		hs_keylog_all(ctx);
	if (hs_tls_apply(ctx->ssl, config->tls, config->pairs, error,
			 error_len))
		return -EINVAL;
	if (hs_hello_init(ctx))
		return -EIO;
	set_options(ctx->ssl);
	return set_sessions(ctx, config);
}

struct hs_ctx *hs_ctx_new(const struct hs_config *config, char *error,
			  size_t error_len)
{
	struct hs_ctx *ctx = calloc(1, sizeof(*ctx));
	int ret = -ENOMEM;

	ERR_clear_error();
	if (ctx) {
		ctx->watches = hs_provider_load();
		if (ctx->watches)
			hs_random_use();
		ctx->ssl = SSL_CTX_new_ex(NULL, HS_PROPERTIES,
					  TLS_server_method());
	}
	if (ctx && ctx->ssl)
		ret = setup(ctx, config, error, error_len);
	if (ret && ret != -EINVAL)
		snprintf(error, error_len, "libssl cannot be set up: %s",
			 ERR_peek_error() ?
				 ERR_reason_error_string(ERR_peek_error()) :
				 "out of memory");
	if (!ret)
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
