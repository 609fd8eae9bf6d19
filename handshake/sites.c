// SPDX-License-Identifier: MIT
/*
 * A context's sites, and their certificates on the way into OpenSSL.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "handshake/admit.h"
#include "handshake/internal.h"
#include "handshake/pem.h"

static bool install_one(SSL *ssl, const struct hs_cert *cert)
{
	return SSL_use_cert_and_key(ssl, cert->leaf, cert->key, cert->chain,
				    1) == 1;
}

/* Do both sets have the same certificates? */
static bool is_same(const struct hs_name *a, const struct hs_name *b)
{
	if (a == b)
		return true;
	if (a->n != b->n)
		return false;
	for (unsigned int i = 0; i < a->n; i++)
		if (a[i].site->cert != b[i].site->cert)
			return false;
	return true;
}

int hs_sites_install(SSL *ssl, void *arg)
{
	struct hs *hs = hs_of(ssl);

	(void)arg;
	if (hs_client_name_cas(hs))
		return 0;
	if (is_same(hs->set, hs->installed))
		return 1;
	hs->installed = hs->set;
	/* Otherwise one of another type of key would stay beside them. */
	SSL_certs_clear(ssl);
	for (unsigned int i = 0; i < hs->set->n; i++)
		if (!install_one(ssl, hs->set[i].site->cert))
			return 0;
	return 1;
}

/*
 * A connection's refusal would come too late: keys too short, weak digests. It
 * depends on nothing but the certificate and the level, and takes its time: a
 * certificate is tried once.
 */
static bool try_one(SSL_CTX *ctx, SSL **ssl, struct hs_cert *cert)
{
	int level = SSL_CTX_get_security_level(ctx);

	if (cert->tried >= level)
		return true;
	if (!*ssl)
		*ssl = SSL_new(ctx);
	if (!*ssl)
		return false;
	SSL_certs_clear(*ssl);
	if (!install_one(*ssl, cert))
		return false;
	cert->tried = level;
	return true;
}

static int try_all(struct hs_ctx *ctx, char *error, size_t error_len)
{
	SSL *ssl = NULL;
	size_t i;

	for (i = 0; i < ctx->n_sites; i++)
		if (!try_one(ctx->ssl, &ssl, ctx->sites[i].cert))
			break;
	SSL_free(ssl);
	if (i == ctx->n_sites)
		return 0;
	snprintf(error, error_len, "%s: the certificate cannot be used: %s",
		 ctx->sites[i].cert->file, hs_ssl_reason());
	ERR_clear_error();
	return -EINVAL;
}

static bool same_alpn(const struct hs_site *a, const struct hs_site *b)
{
	return a->alpn_len == b->alpn_len &&
	       (!a->alpn_len || !memcmp(a->alpn, b->alpn, a->alpn_len));
}

/* Lists of protocols; one that its predecessor has, too, is there once. */
static int keep_alpns(struct hs_ctx *ctx)
{
	struct hs_site *s = ctx->sites;
	size_t len = 0;

	for (size_t i = 0; i < ctx->n_sites; i++)
		if (!i || !same_alpn(&s[i - 1], &s[i]))
			len += s[i].alpn_len;
	ctx->alpns = malloc(len + 1);
	if (!ctx->alpns)
		return -ENOMEM;
	len = 0;
	for (size_t i = 0; i < ctx->n_sites; i++) {
		uint8_t *copy = ctx->alpns + len;

		if (i && same_alpn(&s[i - 1], &s[i])) {
			s[i].alpn = s[i - 1].alpn;
			continue;
		}
		if (s[i].alpn_len)
			memcpy(copy, s[i].alpn, s[i].alpn_len);
		s[i].alpn = copy;
		len += s[i].alpn_len;
	}
	return 0;
}

static int keep(struct hs_ctx *ctx, const struct hs_config *config)
{
	size_t n = config->n_sites;

	ctx->sites = calloc(n, sizeof(*ctx->sites));
	if (!ctx->sites)
		return -ENOMEM;
	for (; ctx->n_sites < n; ctx->n_sites++) {
		struct hs_site *site = &ctx->sites[ctx->n_sites];

		*site = config->sites[ctx->n_sites];
		hs_cert_get(site->cert);
		hs_client_get(site->client);
	}
	return keep_alpns(ctx);
}

/* One that leaves a site's clients no version is an oversight. */
static int check_versions(struct hs_ctx *ctx, char *error, size_t error_len)
{
	int min = SSL_CTX_get_min_proto_version(ctx->ssl);
	int max = SSL_CTX_get_max_proto_version(ctx->ssl);

	for (size_t i = 0; i < ctx->n_sites; i++) {
		struct hs_site *site = &ctx->sites[i];

		if (max && site->min_version > max) {
			snprintf(error, error_len, "%s: its clients may use "
				 "TLS 1.3 only, which is not offered",
				 site->cert->file);
			return -EINVAL;
		}
		if (site->min_version <= min)
			site->min_version = 0;
	}
	return 0;
}

/* So each connection begins with these. */
static bool install_fallback(struct hs_ctx *ctx)
{
	const struct hs_name *set = ctx->names.fallback;

	for (unsigned int i = 0; i < set->n; i++) {
		const struct hs_cert *cert = set[i].site->cert;

		if (!SSL_CTX_use_cert_and_key(ctx->ssl, cert->leaf, cert->key,
					      cert->chain, 1))
			return false;
	}
	return true;
}

int hs_sites_init(struct hs_ctx *ctx, const struct hs_config *config,
		  char *error, size_t error_len)
{
	int ret = keep(ctx, config);

	if (!ret)
		ret = hs_names_init(&ctx->names, ctx->sites, ctx->n_sites);
	if (ret) {
		snprintf(error, error_len, "out of memory");
		return ret;
	}
	ret = check_versions(ctx, error, error_len);
	if (!ret)
		ret = try_all(ctx, error, error_len);
	if (!ret && !install_fallback(ctx)) {
		snprintf(error, error_len, "out of memory");
		ret = -ENOMEM;
	}
	return ret;
}

void hs_sites_fini(struct hs_ctx *ctx)
{
	hs_names_fini(&ctx->names);
	for (size_t i = 0; i < ctx->n_sites; i++) {
		hs_cert_free(ctx->sites[i].cert);
		hs_client_free(ctx->sites[i].client);
	}
	free(ctx->alpns);
	free(ctx->sites);
}
