// SPDX-License-Identifier: MIT
/*
 * The client's server_name (RFC 6066 3): the certificate for it, and the
 * sessions that may be resumed under it.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "handshake/internal.h"
#include "handshake/pem.h"

#define NAME_MAX_LEN 255	/* what OpenSSL takes from a client */

static int by_name(const void *a, const void *b)
{
	const struct hs_name *x = a;
	const struct hs_name *y = b;

	return strcmp(x->name, y->name);
}

/* Of two for one name the earlier certificate comes first, and stays. */
static int by_name_and_order(const void *a, const void *b)
{
	const struct hs_name *x = a;
	const struct hs_name *y = b;
	int order = by_name(a, b);

	return order ? order : (x->order > y->order) - (x->order < y->order);
}

static int make_table(struct hs_names *names, const struct hs_config *config)
{
	size_t n = 0;
	size_t i;

	for (i = 0; i < config->n_certs; i++)
		n += config->certs[i]->n_names;
	names->entry = calloc(n + 1, sizeof(*names->entry));
	if (!names->entry)
		return -ENOMEM;
	n = 0;
	for (i = 0; i < config->n_certs; i++) {
		struct hs_cert *cert = config->certs[i];

		for (unsigned int k = 0; k < cert->n_names; k++)
			names->entry[n++] =
				(struct hs_name){ cert->names[k], cert, i };
	}
	qsort(names->entry, n, sizeof(*names->entry), by_name_and_order);
	for (i = 0; i < n; i++)
		if (!names->n || by_name(&names->entry[names->n - 1],
					 &names->entry[i]))
			names->entry[names->n++] = names->entry[i];
	return 0;
}

static struct hs_cert *look_up(const struct hs_names *names, const char *name)
{
	struct hs_name key = { .name = name };
	const struct hs_name *found = bsearch(&key, names->entry, names->n,
					      sizeof(*names->entry), by_name);

	return found ? found->cert : NULL;
}

/* @name: in lower case; its first label becomes "*" (RFC 6125 6.4.3) */
static struct hs_cert *find(const struct hs_ctx *ctx, char *name)
{
	struct hs_cert *cert = look_up(&ctx->names, name);
	char *dot = strchr(name, '.');

	if (!cert && dot && dot > name) {
		dot[-1] = '*';
		cert = look_up(&ctx->names, dot - 1);
	}
	return cert ? cert : ctx->first;
}

/*
 * The name in @ssl's ClientHello, in lower case. False: there is none, or not in
 * the form that OpenSSL, which reads it next, lets pass.
 */
static bool client_name(SSL *ssl, char name[static NAME_MAX_LEN + 1])
{
	const unsigned char *p;
	size_t len;
	size_t i;

	/* length of the list, type 0, length of the name */
	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &len) ||
	    len < 5 || p[2] != TLSEXT_NAMETYPE_host_name)
		return false;
	len -= 5;
	if (len != (size_t)(p[3] << 8 | p[4]) || len > NAME_MAX_LEN ||
	    memchr(p + 5, '\0', len))
		return false;
	for (i = 0; i < len; i++)
		name[i] = tolower(p[5 + i]);
	name[len] = '\0';
	return true;
}

/*
 * A session is resumed under the name it was made for and under no other (RFC
 * 6066 3): what one name's peers were told of each other is no other's. OpenSSL
 * alone would resume it, and compares this for us in all versions.
 */
static bool bind_sessions(SSL *ssl, struct hs_ctx *ctx, const char *name)
{
	unsigned char id[SSL_MAX_SID_CTX_LENGTH];

	return EVP_DigestInit_ex2(ctx->digest, ctx->sha256, NULL) &&
	       EVP_DigestUpdate(ctx->digest, name, strlen(name)) &&
	       EVP_DigestFinal_ex(ctx->digest, id, NULL) &&
	       SSL_set_session_id_context(ssl, id, sizeof(id));
}

/* Called before all else, with each ClientHello: there can be two of them. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
	struct hs *hs = hs_of(ssl);
	char name[NAME_MAX_LEN + 1] = "";
	bool named = client_name(ssl, name);

	(void)arg;
	if (!bind_sessions(ssl, hs->ctx, name)) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	hs->cert = named ? find(hs->ctx, name) : hs->ctx->first;
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* The name is acknowledged, and so becomes the session's. */
static int accept_name(SSL *ssl, int *alert, void *arg)
{
	(void)alert;
	(void)arg;
	return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) ?
		       SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static bool install(SSL *ssl, const struct hs_cert *cert)
{
	/* Otherwise one of another type of key would stay beside it. */
	SSL_certs_clear(ssl);
	return SSL_use_cert_and_key(ssl, cert->leaf, cert->key, cert->chain, 1);
}

/* Called in full handshakes only, where a certificate is needed. */
static int on_cert(SSL *ssl, void *arg)
{
	struct hs *hs = hs_of(ssl);

	(void)arg;
	if (hs->cert == hs->installed)
		return 1;
	hs->installed = hs->cert;
	return install(ssl, hs->cert);
}

/* A connection's refusal would come too late: keys too short, weak digests. */
static int try_all(struct hs_ctx *ctx, const struct hs_config *config,
		   char *error, size_t error_len)
{
	SSL *ssl = SSL_new(ctx->ssl);
	size_t i;

	for (i = 0; ssl && i < config->n_certs; i++)
		if (!install(ssl, config->certs[i]))
			break;
	SSL_free(ssl);
	if (ssl && i == config->n_certs)
		return 0;
	snprintf(error, error_len, "%s: the certificate cannot be used: %s",
		 config->certs[i]->file, hs_ssl_reason());
	ERR_clear_error();
	return -EINVAL;
}

int hs_names_init(struct hs_ctx *ctx, const struct hs_config *config,
		  char *error, size_t error_len)
{
	int ret = try_all(ctx, config, error, error_len);

	if (ret)
		return ret;
	ctx->first = config->certs[0];
	ctx->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	ctx->digest = EVP_MD_CTX_new();
	if (!ctx->sha256 || !ctx->digest || make_table(&ctx->names, config) ||
	    !SSL_CTX_use_cert_and_key(ctx->ssl, ctx->first->leaf,
				      ctx->first->key, ctx->first->chain, 1)) {
		snprintf(error, error_len, "out of memory");
		return -ENOMEM;
	}
	SSL_CTX_set_client_hello_cb(ctx->ssl, on_client_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx->ssl, accept_name);
	SSL_CTX_set_cert_cb(ctx->ssl, on_cert, NULL);
	return 0;
}

void hs_names_fini(struct hs_ctx *ctx)
{
	EVP_MD_free(ctx->sha256);
	EVP_MD_CTX_free(ctx->digest);
	free(ctx->names.entry);
}
