/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <openssl/err.h>

#include "ocsp/der.h"
#include "ocsp/parse.h"
#include "ocsp/signer.h"
#include "ocsp/trim.h"

/*
 * struct parts - what stays of a response
 * @type:   of ResponseBytes, the whole element
 * @covered: by the signature, with it: tbsResponseData, signatureAlgorithm, signature
 * @cert:   empty: none
 */
struct parts {
	struct ocsp_bytes type, covered, cert;
};

/* From @from to where @to begins now. */
static struct ocsp_bytes until(const uint8_t *from, struct ocsp_bytes to)
{
	return (struct ocsp_bytes){ from, (size_t)(to.data - from) };
}

static bool take_parts(struct ocsp_bytes der, struct parts *parts)
{
	struct ocsp_bytes response, tagged, bytes, octets, basic, skipped;
	const uint8_t *begin;

	if (!ocsp_der_take(&der, DER_SEQUENCE, &response) ||
	    !ocsp_der_take(&response, DER_ENUMERATED, &skipped) ||
	    !ocsp_der_take(&response, DER_CONTEXT_0, &tagged) ||
	    !ocsp_der_take(&tagged, DER_SEQUENCE, &bytes))
		return false;
	begin = bytes.data;
	if (!ocsp_der_take(&bytes, DER_OID, &skipped))
		return false;
	parts->type = until(begin, bytes);
	if (!ocsp_der_take(&bytes, DER_OCTET_STRING, &octets) ||
	    !ocsp_der_take(&octets, DER_SEQUENCE, &basic))
		return false;
	begin = basic.data;
	if (!ocsp_der_take(&basic, DER_SEQUENCE, &skipped) ||
	    !ocsp_der_take(&basic, DER_SEQUENCE, &skipped) ||
	    !ocsp_der_take(&basic, DER_BIT_STRING, &skipped))
		return false;
	parts->covered = until(begin, basic);
	return true;
}

/* An element with contents of @len bytes. */
static size_t whole(size_t len)
{
	return len + (len < 0x80 ? 2 : len < 0x100 ? 3 : 4);
}

static uint8_t *put_head(uint8_t *p, uint8_t tag, size_t len)
{
	*p++ = tag;
	if (len >= 0x100) {
		*p++ = 0x82;
		*p++ = (uint8_t)(len >> 8);
	} else if (len >= 0x80) {
		*p++ = 0x81;
	}
	*p++ = (uint8_t)len;
	return p;
}

static uint8_t *put(uint8_t *p, struct ocsp_bytes bytes)
{
	memmove(p, bytes.data, bytes.len);
	return p + bytes.len;
}

/*
 * In place: no head is longer than the one that it replaces, so that parts move
 * towards the front, and the first one first.
 */
static size_t build(uint8_t *der, const struct parts *parts)
{
	size_t cert = parts->cert.len;
	size_t basic = parts->covered.len + (cert ? whole(whole(cert)) : 0);
	size_t bytes = parts->type.len + whole(whole(basic));
	uint8_t *p = der;

	p = put_head(p, DER_SEQUENCE, 3 + whole(whole(bytes)));
	p = put_head(p, DER_ENUMERATED, 1);
	*p++ = OCSP_RESPONSE_STATUS_SUCCESSFUL;
	p = put_head(p, DER_CONTEXT_0, whole(bytes));
	p = put_head(p, DER_SEQUENCE, bytes);
	p = put(p, parts->type);
	p = put_head(p, DER_OCTET_STRING, whole(basic));
	p = put_head(p, DER_SEQUENCE, basic);
	p = put(p, parts->covered);
	if (cert) {
		p = put_head(p, DER_CONTEXT_0, whole(cert));
		p = put_head(p, DER_SEQUENCE, cert);
		p = put(p, parts->cert);
	}
	return (size_t)(p - der);
}

/* The one that is the issuer's own, to the byte. */
static X509 *find_same(const STACK_OF(X509) *certs, const X509 *issuer)
{
	int i;

	for (i = 0; i < sk_X509_num(certs); i++)
		if (!X509_cmp(sk_X509_value(certs, i), issuer))
			return sk_X509_value(certs, i);
	return NULL;
}

static size_t trim(uint8_t *der, size_t len, OCSP_BASICRESP *basic,
		   X509 *issuer, int64_t now)
{
	const STACK_OF(X509) *certs = OCSP_resp_get0_certs(basic);
	struct parts parts = { 0 };
	uint8_t *copy = NULL;
	X509 *signer;
	int n = 0;

	if (!ocsp_find_signer(basic, issuer, now, &signer) ||
	    !take_parts((struct ocsp_bytes){ der, len }, &parts))
		return len;
	if (!signer)
		signer = find_same(certs, issuer);
	if (sk_X509_num(certs) <= (signer ? 1 : 0))
		return len;
	if (signer)
		n = i2d_X509(signer, &copy);
	if (n < 0)
		return len;
	parts.cert = (struct ocsp_bytes){ copy, (size_t)n };
	len = build(der, &parts);
	OPENSSL_free(copy);
	return len;
}

size_t ocsp_trim(uint8_t *der, size_t len, struct ocsp_bytes issuer,
		 int64_t now)
{
	OCSP_BASICRESP *basic = NULL;
	X509 *ca;

	ERR_set_mark();
	ca = ocsp_parse_cert(issuer);
	if (ca && !ocsp_parse((struct ocsp_bytes){ der, len }, &basic))
		len = trim(der, len, basic, ca, now);
	OCSP_BASICRESP_free(basic);
	X509_free(ca);
	ERR_pop_to_mark();
	return len;
}
