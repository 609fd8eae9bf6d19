// SPDX-License-Identifier: MIT
/*
 * Certificate, chain and key from PEM files; each fault as one sentence that
 * names the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "handshake/internal.h"

#define FILE_MAX (1 << 20)

/* Where a sentence goes. */
struct report {
	const char *file;
	char *error;
	size_t len;
};

static int __attribute__((format(printf, 2, 3)))
report(const struct report *r, const char *format, ...)
{
	int n = snprintf(r->error, r->len, "%s: ", r->file);
	va_list ap;

	va_start(ap, format);
	if (n >= 0 && (size_t)n < r->len)
		vsnprintf(r->error + n, r->len - n, format, ap);
	va_end(ap);
	return -EINVAL;
}

static const char *ssl_reason(void)
{
	const char *s = ERR_reason_error_string(ERR_peek_last_error());

	return s ? s : "libcrypto gives no reason";
}

/* A file's bytes; a key may be among them. */
struct text {
	uint8_t *data;
	size_t len;
};

static void text_wipe(struct text *t)
{
	if (t->data)
		OPENSSL_cleanse(t->data, t->len);
	free(t->data);
}

static int read_text(const struct report *r, struct text *t)
{
	int fd = open(r->file, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0)
		t->data = malloc(FILE_MAX);
	while (t->data && t->len < FILE_MAX) {
		n = read(fd, t->data + t->len, FILE_MAX - t->len);
		if (n <= 0)
			break;
		t->len += n;
	}
	if (n < 0)
		report(r, "%s", strerror(errno));
	else if (n > 0)
		report(r, "more than %d bytes", FILE_MAX);
	if (fd >= 0)
		close(fd);
	return n ? -EINVAL : 0;
}

/* No prompt on a terminal that a daemon does not have. */
static int refuse_passphrase(char *buf, int size, int writing, void *asked)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

static bool at_end_of_pem(void)
{
	unsigned long e = ERR_peek_last_error();

	return ERR_GET_LIB(e) == ERR_LIB_PEM &&
	       ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

/* The file's certificates in order, at least one. */
static STACK_OF(X509) *read_chain(const struct report *r)
{
	struct text text __attribute__((cleanup(text_wipe))) = { 0 };
	STACK_OF(X509) *chain = sk_X509_new_null();
	BIO *bio = NULL;
	bool asked = false;
	X509 *cert;

	ERR_clear_error();
	if (!chain || read_text(r, &text))
		goto fail;
	bio = BIO_new_mem_buf(text.data, text.len);
	while (bio && (cert = PEM_read_bio_X509(bio, NULL, refuse_passphrase,
						&asked))) {
		if (!sk_X509_push(chain, cert)) {
			X509_free(cert);
			goto fail;
		}
	}
	if (!at_end_of_pem())
		report(r, "certificate %d cannot be read: %s",
		       sk_X509_num(chain) + 1, ssl_reason());
	else if (!sk_X509_num(chain))
		report(r, "no PEM certificate in it");
	else
		goto out;
fail:
	sk_X509_pop_free(chain, X509_free);
	chain = NULL;
out:
	BIO_free(bio);
	ERR_clear_error();
	return chain;
}

static EVP_PKEY *read_key(const struct report *r)
{
	struct text text __attribute__((cleanup(text_wipe))) = { 0 };
	bool asked = false;
	EVP_PKEY *key = NULL;
	BIO *bio;

	ERR_clear_error();
	if (read_text(r, &text))
		return NULL;
	bio = BIO_new_mem_buf(text.data, text.len);
	if (bio)
		key = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase,
					      &asked);
	if (!key && asked)
		report(r, "the key is encrypted; give it without a "
			  "passphrase");
	else if (!key)
		report(r, "no PEM private key in it that can be read");
	BIO_free(bio);
	ERR_clear_error();
	return key;
}

/* malloc'ed DER; data NULL when out of memory */
static struct ocsp_bytes to_der(X509 *cert)
{
	struct ocsp_bytes der = { 0 };
	int len = i2d_X509(cert, NULL);
	uint8_t *data = len > 0 ? malloc(len) : NULL;
	uint8_t *p = data;

	if (data && i2d_X509(cert, &p) == len)
		der = (struct ocsp_bytes){ data, len };
	else
		free(data);
	return der;
}

static int keep_der(X509 *cert, uint8_t **data, size_t *len)
{
	struct ocsp_bytes der = to_der(cert);

	*data = (uint8_t *)der.data;
	*len = der.len;
	return der.data ? 0 : -ENOMEM;
}

static int use_chain(struct hs_ctx *ctx, const struct report *r,
		     STACK_OF(X509) *chain)
{
	X509 *leaf = sk_X509_value(chain, 0);
	X509 *cert;

	if (!SSL_CTX_use_certificate(ctx->ssl, leaf))
		return report(r, "the certificate cannot be used: %s",
			      ssl_reason());
	if (keep_der(leaf, &ctx->leaf, &ctx->leaf_len))
		return report(r, "out of memory");
	for (int i = 1; i < sk_X509_num(chain); i++) {
		cert = sk_X509_value(chain, i);
		if (!SSL_CTX_add1_chain_cert(ctx->ssl, cert))
			return report(r, "certificate %d cannot be used: %s",
				      i + 1, ssl_reason());
		if (ctx->issuer ||
		    X509_check_issued(cert, leaf) != X509_V_OK)
			continue;
		if (keep_der(cert, &ctx->issuer, &ctx->issuer_len))
			return report(r, "out of memory");
	}
	hs_describe_cert(ctx, leaf);
	return 0;
}

static int use_key(struct hs_ctx *ctx, const struct report *r,
		   const char *chain_file, X509 *leaf)
{
	EVP_PKEY *key = read_key(r);
	int ret = 0;

	if (!key)
		return -EINVAL;
	if (!X509_check_private_key(leaf, key))
		ret = report(r, "the key does not match the certificate in %s",
			     chain_file);
	else if (!SSL_CTX_use_PrivateKey(ctx->ssl, key))
		ret = report(r, "the key cannot be used: %s", ssl_reason());
	EVP_PKEY_free(key);
	ERR_clear_error();
	return ret;
}

int hs_cert_load(struct hs_ctx *ctx, const struct hs_config *config,
		 char *error, size_t error_len)
{
	struct report r = { config->chain_file, error, error_len };
	STACK_OF(X509) *chain = read_chain(&r);
	int ret = -EINVAL;

	if (!chain)
		return ret;
	ret = use_chain(ctx, &r, chain);
	if (!ret) {
		r.file = config->key_file;
		ret = use_key(ctx, &r, config->chain_file,
			      sk_X509_value(chain, 0));
	}
	sk_X509_pop_free(chain, X509_free);
	return ret;
}

struct ocsp_bytes hs_read_cert(const char *file, char *error, size_t error_len)
{
	struct report r = { file, error, error_len };
	STACK_OF(X509) *chain = read_chain(&r);
	struct ocsp_bytes der = { 0 };

	if (!chain)
		return der;
	der = to_der(sk_X509_value(chain, 0));
	if (!der.data)
		report(&r, "out of memory");
	sk_X509_pop_free(chain, X509_free);
	return der;
}
