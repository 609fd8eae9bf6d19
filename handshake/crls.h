/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: lists of revoked certificates (RFC 5280 5). */
#ifndef HANDSHAKE_CRLS_H
#define HANDSHAKE_CRLS_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "handshake/pem.h"

/* hs_crls_read - those of a file, PEM or DER, at least one; NULL: reported */
STACK_OF(X509_CRL) *hs_crls_read(const struct hs_report *r);

/*
 * hs_crls_prove - what can be known of a file's lists without a client
 * @cas:   whom to trust; a list of one of these must be signed by it
 * @whole: there are no other CAs, so that others' lists are a mistake
 * Returns 0, or -EINVAL: reported.
 */
int hs_crls_prove(const struct hs_report *r, STACK_OF(X509_CRL) *crls,
		  STACK_OF(X509) *cas, bool whole);

/*
 * What the lists of its issuer say of a certificate whose chain was verified
 * before: _EXPIRED: nothing, and all are past their nextUpdate or to come;
 * _UNKNOWN: there is none.
 */
enum hs_standing { HS_GOOD, HS_GOOD_EXPIRED, HS_REVOKED, HS_UNKNOWN };
enum hs_standing hs_crls_standing(STACK_OF(X509_CRL) *crls, X509 *cert,
				  int64_t now);

#endif
