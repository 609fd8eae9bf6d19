/* SPDX-License-Identifier: MIT */
/* Why a response may be stapled or not: a value, a word, a sentence. */
#ifndef OCSP_VERDICT_H
#define OCSP_VERDICT_H

/*
 * One value per reason, in the order of the checks. OCSP_REVOKED and
 * OCSP_UNKNOWN come last: but for the status, the response is right.
 */
enum ocsp_verdict {
	OCSP_OK,
	/* the two certificates */
	OCSP_BAD_LEAF, OCSP_BAD_ISSUER, OCSP_NOT_ISSUER,
	/* form; responseStatus has a value each (RFC 6960 4.2.1) */
	OCSP_TOO_LONG, OCSP_NOT_DER,
	OCSP_MALFORMED_REQUEST, OCSP_INTERNAL_ERROR, OCSP_TRY_LATER,
	OCSP_SIG_REQUIRED, OCSP_UNAUTHORIZED, OCSP_UNDEFINED_STATUS,
	OCSP_NOT_BASIC, OCSP_NOT_V1,
	/* CertID: the nearest of its answers */
	OCSP_OTHER_CERT, OCSP_OTHER_ISSUER, OCSP_OTHER_HASH,
	/* signature (4.2.2.2): the candidate that came furthest */
	OCSP_WEAK_ALGORITHM, OCSP_NO_SIGNER, OCSP_DELEGATE_NOT_ISSUED,
	OCSP_DELEGATE_WEAK, OCSP_DELEGATE_EXTENSION, OCSP_DELEGATE_EKU,
	OCSP_DELEGATE_KEY_USAGE, OCSP_DELEGATE_NOT_YET, OCSP_DELEGATE_EXPIRED,
	OCSP_BAD_SIGNATURE,
	/* content */
	OCSP_CRITICAL_RESPONSE, OCSP_CRITICAL_ANSWER, OCSP_CONTRADICTORY,
	/* times (4.2.2.1) */
	OCSP_BAD_TIME, OCSP_BAD_ORDER, OCSP_NOT_YET, OCSP_EXPIRED, OCSP_TOO_OLD,
	OCSP_PRODUCED_LATER, OCSP_PRODUCED_EARLY, OCSP_PRODUCED_EXPIRED,
	/* beside the one held: ocsp_compare() */
	OCSP_OLDER,
	OCSP_REVOKED, OCSP_UNKNOWN,
	OCSP_VERDICTS,
};

/* A sentence fragment for a log line: "it is for another certificate". */
const char *ocsp_reason(enum ocsp_verdict verdict);
/* One word for scripts, "ok", "other-cert": the value's name in lower case. */
const char *ocsp_word(enum ocsp_verdict verdict);

#endif
