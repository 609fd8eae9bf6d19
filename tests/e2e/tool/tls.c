// SPDX-License-Identifier: MIT
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

const char *ssl_reason(void)
{
	unsigned long e = ERR_get_error();
	const char *reason = ERR_reason_error_string(e);

	ERR_clear_error();
	return reason ? reason : "-";
}

SSL_CTX *client_ctx(const char *ca)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		die("SSL_CTX_new: %s", ssl_reason());
	if (ca) {
		if (!SSL_CTX_load_verify_file(ctx, ca))
			die("%s: %s", ca, ssl_reason());
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	}
	/* Old versions too, so that a refusal is the server's. */
	SSL_CTX_set_min_proto_version(ctx, 0);
	return ctx;
}

void only_version(SSL_CTX *ctx, const char *version)
{
	int v;

	if (!version)
		return;
	if (!strcmp(version, "1.3"))
		v = TLS1_3_VERSION;
	else if (!strcmp(version, "1.2"))
		v = TLS1_2_VERSION;
	else if (!strcmp(version, "1.1"))
		v = TLS1_1_VERSION;
	else
		die("'%s' is not a version", version);
	if (v < TLS1_2_VERSION)
		SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
	SSL_CTX_set_min_proto_version(ctx, v);
	SSL_CTX_set_max_proto_version(ctx, v);
}

void only_cipher(SSL_CTX *ctx, const char *name)
{
	int ok;

	if (!name)
		return;
	if (!strncmp(name, "TLS_", 4))
		ok = SSL_CTX_set_ciphersuites(ctx, name);
	else
		ok = SSL_CTX_set_cipher_list(ctx, name);
	if (!ok)
		die("'%s': %s", name, ssl_reason());
}

SSL *client_ssl(SSL_CTX *ctx, const char *name)
{
	SSL *ssl = SSL_new(ctx);

	if (!ssl)
		die("SSL_new: %s", ssl_reason());
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(ssl), -1);
	SSL_set_connect_state(ssl);
	if (name && *name) {
		SSL_set_tlsext_host_name(ssl, name);
		SSL_set1_host(ssl, name);
	}
	return ssl;
}
