/* SPDX-License-Identifier: MIT */
/*
 * Certificates and OCSP responses made to order, for tests. Everything dies
 * with the test's process; a failure of libcrypto aborts it.
 */
#ifndef TESTS_OCSP_PKI_H
#define TESTS_OCSP_PKI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ocsp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "ocsp/ocsp.h"

#define NOW INT64_C(1700000000)
#define HOUR 3600
#define DAY 86400

#define MUST(expression) \
	do { \
		if (!(expression)) \
			abort(); \
	} while (0)

/* Bytes that grow at either end. */
struct blob {
	uint8_t data[80000];
	size_t len;
};

static inline void blob_put(struct blob *b, const void *data, size_t len)
{
	MUST(len <= sizeof(b->data) - b->len);
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static inline void blob_prepend(struct blob *b, const void *data, size_t len)
{
	MUST(len <= sizeof(b->data) - b->len);
	memmove(b->data + len, b->data, b->len);
	memcpy(b->data, data, len);
	b->len += len;
}

/* Make all of it the contents of one element. */
static inline void blob_wrap(struct blob *b, uint8_t tag)
{
	uint8_t head[] = { tag, 0x83, (uint8_t)(b->len >> 16),
			   (uint8_t)(b->len >> 8), (uint8_t)b->len };

	if (b->len < 0x80) {
		head[1] = (uint8_t)b->len;
		blob_prepend(b, head, 2);
	} else if (b->len < 0x100) {
		head[1] = 0x81;
		head[2] = (uint8_t)b->len;
		blob_prepend(b, head, 3);
	} else if (b->len < 0x10000) {
		head[1] = 0x82;
		memmove(head + 2, head + 3, 2);
		blob_prepend(b, head, 4);
	} else {
		blob_prepend(b, head, 5);
	}
}

static inline struct ocsp_bytes blob_bytes(const struct blob *b)
{
	return (struct ocsp_bytes){ b->data, b->len };
}

/* BasicOCSPResponse in @b: make it an OCSPResponse of the type @oid (DER). */
static inline void blob_envelope(struct blob *b, const char *oid,
				 size_t oid_len)
{
	blob_wrap(b, 0x04);
	blob_prepend(b, oid, oid_len);
	blob_wrap(b, 0x30);
	blob_wrap(b, 0xa0);
	blob_prepend(b, "\x0a\x01\x00", 3);
	blob_wrap(b, 0x30);
}

#define BASIC_OID "\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x01"
#define BASIC_OID_LEN 11

#define SHA256_RSA \
	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"
#define SHA256_RSA_LEN 15

/*
 * tbsResponseData in @b: sign it and make it an OCSPResponse, with @cert in it
 * unless that is empty.
 */
static inline void blob_sign(struct blob *b, EVP_PKEY *key, const EVP_MD *md,
			     const void *algorithm, size_t algorithm_len,
			     struct ocsp_bytes cert)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[1024];
	size_t len = sizeof(signature);
	struct blob *bits = calloc(1, sizeof(*bits));

	MUST(bits && ctx && EVP_DigestSignInit(ctx, NULL, md, NULL, key));
	MUST(EVP_DigestSign(ctx, signature, &len, b->data, b->len));
	blob_put(bits, "\0", 1);
	blob_put(bits, signature, len);
	blob_wrap(bits, 0x03);
	blob_put(b, algorithm, algorithm_len);
	blob_put(b, bits->data, bits->len);
	if (cert.len) {
		bits->len = 0;
		blob_put(bits, cert.data, cert.len);
		blob_wrap(bits, 0x30);
		blob_wrap(bits, 0xa0);
		blob_put(b, bits->data, bits->len);
	}
	blob_wrap(b, 0x30);
	blob_envelope(b, BASIC_OID, BASIC_OID_LEN);
	EVP_MD_CTX_free(ctx);
	free(bits);
}

/*
 * struct cert_order - a certificate to be made
 * @issuer:     NULL: self-signed
 * @serial:     hexadecimal; NULL: 1000
 * @ku, @eku:   as in openssl.cnf, NULL: without
 * @extra:      another extension, of OID @extra_oid, critical
 * @from, @to:  relative to NOW; 0: a year each
 */
struct cert_order {
	const char *name, *serial, *ku, *eku, *extra_oid;
	EVP_PKEY *key;
	X509 *issuer;
	EVP_PKEY *issuer_key;
	const EVP_MD *md;
	int64_t from, to;
};

static inline void cert_extend(X509 *cert, const char *name, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf(NULL, NULL, name, value);

	MUST(ext && X509_add_ext(cert, ext, -1));
	X509_EXTENSION_free(ext);
}

static inline X509_EXTENSION *odd_extension(const char *oid, bool critical)
{
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 0);
	X509_EXTENSION *ext;

	MUST(value && ASN1_OCTET_STRING_set(value, (void *)"\x05\x00", 2));
	ext = X509_EXTENSION_create_by_OBJ(NULL, object, critical, value);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(object);
	MUST(ext);
	return ext;
}

static inline void cert_name(X509_NAME *name, const char *cn)
{
	MUST(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					(const uint8_t *)cn, -1, -1, 0));
}

static inline void cert_serial(X509 *cert, const char *hex)
{
	BIGNUM *number = NULL;

	MUST(BN_hex2bn(&number, hex));
	MUST(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)));
	BN_free(number);
}

static inline X509 *cert_make(const struct cert_order *o)
{
	X509 *cert = X509_new();
	X509_EXTENSION *ext;

	MUST(cert && X509_set_version(cert, X509_VERSION_3));
	cert_serial(cert, o->serial ? o->serial : "1000");
	cert_name(X509_get_subject_name(cert), o->name);
	MUST(X509_set_issuer_name(
		cert, X509_get_subject_name(o->issuer ? o->issuer : cert)));
	ASN1_TIME_set(X509_getm_notBefore(cert),
		      NOW + (o->from ? o->from : -365 * DAY));
	ASN1_TIME_set(X509_getm_notAfter(cert),
		      NOW + (o->to ? o->to : 365 * DAY));
	MUST(X509_set_pubkey(cert, o->key));
	if (o->ku)
		cert_extend(cert, "keyUsage", o->ku);
	if (o->eku)
		cert_extend(cert, "extendedKeyUsage", o->eku);
	if (o->extra_oid) {
		ext = odd_extension(o->extra_oid, true);
		MUST(X509_add_ext(cert, ext, -1));
		X509_EXTENSION_free(ext);
	}
	MUST(X509_sign(cert, o->issuer_key ? o->issuer_key : o->key, o->md));
	return cert;
}

static inline struct ocsp_bytes cert_bytes(X509 *cert)
{
	uint8_t *der = NULL;
	int len = i2d_X509(cert, &der);

	MUST(len > 0);
	return (struct ocsp_bytes){ der, (size_t)len };
}

#endif
