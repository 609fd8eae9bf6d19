/* SPDX-License-Identifier: MIT */
/*
 * What a certificate says about its own stapling, and the question that is
 * asked about it. All certificates are DER.
 */
#ifndef OCSP_CERT_H
#define OCSP_CERT_H

#include "ocsp/ocsp.h"

#define OCSP_FINGERPRINT_LEN 32		/* SHA-256 over the DER */
#define OCSP_REQUEST_MAX 512		/* bytes; serial numbers have 20 */
#define OCSP_URL_MAX 1024	/* with its NUL; longer ones are skipped */

/* Whose hash names issuer and key in a CertID (RFC 6960 4.1.1) */
enum ocsp_hash { OCSP_SHA1, OCSP_SHA256 };

/* ocsp_fingerprint - of any bytes; never fails */
void ocsp_fingerprint(struct ocsp_bytes cert,
		      uint8_t out[OCSP_FINGERPRINT_LEN]);

/*
 * ocsp_responder - where to ask: the @i-th http or https URL of id-ad-ocsp in
 * the authority information access extension (RFC 5280 4.2.2.1), from 0
 * @url: gets it, NUL-terminated; no control characters, spaces or user names
 *       are ever in it: such a URL is skipped
 * Returns 0, or -ENOENT when there is none (any more), -EINVAL when @cert
 * cannot be parsed.
 */
int ocsp_responder(struct ocsp_bytes cert, unsigned int i,
		   char url[OCSP_URL_MAX]);

/* ocsp_must_staple - has it the TLS feature status_request (RFC 7633)? */
bool ocsp_must_staple(struct ocsp_bytes cert);

/*
 * ocsp_request - the OCSPRequest for one certificate, without a nonce
 * (RFC 9919)
 * @len: gets the bytes in @buf
 * Returns 0, -EINVAL when a certificate cannot be parsed, -ENOSPC when the
 * serial number is too long, -ENOMEM.
 */
int ocsp_request(struct ocsp_bytes leaf, struct ocsp_bytes issuer,
		 enum ocsp_hash hash, uint8_t buf[OCSP_REQUEST_MAX],
		 size_t *len);

#endif
