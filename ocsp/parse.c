/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <string.h>

#include "ocsp/der.h"
#include "ocsp/parse.h"

static enum ocsp_verdict status_verdict(uint8_t status)
{
	switch (status) {
	case OCSP_RESPONSE_STATUS_SUCCESSFUL:
		return OCSP_OK;
	case OCSP_RESPONSE_STATUS_MALFORMEDREQUEST:
		return OCSP_MALFORMED_REQUEST;
	case OCSP_RESPONSE_STATUS_INTERNALERROR:
		return OCSP_INTERNAL_ERROR;
	case OCSP_RESPONSE_STATUS_TRYLATER:
		return OCSP_TRY_LATER;
	case OCSP_RESPONSE_STATUS_SIGREQUIRED:
		return OCSP_SIG_REQUIRED;
	case OCSP_RESPONSE_STATUS_UNAUTHORIZED:
		return OCSP_UNAUTHORIZED;
	default:
		return OCSP_UNDEFINED_STATUS;
	}
}

static bool is_basic_type(struct ocsp_bytes oid)
{
	const ASN1_OBJECT *basic = OBJ_nid2obj(NID_id_pkix_OCSP_basic);

	return oid.len == OBJ_length(basic) &&
	       memcmp(oid.data, OBJ_get0_data(basic), oid.len) == 0;
}

/* ResponseBytes, RFC 6960 4.2.1 */
static enum ocsp_verdict open_bytes(struct ocsp_bytes tagged,
				    struct ocsp_bytes *basic)
{
	struct ocsp_bytes bytes, oid;

	if (!ocsp_der_take(&tagged, DER_SEQUENCE, &bytes) || tagged.len ||
	    !ocsp_der_take(&bytes, DER_OID, &oid) ||
	    !ocsp_der_take(&bytes, DER_OCTET_STRING, basic) || bytes.len)
		return OCSP_NOT_DER;
	if (!is_basic_type(oid))
		return OCSP_NOT_BASIC;
	return ocsp_der_valid(*basic) ? OCSP_OK : OCSP_NOT_DER;
}

/* OCSPResponse, RFC 6960 4.2.1 */
static enum ocsp_verdict open_envelope(struct ocsp_bytes der,
				       struct ocsp_bytes *basic)
{
	struct ocsp_bytes response, status, tagged;
	enum ocsp_verdict verdict;

	if (der.len > OCSP_STAPLE_LEN)
		return OCSP_TOO_LONG;
	if (!ocsp_der_take(&der, DER_SEQUENCE, &response) || der.len ||
	    !ocsp_der_take(&response, DER_ENUMERATED, &status) ||
	    status.len != 1)
		return OCSP_NOT_DER;
	verdict = status_verdict(status.data[0]);
	if (verdict != OCSP_OK)
		return verdict;
	if (!response.len)
		return OCSP_NOT_BASIC;
	if (!ocsp_der_take(&response, DER_CONTEXT_0, &tagged) || response.len)
		return OCSP_NOT_DER;
	return open_bytes(tagged, basic);
}

/*
 * libcrypto, ours and the clients', verifies the signature over its own
 * re-encoding; it must be over the bytes that came. This refuses bytes behind
 * the end, too. An explicit DEFAULT survives, and clients do take it.
 */
static bool survives_encoding(OCSP_BASICRESP *basic, struct ocsp_bytes der)
{
	uint8_t *again = NULL;
	int len = i2d_OCSP_BASICRESP(basic, &again);
	bool same = len >= 0 && (size_t)len == der.len &&
		    memcmp(again, der.data, der.len) == 0;

	OPENSSL_free(again);
	return same;
}

/* ResponseData.version: absent, or an explicit v1. */
static bool is_v1(struct ocsp_bytes der)
{
	struct ocsp_bytes basic, data, tagged, version;

	if (!ocsp_der_take(&der, DER_SEQUENCE, &basic) ||
	    !ocsp_der_take(&basic, DER_SEQUENCE, &data))
		return false;
	if (!ocsp_der_take(&data, DER_CONTEXT_0, &tagged))
		return true;
	return ocsp_der_take(&tagged, DER_INTEGER, &version) &&
	       version.len == 1 && version.data[0] == 0;
}

enum ocsp_verdict ocsp_parse(struct ocsp_bytes der, OCSP_BASICRESP **basic)
{
	struct ocsp_bytes inner;
	const uint8_t *p;
	enum ocsp_verdict verdict;

	verdict = open_envelope(der, &inner);
	if (verdict != OCSP_OK)
		return verdict;
	p = inner.data;
	*basic = d2i_OCSP_BASICRESP(NULL, &p, (long)inner.len);
	if (!*basic || !survives_encoding(*basic, inner))
		return OCSP_NOT_DER;
	return is_v1(inner) ? OCSP_OK : OCSP_NOT_V1;
}

X509 *ocsp_parse_cert(struct ocsp_bytes der)
{
	const uint8_t *p = der.data;
	X509 *cert = d2i_X509(NULL, &p, (long)der.len);

	if (cert && p != der.data + der.len) {
		X509_free(cert);
		cert = NULL;
	}
	return cert;
}
