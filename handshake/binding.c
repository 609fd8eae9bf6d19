// SPDX-License-Identifier: MIT
/*
 * Channel bindings (RFC 5056): what both ends know of this connection and nobody
 * in the middle can make equal.
 */
#include <errno.h>
#include <string.h>

#include <openssl/err.h>

#include "handshake/internal.h"

int hs_exporter(struct hs *hs, uint8_t out[static 32])
{
	static const char label[] = "EXPORTER-Channel-Binding";
	int ok;

	if (hs->step != HS_DONE)
		return -EIO;
	if (SSL_version(hs->ssl) == TLS1_2_VERSION &&
	    SSL_get_extms_support(hs->ssl) != 1)
		return -ENOTSUP;
	/* RFC 9266 2: with a context, of length 0; TLS 1.2 can tell. */
	ok = SSL_export_keying_material(hs->ssl, out, 32, label,
					sizeof(label) - 1,
					(const unsigned char *)"", 0, 1);
	ERR_clear_error();
	return ok == 1 ? 0 : -EIO;
}

/* RFC 5929 4.1: the digest of the certificate's signature, SHA-256 for weak ones */
static const EVP_MD *digest_for(X509 *cert)
{
	int nid;

	if (!X509_get_signature_info(cert, &nid, NULL, NULL, NULL) ||
	    nid == NID_undef)
		return NULL;
	if (nid == NID_md5 || nid == NID_sha1)
		nid = NID_sha256;
	return EVP_get_digestbynid(nid);
}

void hs_end_point_make(struct hs_cert *cert)
{
	const EVP_MD *md = digest_for(cert->leaf);
	unsigned int len = 0;

	if (md && X509_digest(cert->leaf, md, cert->end_point, &len))
		cert->end_point_len = len;
}

int hs_end_point(struct hs *hs, uint8_t out[static HS_END_POINT_MAX],
		 size_t *len)
{
	const struct hs_cert *cert = hs_cert_used(hs);

	if (hs->step != HS_DONE)
		return -EIO;
	if (!SSL_session_reused(hs->ssl)) {
		*len = cert->end_point_len;
		memcpy(out, cert->end_point, *len);
	} else if (!hs_ticket_end_point(SSL_get_session(hs->ssl), out, len)) {
		return -ENODATA;
	}
	return *len ? 0 : -ENOTSUP;
}
