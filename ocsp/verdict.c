/* SPDX-License-Identifier: MIT */
#include "ocsp/verdict.h"

static const struct {
	const char *word, *reason;
} verdicts[] = {
	[OCSP_OK] = { "ok", "it may be stapled" },
	[OCSP_BAD_LEAF] = { "bad-leaf",
		"the certificate it is for cannot be parsed" },
	[OCSP_BAD_ISSUER] = { "bad-issuer",
		"the issuer's certificate cannot be parsed" },
	[OCSP_NOT_ISSUER] = { "not-issuer",
		"the certificate was not issued by the issuer given for it" },
	[OCSP_TOO_LONG] = { "too-long",
		"it is longer than the 65,527 bytes that TLS has room for" },
	[OCSP_NOT_DER] = { "not-der",
		"it is not a well-formed OCSP response in DER" },
	[OCSP_MALFORMED_REQUEST] = { "malformed-request",
		"the responder says that the request was malformed" },
	[OCSP_INTERNAL_ERROR] = { "internal-error",
		"the responder reports an internal error" },
	[OCSP_TRY_LATER] = { "try-later", "the responder says to try later" },
	[OCSP_SIG_REQUIRED] = { "sig-required",
		"the responder wants signed requests" },
	[OCSP_UNAUTHORIZED] = { "unauthorized",
		"the responder says unauthorized: it does not know the "
		"certificate or does not serve this client" },
	[OCSP_UNDEFINED_STATUS] = { "undefined-status",
		"its responseStatus is none that RFC 6960 defines" },
	[OCSP_NOT_BASIC] = { "not-basic", "it carries no basic OCSP response" },
	[OCSP_NOT_V1] = { "not-v1", "its version is not 1" },
	[OCSP_OTHER_CERT] = { "other-cert", "it is for another certificate" },
	[OCSP_OTHER_ISSUER] = { "other-issuer",
		"it is for this serial number but of another issuer" },
	[OCSP_OTHER_HASH] = { "other-hash",
		"its CertID uses a hash other than SHA-1, SHA-256, SHA-384 "
		"and SHA-512" },
	[OCSP_WEAK_ALGORITHM] = { "weak-algorithm",
		"its signature algorithm is weak or unknown, or the issuer's "
		"key is too short" },
	[OCSP_NO_SIGNER] = { "no-signer",
		"its responder ID is neither the issuer's nor that of a "
		"certificate in it" },
	[OCSP_DELEGATE_NOT_ISSUED] = { "delegate-not-issued",
		"its signer's certificate was not issued by the certificate's "
		"issuer" },
	[OCSP_DELEGATE_WEAK] = { "delegate-weak",
		"its signer's certificate has a weak or unknown signature "
		"algorithm, or too short a key" },
	[OCSP_DELEGATE_EXTENSION] = { "delegate-extension",
		"its signer's certificate has an unknown critical or broken "
		"extension" },
	[OCSP_DELEGATE_EKU] = { "delegate-eku",
		"its signer's certificate lacks the extended key usage OCSP "
		"signing" },
	[OCSP_DELEGATE_KEY_USAGE] = { "delegate-key-usage",
		"its signer's certificate has a key usage without digital "
		"signature" },
	[OCSP_DELEGATE_NOT_YET] = { "delegate-not-yet",
		"its signer's certificate is not valid yet" },
	[OCSP_DELEGATE_EXPIRED] = { "delegate-expired",
		"its signer's certificate has expired" },
	[OCSP_BAD_SIGNATURE] = { "bad-signature", "its signature is wrong" },
	[OCSP_CRITICAL_RESPONSE] = { "critical-response",
		"it has an unknown critical extension" },
	[OCSP_CRITICAL_ANSWER] = { "critical-answer",
		"its answer for the certificate has an unknown critical "
		"extension" },
	[OCSP_CONTRADICTORY] = { "contradictory",
		"it gives the certificate more than one status" },
	[OCSP_BAD_TIME] = { "bad-time",
		"one of its times is not of the form "
		"YYYYMMDDHHMMSSZ" },
	[OCSP_BAD_ORDER] = { "bad-order",
		"its nextUpdate is not after its thisUpdate" },
	[OCSP_NOT_YET] = { "not-yet", "its thisUpdate is in the future" },
	[OCSP_EXPIRED] = { "expired", "its nextUpdate is past" },
	[OCSP_TOO_OLD] = { "too-old", "its thisUpdate is too long ago" },
	[OCSP_PRODUCED_LATER] = { "produced-later",
		"its producedAt is in the future" },
	[OCSP_PRODUCED_EARLY] = { "produced-early",
		"its producedAt is before its thisUpdate" },
	[OCSP_PRODUCED_EXPIRED] = { "produced-expired",
		"its producedAt is not before its nextUpdate" },
	[OCSP_OLDER] = { "older", "it is older than the one held" },
	[OCSP_REVOKED] = { "revoked",
		"it says that the certificate is revoked" },
	[OCSP_UNKNOWN] = { "unknown",
		"it says that the responder does not know the certificate" },
};

_Static_assert(sizeof(verdicts) / sizeof(verdicts[0]) == OCSP_VERDICTS,
	       "a word and a sentence for each verdict");

const char *ocsp_reason(enum ocsp_verdict verdict)
{
	return verdicts[verdict].reason;
}

const char *ocsp_word(enum ocsp_verdict verdict)
{
	return verdicts[verdict].word;
}
