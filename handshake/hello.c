// SPDX-License-Identifier: MIT
/*
 * The ClientHello (RFC 8446 4.1.2): the site for its server_name (RFC 6066 3),
 * the protocol (RFC 7301), and the sessions that may be resumed.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handshake/admit.h"
#include "handshake/internal.h"

/* With '_', which is in use, though no host should be called so. */
static bool is_host_byte(uint8_t c)
{
	return c < 0x80 && (isalnum(c) || c == '-' || c == '_' || c == '.');
}

/*
 * The name in @ssl's ClientHello, in lower case; empty when there is none, or not
 * in the form that OpenSSL, which reads it next, lets pass, or it is no host's:
 * it goes on to consumers, and could hold quotes and newlines. A dot at its end
 * is the DNS's, and no part of the name in a certificate.
 */
static void client_name(SSL *ssl, char name[static HS_NAME_MAX + 1])
{
	const unsigned char *p;
	size_t len;
	size_t i;

	name[0] = '\0';
	/* length of the list, type 0, length of the name */
	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &len) ||
	    len < 5 || p[2] != TLSEXT_NAMETYPE_host_name)
		return;
	len -= 5;
	if (len != (size_t)(p[3] << 8 | p[4]) || len > HS_NAME_MAX)
		return;
	p += 5;
	for (i = 0; i < len; i++)
		if (!is_host_byte(p[i]))
			return;
	if (len && p[len - 1] == '.')
		len--;
	for (i = 0; i < len; i++)
		name[i] = tolower(p[i]);
	name[len] = '\0';
}

/* What the client can speak; empty, too, where OpenSSL is about to refuse it. */
static struct ocsp_bytes offered(SSL *ssl)
{
	const unsigned char *p;
	size_t len;

	if (!SSL_client_hello_get0_ext(
		    ssl,
		    TLSEXT_TYPE_application_layer_protocol_negotiation, &p,
		    &len) ||
	    len < 2 || len - 2 != (size_t)(p[0] << 8 | p[1]))
		return (struct ocsp_bytes){ 0 };
	len -= 2;
	p += 2;
	for (size_t i = 0; i < len; i += 1 + p[i])
		if (!p[i] || p[i] > len - i - 1)
			return (struct ocsp_bytes){ 0 };
	return (struct ocsp_bytes){ p, len };
}

/* The first of @site's protocols that is among @client's. */
static struct ocsp_bytes agree(const struct hs_site *site,
			       struct ocsp_bytes client)
{
	unsigned char *found;
	unsigned char len;

	if (!site->alpn_len || !client.len ||
	    SSL_select_next_proto(&found, &len, site->alpn, site->alpn_len,
				  client.data,
				  client.len) != OPENSSL_NPN_NEGOTIATED)
		return (struct ocsp_bytes){ 0 };
	return (struct ocsp_bytes){ found, len };
}

/* With its length, so that no two sequences of parts are alike. */
static bool add(EVP_MD_CTX *digest, const void *part, size_t len)
{
	uint8_t head[] = { len >> 8, len };

	return len <= UINT16_MAX &&
	       EVP_DigestUpdate(digest, head, sizeof(head)) &&
	       EVP_DigestUpdate(digest, part, len);
}

/*
 * A session is resumed for what it was made for and for nothing else: under its
 * name (RFC 6066 3), in its realm, with its protocol, by the rules for clients that
 * its own came in by, and where its cipher is on offer, which OpenSSL does not ask
 * for in TLS 1.2. OpenSSL alone would resume it under any, and compares this for us
 * in all versions.
 */
static bool make_bond(struct hs_ctx *ctx, const struct hs_hello *hello,
		      const struct hs_client *client, uint8_t bond[static 32])
{
	EVP_MD_CTX *d = ctx->digest;

	return EVP_DigestInit_ex2(d, ctx->sha256, NULL) &&
	       add(d, hello->server_name, strlen(hello->server_name)) &&
	       add(d, hello->realm, strlen(hello->realm)) &&
	       add(d, hello->protocol.data, hello->protocol.len) &&
	       add(d, ctx->ciphers, ctx->n_ciphers * sizeof(*ctx->ciphers)) &&
	       (!client || add(d, hs_client_id(client), HS_CLIENT_ID)) &&
	       EVP_DigestFinal_ex(d, bond, NULL);
}

static int refuse(struct hs *hs, int *alert, int with, enum hs_failure failure,
		  const char *sentence)
{
	hs_blame(hs, failure, "%s", sentence);
	*alert = with;
	return SSL_CLIENT_HELLO_ERROR;
}

static int refuse_second(struct hs *hs, int *alert)
{
	return refuse(hs, alert, SSL_AD_ILLEGAL_PARAMETER, HS_F_PROTOCOL,
		      "the second ClientHello asks for something else");
}

/* What a ClientHello that is to be answered changes. */
static int accept_hello(struct hs *hs, const struct hs_hello *hello, int *alert)
{
	const struct hs_client *client = hs->set->site->client;
	uint16_t min = hs->set->site->min_version;
	uint8_t bond[32];

	if (!make_bond(hs->ctx, hello, client, bond))
		return refuse(hs, alert, SSL_AD_INTERNAL_ERROR, HS_F_INTERNAL,
			      "libcrypto fails");
	if (hs->greeted && memcmp(bond, hs->bound, sizeof(bond)))
		return refuse_second(hs, alert);
	hs->greeted = true;
	hs->rx.n_head = 0;	/* of a second one */
	memcpy(hs->bound, bond, sizeof(bond));
	if (!SSL_set_session_id_context(hs->ssl, bond, sizeof(bond)) ||
	    (min && !SSL_set_min_proto_version(hs->ssl, min)) ||
	    hs_client_apply(hs, client))
		return refuse(hs, alert, SSL_AD_INTERNAL_ERROR, HS_F_INTERNAL,
			      "libssl fails");
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* Called before all else, with each ClientHello: there can be two of them. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
	struct hs *hs = hs_of(ssl);
	struct hs_hello hello = { .server_name = hs->name, .realm = "" };
	const struct hs_name *set;

	(void)arg;
	client_name(ssl, hs->name);
	set = hs_names_find(&hs->ctx->names, hs->name);
	hs->known = set;
	hs->set = set ? set : hs->ctx->names.fallback;
	hello.offered = offered(ssl);
	hs->protocol = hello.protocol = agree(hs->set->site, hello.offered);
	if (!hs->choose || hs->choose(hs->choose_arg, &hello) == HS_GO_ON)
		return accept_hello(hs, &hello, alert);
	if (hs->greeted)
		return refuse_second(hs, alert);
	hs->step = HS_PASS;
	return SSL_CLIENT_HELLO_RETRY;
}

/* The name is acknowledged, and so becomes the session's. */
static int accept_name(SSL *ssl, int *alert, void *arg)
{
	struct hs *hs = hs_of(ssl);

	(void)arg;
	if (!hs->known && hs->ctx->strict) {
		hs_blame(hs, HS_F_NAME, "no certificate is for the client's "
			 "server_name");
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) ?
		       SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/*
 * No protocol in common ends the handshake (RFC 7301 3.2): going on would let
 * the peer speak a protocol to a server of another one.
 */
static int select_alpn(SSL *ssl, const unsigned char **out,
		       unsigned char *out_len, const unsigned char *in,
		       unsigned int in_len, void *arg)
{
	struct hs *hs = hs_of(ssl);

	(void)in;
	(void)in_len;
	(void)arg;
	if (hs->protocol.len) {
		*out = hs->protocol.data;
		*out_len = hs->protocol.len;
		return SSL_TLSEXT_ERR_OK;
	}
	if (!hs->set->site->alpn_len || hs->ctx->alpn_ignore)
		return SSL_TLSEXT_ERR_NOACK;
	hs_blame(hs, HS_F_ALPN, "no application protocol in common");
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int by_number(const void *a, const void *b)
{
	const uint16_t *x = a;
	const uint16_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* Those of TLS 1.2: in TLS 1.3 a session goes on with any of its digest. */
static int keep_ciphers(struct hs_ctx *ctx)
{
	STACK_OF(SSL_CIPHER) *list = SSL_CTX_get_ciphers(ctx->ssl);

	if (SSL_CTX_get_min_proto_version(ctx->ssl) >= TLS1_3_VERSION)
		return 0;
	for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
		const SSL_CIPHER *c = sk_SSL_CIPHER_value(list, i);

		if (!strcmp(SSL_CIPHER_get_version(c), "TLSv1.3"))
			continue;
		if (ctx->n_ciphers == HS_CIPHERS)
			return -EIO;
		ctx->ciphers[ctx->n_ciphers++] = SSL_CIPHER_get_protocol_id(c);
	}
	qsort(ctx->ciphers, ctx->n_ciphers, sizeof(*ctx->ciphers), by_number);
	return 0;
}

int hs_hello_init(struct hs_ctx *ctx)
{
	SSL_CTX_set_client_hello_cb(ctx->ssl, on_client_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx->ssl, accept_name);
	SSL_CTX_set_alpn_select_cb(ctx->ssl, select_alpn, NULL);
	return keep_ciphers(ctx);
}
