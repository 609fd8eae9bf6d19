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
	/* Nobody need ever write to a pipe: it is an empty file. */
	int fd = open(r->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
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

/*
 * @file:  where it comes from; NULL: there is none
 * @len:   bytes of @text
 * @asked: it was needed
 */
struct passphrase {
	const char *file;
	char text[PEM_BUFSIZE];
	size_t len;
	bool asked;
};

static void passphrase_wipe(struct passphrase *p)
{
	OPENSSL_cleanse(p, sizeof(*p));
}

/* No prompt on a terminal that a daemon does not have. */
static int tell_passphrase(char *buf, int size, int writing, void *arg)
{
	struct passphrase *p = arg;

	(void)writing;
	p->asked = true;
	if (!p->file || p->len > (size_t)size)
		return -1;
	memcpy(buf, p->text, p->len);
	return (int)p->len;
}

/* The first line; a file may end without one's end. */
static int read_passphrase(const char *file, const struct hs_report *key,
			   struct passphrase *p)
{
	struct text text __attribute__((cleanup(text_wipe))) = { 0 };
	const struct hs_report r = { file, key->error, key->len };
	const uint8_t *end;

	if (!file)
		return 0;
	if (read_text(&r, &text))
		return -EINVAL;
	end = memchr(text.data, '\n', text.len);
	p->len = end ? (size_t)(end - text.data) : text.len;
	if (p->len && text.data[p->len - 1] == '\r')
		p->len--;
	if (!p->len)
		return hs_report(&r, "no passphrase in its first line");
	if (p->len > sizeof(p->text))
		return hs_report(&r, "a passphrase of more than %zu bytes",
				 sizeof(p->text));
	memcpy(p->text, text.data, p->len);
	p->file = file;
	return 0;
}

static bool at_end_of_pem(void)
{
	unsigned long e = ERR_peek_last_error();

	return ERR_GET_LIB(e) == ERR_LIB_PEM &&
	       ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

/*
 * Many chains have the same CAs in them. Kept once they are read once, which for
 * a key takes longer than all else, and are in the caches when the next chain is
 * sent; and they leave more memory to workers: to send a certificate is to count a
 * reference to it, and so each gets its own copy of that page.
 */
#define CAS_MAX 16
static struct ca {
	X509 *cert;
	uint8_t *der;
	long len;
} cas[CAS_MAX];		/* those met last */
static unsigned int next_ca;

static X509 *find_ca(const uint8_t *der, long len)
{
	for (unsigned int i = 0; i < CAS_MAX; i++) {
		if (!cas[i].cert || cas[i].len != len ||
		    memcmp(cas[i].der, der, len))
			continue;
		X509_up_ref(cas[i].cert);
		return cas[i].cert;
	}
	return NULL;
}

static void keep_ca(X509 *cert, const uint8_t *der, long len)
{
	struct ca *ca = &cas[next_ca++ % CAS_MAX];

	X509_free(ca->cert);
	OPENSSL_free(ca->der);
	ca->der = OPENSSL_memdup(der, len);
	ca->len = ca->der ? len : 0;
	ca->cert = ca->der && X509_up_ref(cert) ? cert : NULL;
}

static X509 *read_ca(const uint8_t *der, long len)
{
	X509 *cert = find_ca(der, len);
	const uint8_t *p = der;

	if (cert)
		return cert;
	cert = d2i_X509(NULL, &p, len);
	if (cert)
		keep_ca(cert, der, len);
	return cert;
}

/* The first of a file is its own, the others may be CAs. */
static X509 *read_cert(BIO *bio, bool first)
{
	struct passphrase none = { 0 };
	unsigned char *der = NULL;
	const uint8_t *p;
	X509 *cert;
	long len;

	if (!PEM_bytes_read_bio(&der, &len, NULL, PEM_STRING_X509, bio,
				tell_passphrase, &none))
		return NULL;
	p = der;
	cert = first ? d2i_X509(NULL, &p, len) : read_ca(der, len);
	OPENSSL_free(der);
	return cert;
}

STACK_OF(X509) *hs_read_chain(const struct hs_report *r)
{
	struct text text __attribute__((cleanup(text_wipe))) = { 0 };
	STACK_OF(X509) *chain = sk_X509_new_null();
	BIO *bio = NULL;
	X509 *cert;

	ERR_clear_error();
	if (!chain || read_text(r, &text))
		goto fail;
	bio = BIO_new_mem_buf(text.data, text.len);
	while (bio && (cert = read_cert(bio, !sk_X509_num(chain)))) {
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
 * The first private key, alone: certificates may stand before it, or the
 * parameters of its curve.
 */
static bool find_block(const struct text *t, struct text *block)
{
	static const char begin[] = "-----BEGIN ", end[] = "-----END ",
			  key[] = "PRIVATE KEY-----";
	const uint8_t *limit = t->data + t->len, *p = t->data, *line;

	while ((p = memmem(p, limit - p, begin, sizeof(begin) - 1))) {
		line = memchr(p, '\n', limit - p);
		line = line ? line : limit;
		if (memmem(p, line - p, key, sizeof(key) - 1))
			break;
		p = line;
	}
	if (!p)
		return false;
	line = memmem(p, limit - p, end, sizeof(end) - 1);
	line = line ? memchr(line, '\n', limit - line) : NULL;
	*block = (struct text){ (uint8_t *)p, (line ? line : limit) - p };
	return true;
}

/*
 * libcrypto makes a decoder for each key, which takes eight times as long as to
 * use it: this one is kept for the next of thousands.
 */
static EVP_PKEY *decode_key(const struct text *t, struct passphrase *pass)
{
	static OSSL_DECODER_CTX *decoder;
	static EVP_PKEY *key;
	const uint8_t *p = t->data;
	size_t len = t->len;

	if (!decoder)
		decoder = OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", NULL, NULL,
							EVP_PKEY_KEYPAIR, NULL,
							NULL);
	key = NULL;
	if (!decoder || !OSSL_DECODER_CTX_set_pem_password_cb(
				decoder, tell_passphrase, pass))
		return NULL;
	OSSL_DECODER_from_data(decoder, &p, &len);
	return key;
}

/* One that the decoder does not take; says what is wrong with it. */
static EVP_PKEY *read_block(const struct hs_report *r, const struct text *t,
			    struct passphrase *pass)
{
	BIO *bio = BIO_new_mem_buf(t->data, t->len);
	EVP_PKEY *key = NULL;

	if (bio)
		key = PEM_read_bio_PrivateKey(bio, NULL, tell_passphrase, pass);
	if (!key && pass->asked && !pass->file)
		hs_report(r, "the key is encrypted; name the file of its "
			  "passphrase with key_password_file:");
	else if (!key && pass->asked)
		hs_report(r, "the key cannot be decrypted with the passphrase "
			  "in %s", pass->file);
	else if (!key)
		hs_report(r, "the private key in it cannot be read");
	BIO_free(bio);
	return key;
}

EVP_PKEY *hs_read_key(const struct hs_report *r, const char *password_file)
{
	struct text text __attribute__((cleanup(text_wipe))) = { 0 }, block;
	struct passphrase pass __attribute__((cleanup(passphrase_wipe))) = { 0 };
	EVP_PKEY *key;

	ERR_clear_error();
	if (read_text(r, &text) || read_passphrase(password_file, r, &pass))
		return NULL;
	if (!find_block(&text, &block)) {
		hs_report(r, "no PEM private key in it");
		return NULL;
	}
	key = decode_key(&block, &pass);
	if (!key)
		key = read_block(r, &block, &pass);
	ERR_clear_error();
	return key;
}

bool hs_has_key(const char *file)
{
	struct text text __attribute__((cleanup(text_wipe))) = { 0 }, block;
	char nothing[1];
	const struct hs_report r = { file, nothing, sizeof(nothing) };

	return !read_text(&r, &text) && find_block(&text, &block);
}
