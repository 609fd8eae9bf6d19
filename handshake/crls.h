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

/* hs_name_text - @name as RFC 2253 has it, into @buf, which is returned */
char *hs_name_text(const X509_NAME *name, char *buf, size_t size);

/*
 * What the lists of its issuer say of a certificate whose chain was verified
 * before: _EXPIRED: nothing, and all are past their nextUpdate or to come;
 * _UNKNOWN: there is none. From good to bad.
 */
enum hs_standing { HS_GOOD, HS_GOOD_EXPIRED, HS_UNKNOWN, HS_REVOKED };
enum hs_standing hs_crls_standing(STACK_OF(X509_CRL) *crls, const X509 *cert,
				  int64_t now);
/* hs_crl_consider - what one of them says; *@standing begins as HS_UNKNOWN */
void hs_crl_consider(X509_CRL *crl, const ASN1_INTEGER *serial, int64_t now,
		     enum hs_standing *standing);

#endif
