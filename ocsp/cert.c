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
#include "ocsp/der.h"
#include "ocsp/parse.h"

/* Tags in a TBSCertificate (RFC 5280 4.1) */
#define ISSUER_ID 0x81
#define SUBJECT_ID 0x82
#define EXTENSIONS 0xa3
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

/* TBSCertificate, RFC 5280 4.1, as far as its extensions */
static bool skip_to_extensions(struct ocsp_bytes *tbs)
{
	struct ocsp_bytes skipped;
	int i;

	ocsp_der_take(tbs, DER_CONTEXT_0, &skipped);
	if (!ocsp_der_take(tbs, DER_INTEGER, &skipped))
		return false;
	/* signature, issuer, validity, subject, subjectPublicKeyInfo */
	for (i = 0; i < 5; i++)
		if (!ocsp_der_take(tbs, DER_SEQUENCE, &skipped))
			return false;
	ocsp_der_take(tbs, ISSUER_ID, &skipped);
	ocsp_der_take(tbs, SUBJECT_ID, &skipped);
	return true;
}

/* From DER of at most 64 KiB. */
static int find_extensions(struct ocsp_bytes cert, X509_EXTENSIONS **list)
{
	struct ocsp_bytes all, tbs, tagged;
	const uint8_t *p;

	*list = NULL;
	if (!ocsp_der_take(&cert, DER_SEQUENCE, &all) || cert.len ||
	    !ocsp_der_take(&all, DER_SEQUENCE, &tbs) ||
	    !skip_to_extensions(&tbs))
		return -EINVAL;
	if (!tbs.len)
		return 0;
	if (!ocsp_der_take(&tbs, EXTENSIONS, &tagged) || tbs.len)
		return -EINVAL;
	p = tagged.data;
	*list = d2i_X509_EXTENSIONS(NULL, &p, (long)tagged.len);
	if (*list && p == tagged.data + tagged.len)
		return 0;
	sk_X509_EXTENSION_pop_free(*list, X509_EXTENSION_free);
	*list = NULL;
	return -EINVAL;
}

/*
 * libcrypto's X509 would decode the key, too: 0.1 ms each time, and these are
 * questions that are asked several times about each of thousands. But it takes
 * what ours does not: longer ones, and such BER as clients take as well.
 */
static int read_extensions(struct ocsp_bytes cert, X509_EXTENSIONS **list)
{
	const X509_EXTENSIONS *found;
	X509 *parsed;
	int ret;

	if (!find_extensions(cert, list))
		return 0;
	parsed = ocsp_parse_cert(cert);
	if (!parsed)
		return -EINVAL;
	found = X509_get0_extensions(parsed);
	if (found)
		*list = sk_X509_EXTENSION_deep_copy(found, X509_EXTENSION_dup,
						    X509_EXTENSION_free);
	ret = found && !*list ? -EINVAL : 0;
	X509_free(parsed);
	return ret;
}

static int find_url(const X509_EXTENSIONS *list, unsigned int skip,
		    char url[OCSP_URL_MAX])
{
	AUTHORITY_INFO_ACCESS *aia =
		X509V3_get_d2i(list, NID_info_access, NULL, NULL);
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
	X509_EXTENSIONS *list;
	int ret;

	ERR_set_mark();
	ret = read_extensions(cert, &list);
	if (!ret) {
		ret = find_url(list, i, url);
		sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	}
	ERR_pop_to_mark();
	return ret;
}

static bool has_feature(const X509_EXTENSIONS *list, int64_t feature)
{
	TLS_FEATURE *features =
		X509V3_get_d2i(list, NID_tlsfeature, NULL, NULL);
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
	X509_EXTENSIONS *list;
	bool found = false;

	ERR_set_mark();
	if (!read_extensions(cert, &list)) {
		found = has_feature(list, STATUS_REQUEST);
		sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	}
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
