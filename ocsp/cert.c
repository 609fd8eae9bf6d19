/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "ocsp/cert.h"
#include "ocsp/parse.h"

#define STATUS_REQUEST 5 /* TLS's number of the extension (RFC 6066 8) */

void ocsp_fingerprint(struct ocsp_bytes cert, uint8_t out[OCSP_FINGERPRINT_LEN])
{
	ERR_set_mark();
	/* A name that is not the certificate's own must not get around. */
	if (!SHA256(cert.data, cert.len, out))
		abort();
	ERR_pop_to_mark();
}

static size_t scheme_len(const char *url, size_t len)
{
	static const char *const schemes[] = { "http://", "https://" };
	size_t i, n;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		n = strlen(schemes[i]);
		if (len > n && strncasecmp(url, schemes[i], n) == 0)
			return n;
	}
	return 0;
}

/* What RFC 3986 has nowhere in a URL, and log lines need quoted. */
static bool is_url_char(char c)
{
	return c > ' ' && c < 0x7f && !strchr("\"<>\\^`{|}", c);
}

static bool usable(const char *url, size_t len)
{
	size_t i = scheme_len(url, len), host = i;

	if (!host || len >= OCSP_URL_MAX)
		return false;
	for (; i < len && !strchr("/?#", url[i]); i++)
		if (!is_url_char(url[i]) || url[i] == '@')
			return false;
	if (i == host || url[host] == ':')
		return false;
	for (; i < len; i++)
		if (!is_url_char(url[i]))
			return false;
	return true;
}

/* The URL of one AccessDescription, if it is one to be asked. */
static bool take_url(const ACCESS_DESCRIPTION *access, char url[OCSP_URL_MAX])
{
	const ASN1_IA5STRING *uri;
	const char *data;
	size_t len;

	if (OBJ_obj2nid(access->method) != NID_ad_OCSP ||
	    access->location->type != GEN_URI)
		return false;
	uri = access->location->d.uniformResourceIdentifier;
	data = (const char *)ASN1_STRING_get0_data(uri);
	len = (size_t)ASN1_STRING_length(uri);
	if (!usable(data, len))
		return false;
	memcpy(url, data, len);
	url[len] = '\0';
	return true;
}

static int find_url(const X509 *cert, unsigned int skip, char url[OCSP_URL_MAX])
{
	AUTHORITY_INFO_ACCESS *aia =
		X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);
	int i, ret = -ENOENT;

	for (i = 0; i < sk_ACCESS_DESCRIPTION_num(aia); i++) {
		if (!take_url(sk_ACCESS_DESCRIPTION_value(aia, i), url) ||
		    skip-- > 0)
			continue;
		ret = 0;
		break;
	}
	AUTHORITY_INFO_ACCESS_free(aia);
	return ret;
}

int ocsp_responder(struct ocsp_bytes cert, unsigned int i,
		   char url[OCSP_URL_MAX])
{
	int ret = -EINVAL;
	X509 *x509;

	ERR_set_mark();
	x509 = ocsp_parse_cert(cert);
	if (x509)
		ret = find_url(x509, i, url);
	X509_free(x509);
	ERR_pop_to_mark();
	return ret;
}

static bool has_feature(const X509 *cert, int64_t feature)
{
	TLS_FEATURE *features =
		X509_get_ext_d2i(cert, NID_tlsfeature, NULL, NULL);
	bool found = false;
	int64_t value;
	int i;

	for (i = 0; i < sk_ASN1_INTEGER_num(features) && !found; i++)
		found = ASN1_INTEGER_get_int64(
				&value, sk_ASN1_INTEGER_value(features, i)) &&
			value == feature;
	sk_ASN1_INTEGER_pop_free(features, ASN1_INTEGER_free);
	return found;
}

bool ocsp_must_staple(struct ocsp_bytes cert)
{
	bool found = false;
	X509 *x509;

	ERR_set_mark();
	x509 = ocsp_parse_cert(cert);
	if (x509)
		found = has_feature(x509, STATUS_REQUEST);
	X509_free(x509);
	ERR_pop_to_mark();
	return found;
}

static int encode(OCSP_REQUEST *request, uint8_t buf[OCSP_REQUEST_MAX],
		  size_t *len)
{
	int n = i2d_OCSP_REQUEST(request, NULL);

	if (n < 0)
		return -ENOMEM;
	if (n > OCSP_REQUEST_MAX)
		return -ENOSPC;
	*len = (size_t)i2d_OCSP_REQUEST(request, &buf);
	return 0;
}

static int make_request(const X509 *leaf, const X509 *issuer,
			enum ocsp_hash hash, uint8_t buf[OCSP_REQUEST_MAX],
			size_t *len)
{
	const EVP_MD *md = hash == OCSP_SHA256 ? EVP_sha256() : EVP_sha1();
	OCSP_REQUEST *request = OCSP_REQUEST_new();
	OCSP_CERTID *id = OCSP_cert_to_id(md, leaf, issuer);
	int ret = -ENOMEM;

	if (request && id && OCSP_request_add0_id(request, id)) {
		id = NULL;
		ret = encode(request, buf, len);
	}
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(request);
	return ret;
}

int ocsp_request(struct ocsp_bytes leaf, struct ocsp_bytes issuer,
		 enum ocsp_hash hash, uint8_t buf[OCSP_REQUEST_MAX],
		 size_t *len)
{
	X509 *cert, *ca;
	int ret = -EINVAL;

	ERR_set_mark();
	cert = ocsp_parse_cert(leaf);
	ca = ocsp_parse_cert(issuer);
	if (cert && ca)
		ret = make_request(cert, ca, hash, buf, len);
	X509_free(cert);
	X509_free(ca);
	ERR_pop_to_mark();
	return ret;
}
