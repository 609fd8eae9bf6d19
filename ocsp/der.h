/* SPDX-License-Identifier: MIT */
/*
 * The strict side of DER (X.690 10) where libcrypto's decoder takes BER.
 */
#ifndef OCSP_DER_H
#define OCSP_DER_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/asn1.h>

#include "ocsp/ocsp.h"

#define DER_BIT_STRING 0x03
#define DER_OCTET_STRING 0x04
#define DER_OID 0x06
#define DER_ENUMERATED 0x0a
#define DER_INTEGER 0x02
#define DER_SEQUENCE 0x30
#define DER_CONTEXT_0 0xa0

/*
 * ocsp_der_take - split the first element off
 * @in:    moved behind the element when true is returned
 * @value: its contents, which stay where they are in @in
 * False: not @tag, cut short, or a length not in the shortest definite form.
 */
bool ocsp_der_take(struct ocsp_bytes *in, uint8_t tag,
		   struct ocsp_bytes *value);

/*
 * ocsp_der_valid - is all of it well-formed elements, to the last leaf?
 * Contents of strings and of implicit context tags are not looked at; nor are
 * lengths beyond 65,535, which OCSP_MAX_LEN rules out.
 */
bool ocsp_der_valid(struct ocsp_bytes in);

/*
 * ocsp_der_time - seconds since the epoch, of YYYYMMDDHHMMSSZ and nothing else
 * (RFC 5280 4.1.2.5.2; a certificate's UTCTime, YYMMDDHHMMSSZ)
 * False when @time has another form or is no date.
 */
bool ocsp_der_time(const ASN1_TIME *time, int64_t *seconds);

#endif
