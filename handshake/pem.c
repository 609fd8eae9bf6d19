// SPDX-License-Identifier: MIT
/*
 * Certificates and keys from PEM files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "handshake/pem.h"

#define FILE_MAX (1 << 20)

int hs_report(const struct hs_report *r, const char *format, ...)
{
	int n = snprintf(r->error, r->len, "%s: ", r->file);
	va_list ap;

	va_start(ap, format);
	if (n >= 0 && (size_t)n < r->len)
		vsnprintf(r->error + n, r->len - n, format, ap);
	va_end(ap);
	return -EINVAL;
}

const char *hs_ssl_reason(void)
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

static int read_text(const struct hs_report *r, struct text *t)
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
		hs_report(r, "%s", strerror(errno));
	else if (n > 0)
		hs_report(r, "more than %d bytes", FILE_MAX);
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

STACK_OF(X509) *hs_read_chain(const struct hs_report *r)
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
		hs_report(r, "certificate %d cannot be read: %s",
		       sk_X509_num(chain) + 1, hs_ssl_reason());
	else if (!sk_X509_num(chain))
		hs_report(r, "no PEM certificate in it");
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

/*
 * A file with a key and nothing else. libcrypto makes a decoder for each key,
 * which takes eight times as long as to use it: this one is kept for the next
 * of thousands.
 */
static EVP_PKEY *decode_key(const struct text *t)
{
	static OSSL_DECODER_CTX *decoder;
	static EVP_PKEY *key;
	static bool asked;
	const uint8_t *p = t->data;
	size_t len = t->len;

	if (!decoder)
		decoder = OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", NULL, NULL,
							EVP_PKEY_KEYPAIR, NULL,
							NULL);
	key = NULL;
	if (!decoder || !OSSL_DECODER_CTX_set_pem_password_cb(
				decoder, refuse_passphrase, &asked))
		return NULL;
	OSSL_DECODER_from_data(decoder, &p, &len);
	return key;
}

/* Any file; says what is wrong with it. */
static EVP_PKEY *find_key(const struct hs_report *r, const struct text *t)
{
	BIO *bio = BIO_new_mem_buf(t->data, t->len);
	bool asked = false;
	EVP_PKEY *key = NULL;

	if (bio)
		key = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase,
					      &asked);
	if (!key && asked)
		hs_report(r, "the key is encrypted; give it without a "
			  "passphrase");
	else if (!key)
		hs_report(r, "no PEM private key in it that can be read");
	BIO_free(bio);
	return key;
}

EVP_PKEY *hs_read_key(const struct hs_report *r)
{
	struct text text __attribute__((cleanup(text_wipe))) = { 0 };
	EVP_PKEY *key;

	ERR_clear_error();
	if (read_text(r, &text))
		return NULL;
	key = decode_key(&text);
	if (!key)
		key = find_key(r, &text);
	ERR_clear_error();
	return key;
}
