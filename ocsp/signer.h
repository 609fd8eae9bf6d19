/* SPDX-License-Identifier: MIT */
/* Who signed a basic response, and were they allowed to? */
#ifndef OCSP_SIGNER_H
#define OCSP_SIGNER_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ocsp.h>
#include <openssl/x509.h>

#include "ocsp/ocsp.h"

/* By name and signature; @issuer must have a key that libcrypto knows. */
bool ocsp_issued_by(X509 *cert, X509 *issuer);

/*
 * ocsp_check_signer - signature by the issuer or by its delegate
 * (RFC 6960 4.2.2.2: a certificate in the response, issued directly by the
 * issuer, with id-kp-OCSPSigning; anyExtendedKeyUsage does not do)
 * @until: first second at which the signer's authority has ended; INT64_MAX
 *         for the issuer itself
 */
enum ocsp_verdict ocsp_check_signer(OCSP_BASICRESP *basic, X509 *issuer,
				    int64_t now, int64_t *until);

/*
 * ocsp_find_signer - the same, with what is asked when it is OCSP_OK
 * @signer: the certificate in @basic, whose it stays, or NULL: the issuer's
 */
bool ocsp_find_signer(OCSP_BASICRESP *basic, X509 *issuer, int64_t now,
		      X509 **signer);

#endif
