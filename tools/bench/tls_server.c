// SPDX-License-Identifier: MIT
#include "tls_server.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "ktls/derive.h"
#include "ktls/install.h"
#include "talk.h"
#include "util.h"

/* struct traffic - a connection's secrets, for keys of TLS_BOTH */
#define SECRET_LEN 32
struct traffic {
	unsigned char client[SECRET_LEN], server[SECRET_LEN];
	size_t client_len, server_len;
};

/* "LABEL 64-HEX-DIGITS HEX"; what is no such secret leaves its length 0. */
static void take_secret(const char *line, const char *label,
			unsigned char *secret, size_t *len)
{
	const size_t n = strlen(label);

	if (strncmp(line, label, n) || strlen(line) < n + 66 ||
	    OPENSSL_hexstr2buf_ex(secret, SECRET_LEN, len, line + n + 66,
				  '\0') != 1)
		ERR_clear_error();
}

static void on_secret(const SSL *ssl, const char *line)
{
	struct traffic *t = SSL_get_app_data(ssl);

	take_secret(line, "CLIENT_TRAFFIC_SECRET_0", t->client, &t->client_len);
	take_secret(line, "SERVER_TRAFFIC_SECRET_0", t->server, &t->server_len);
}

SSL_CTX *tls_server_context(enum bench_key key, enum own_tls tls)
{
	char *cert = scratch("cert-%s.pem", key_names[key]);
	char *pem = scratch("key-%s.pem", key_names[key]);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, pem, SSL_FILETYPE_PEM) != 1)
		die("OpenSSL makes no context: %s", talk_error());
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* As every server sets it that has many connections. */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	if (tls == TLS_SEND)
		SSL_CTX_set_options(ctx, SSL_OP_ENABLE_KTLS);
	if (tls == TLS_BOTH) {
		SSL_CTX_set_keylog_callback(ctx, on_secret);
		/* So that the kernel's first record is the key's, too. */
		SSL_CTX_set_num_tickets(ctx, 0);
	}
	free(cert);
	free(pem);
	return ctx;
}

SSL *tls_accept(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);

	if (!ssl || !SSL_set_fd(ssl, fd))
		die("SSL_new: %s", talk_error());
	SSL_set_accept_state(ssl);
	if (SSL_CTX_get_keylog_callback(ctx))
		SSL_set_app_data(ssl, zalloc(sizeof(struct traffic)));
	return ssl;
}

ssize_t tls_result(SSL *ssl, int n)
{
	if (n > 0)
		return n;
	switch (SSL_get_error(ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		ERR_clear_error();
		return -EPROTO;
	}
}

static void drop(SSL *ssl)
{
	struct traffic *t = SSL_get_app_data(ssl);

	if (t)
		OPENSSL_cleanse(t, sizeof(*t));
	free(t);
	SSL_free(ssl);
}

static int derive(const struct traffic *t, struct ktls_keys *keys)
{
	static struct ktls_derive *d;
	int rc;

	if (!d)
		d = ktls_derive_new();
	if (!d)
		die("ktls_derive_new: no SHA-256");
	rc = ktls_derive_keys(d, keys->cipher, t->client, t->client_len,
			      &keys->rx);
	return rc ? rc :
		    ktls_derive_keys(d, keys->cipher, t->server, t->server_len,
				     &keys->tx);
}

/* OpenSSL, told nothing else, has read no byte behind the client's Finished. */
static int into_kernel(SSL **ssl)
{
	struct ktls_keys keys = {.version = KTLS_TLS13,
				 .cipher = KTLS_AES_128_GCM};
	const int fd = SSL_get_fd(*ssl);
	int rc = derive(SSL_get_app_data(*ssl), &keys);

	if (!rc)
		rc = ktls_attach(fd);
	if (!rc)
		rc = ktls_install(fd, &keys);
	OPENSSL_cleanse(&keys, sizeof(keys));
	if (rc)
		return rc;
	drop(*ssl);
	*ssl = NULL;
	return 0;
}

int tls_shaken(SSL **ssl, enum own_tls tls)
{
	if (tls == TLS_BOTH)
		return into_kernel(ssl);
	return tls != TLS_SEND || BIO_get_ktls_send(SSL_get_wbio(*ssl)) ?
		       0 :
		       -EOPNOTSUPP;
}

void tls_end(SSL *ssl)
{
	if (!ssl)
		return;
	if (SSL_is_init_finished(ssl))
		SSL_shutdown(ssl);
	ERR_clear_error();
	drop(ssl);
}
