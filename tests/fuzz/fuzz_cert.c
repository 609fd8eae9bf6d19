/* SPDX-License-Identifier: MIT */
/*
 * What is read from a certificate, on any; for libFuzzer. The first byte says
 * what follows: a certificate, or the contents of one extension, around which
 * one is made, so that mutations need no lengths put right.
 */
#include <openssl/err.h>

#include "ocsp/cert.h"
#include "ocsp/der.h"
#include "tests/fuzz/seeds.h"

enum mode { RAW, ACCESS, FEATURE, MODES };

#define INFO_ACCESS "\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x01"
#define TLS_FEATURE "\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x18"
#define EXTENSION_LEN 10

static const char access_value[] =
	"\x30\x2c"
	"\x30\x14\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86\x08http://a"
	"\x30\x14\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x08http://b";
static const char feature_value[] = "\x30\x06\x02\x01\x11\x02\x01\x05";

static struct ocsp_bytes plain, head, tail;	/* of a certificate */
static struct blob seeds[MODES];

/* The extension's contents in @b: make it a certificate. */
static void put_around(struct blob *b, const char *extension)
{
	blob_wrap(b, 0x04);
	blob_prepend(b, extension, EXTENSION_LEN);
	blob_wrap(b, 0x30);
	blob_wrap(b, 0x30);
	blob_wrap(b, 0xa3);
	blob_prepend(b, head.data, head.len);
	blob_wrap(b, 0x30);
	blob_put(b, tail.data, tail.len);
	blob_wrap(b, 0x30);
}

static void put_input(struct blob *b, const uint8_t *data, size_t size)
{
	b->len = 0;
	blob_put(b, data + 1, size - 1);
	if (data[0] % MODES == ACCESS)
		put_around(b, INFO_ACCESS);
	else if (data[0] % MODES == FEATURE)
		put_around(b, TLS_FEATURE);
}

static void make_seed(enum mode mode, const void *data, size_t len)
{
	uint8_t byte = mode;

	blob_put(&seeds[mode], &byte, 1);
	blob_put(&seeds[mode], data, len);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct blob b;
	struct ocsp_bytes all, cert;
	char url[OCSP_URL_MAX];
	uint8_t raw[32] = { 1 };
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
						     raw, sizeof(raw));
	X509 *x509;

	(void)argc;
	(void)argv;
	x509 = cert_make(&(struct cert_order){ .name = "leaf", .key = key });
	plain = all = cert_bytes(x509);
	X509_free(x509);
	EVP_PKEY_free(key);
	MUST(ocsp_der_take(&all, DER_SEQUENCE, &cert));
	tail = cert;
	MUST(ocsp_der_take(&tail, DER_SEQUENCE, &head));

	make_seed(ACCESS, access_value, sizeof(access_value) - 1);
	put_input(&b, seeds[ACCESS].data, seeds[ACCESS].len);
	MUST(ocsp_responder(blob_bytes(&b), 0, url) == 0);
	make_seed(FEATURE, feature_value, sizeof(feature_value) - 1);
	make_seed(RAW, b.data, b.len);
	put_input(&b, seeds[FEATURE].data, seeds[FEATURE].len);
	MUST(ocsp_must_staple(blob_bytes(&b)));
	return 0;
}

static void check_url(const char *url)
{
	const char *p;

	MUST(strnlen(url, OCSP_URL_MAX) < OCSP_URL_MAX);
	MUST(strncasecmp(url, "http://", 7) == 0 ||
	     strncasecmp(url, "https://", 8) == 0);
	for (p = url; *p; p++)
		MUST(*p > ' ' && *p < 0x7f && *p != '"' && *p != '\\');
	p = strstr(url, "//") + 2;
	MUST(!memchr(p, '@', strcspn(p, "/?#")));
}

static void check_request(struct ocsp_bytes leaf, struct ocsp_bytes issuer)
{
	uint8_t buf[OCSP_REQUEST_MAX];
	size_t len;

	if (ocsp_request(leaf, issuer, OCSP_SHA256, buf, &len))
		return;
	MUST(len > 0 && len <= sizeof(buf));
	MUST(ocsp_der_valid((struct ocsp_bytes){ buf, len }));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t fingerprint[OCSP_FINGERPRINT_LEN];
	char url[OCSP_URL_MAX];
	static struct blob b;
	struct ocsp_bytes cert;
	unsigned int i;

	if (size == 0 || size > sizeof(b.data) / 2)
		return 0;
	put_input(&b, data, size);
	cert = blob_bytes(&b);
	ERR_clear_error();
	for (i = 0; ocsp_responder(cert, i, url) == 0; i++)
		check_url(url);
	MUST(ocsp_responder(cert, i + 1, url) < 0);
	ocsp_must_staple(cert);
	ocsp_fingerprint(cert, fingerprint);
	check_request(cert, plain);
	check_request(plain, cert);
	MUST(ERR_peek_error() == 0);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	return mutate_from(seeds, MODES, data, size, max, seed);
}
