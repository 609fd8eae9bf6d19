/* SPDX-License-Identifier: MIT */
/* From bytes to libcrypto's structures, strictly. */
#ifndef OCSP_PARSE_H
#define OCSP_PARSE_H

#include <openssl/ocsp.h>
#include <openssl/x509.h>

#include "ocsp/ocsp.h"

/*
 * ocsp_parse - is it one successful basic response, in DER, of version 1?
 * @basic: to be freed by the caller, whatever is returned; NULL before
 */
enum ocsp_verdict ocsp_parse(struct ocsp_bytes der, OCSP_BASICRESP **basic);

/* ocsp_parse_cert - one certificate and nothing behind it, or NULL */
X509 *ocsp_parse_cert(struct ocsp_bytes der);

#endif
