/* SPDX-License-Identifier: MIT */
#include "ocsp/ocsp.h"

static const char *const reasons[] = {
	[OCSP_OK] = "it may be stapled",
	[OCSP_BAD_LEAF] = "the certificate it is for cannot be parsed",
	[OCSP_BAD_ISSUER] = "the issuer's certificate cannot be parsed",
	[OCSP_NOT_ISSUER] =
		"the certificate was not issued by the issuer given for it",
	[OCSP_TOO_LONG] = "it is longer than 64 KiB",
	[OCSP_NOT_DER] = "it is not a well-formed OCSP response in DER",
	[OCSP_MALFORMED_REQUEST] =
		"the responder says that the request was malformed",
	[OCSP_INTERNAL_ERROR] = "the responder reports an internal error",
	[OCSP_TRY_LATER] = "the responder says to try later",
	[OCSP_SIG_REQUIRED] = "the responder wants signed requests",
	[OCSP_UNAUTHORIZED] =
		"the responder says unauthorized: it does not know the "
		"certificate or does not serve this client",
	[OCSP_UNDEFINED_STATUS] =
		"its responseStatus is none that RFC 6960 defines",
	[OCSP_NOT_BASIC] = "it carries no basic OCSP response",
	[OCSP_NOT_V1] = "its version is not 1",
	[OCSP_OTHER_CERT] = "it is for another certificate",
	[OCSP_OTHER_ISSUER] =
		"it is for this serial number but of another issuer",
	[OCSP_OTHER_HASH] =
		"its CertID uses a hash other than SHA-1, SHA-256, SHA-384 "
		"and SHA-512",
	[OCSP_WEAK_ALGORITHM] = "its signature algorithm is weak or unknown",
	[OCSP_NO_SIGNER] =
		"its responder ID is neither the issuer's nor that of a "
		"certificate in it",
	[OCSP_DELEGATE_NOT_ISSUED] =
		"its signer's certificate was not issued by the certificate's "
		"issuer",
	[OCSP_DELEGATE_WEAK] =
		"its signer's certificate has a weak or unknown signature "
		"algorithm",
	[OCSP_DELEGATE_EXTENSION] =
		"its signer's certificate has an unknown critical or broken "
		"extension",
	[OCSP_DELEGATE_EKU] =
		"its signer's certificate lacks the extended key usage OCSP "
		"signing",
	[OCSP_DELEGATE_KEY_USAGE] =
		"its signer's certificate has a key usage without digital "
		"signature",
	[OCSP_DELEGATE_NOT_YET] =
		"its signer's certificate is not valid yet",
	[OCSP_DELEGATE_EXPIRED] = "its signer's certificate has expired",
	[OCSP_BAD_SIGNATURE] = "its signature is wrong",
	[OCSP_CRITICAL_RESPONSE] = "it has an unknown critical extension",
	[OCSP_CRITICAL_ANSWER] =
		"its answer for the certificate has an unknown critical "
		"extension",
	[OCSP_CONTRADICTORY] =
		"it gives the certificate more than one status",
	[OCSP_BAD_TIME] = "one of its times is not of the form "
			  "YYYYMMDDHHMMSSZ",
	[OCSP_BAD_ORDER] = "its nextUpdate is not after its thisUpdate",
	[OCSP_NOT_YET] = "its thisUpdate is in the future",
	[OCSP_EXPIRED] = "its nextUpdate is past",
	[OCSP_TOO_OLD] = "its thisUpdate is too long ago",
	[OCSP_PRODUCED_LATER] = "its producedAt is in the future",
	[OCSP_PRODUCED_EARLY] = "its producedAt is before its thisUpdate",
	[OCSP_PRODUCED_EXPIRED] = "its producedAt is not before its nextUpdate",
	[OCSP_REVOKED] = "it says that the certificate is revoked",
	[OCSP_UNKNOWN] =
		"it says that the responder does not know the certificate",
};

_Static_assert(sizeof(reasons) / sizeof(reasons[0]) == OCSP_VERDICTS,
	       "a sentence for each verdict");

const char *ocsp_reason(enum ocsp_verdict verdict)
{
	return reasons[verdict];
}
