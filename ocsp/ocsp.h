/* SPDX-License-Identifier: MIT */
/*
 * Which OCSP responses may be stapled (RFC 6960, RFC 9919). Pure: bytes and
 * times in, a verdict out; no file, no socket, no clock.
 */
#ifndef OCSP_H
#define OCSP_H

#include <stddef.h>
#include <stdint.h>

struct ocsp_bytes {
	const uint8_t *data;
	size_t len;
};

#define OCSP_MAX_LEN 65536	   /* bytes of a response */
#define OCSP_SKEW 300		   /* seconds that a responder may be ahead */
#define OCSP_MAX_AGE (366 * 86400) /* seconds since thisUpdate */
#define OCSP_MAX_AGE_OPEN 86400	   /* the same, without a nextUpdate */

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
	OCSP_REVOKED, OCSP_UNKNOWN,
	OCSP_VERDICTS,
};

/*
 * struct ocsp_times - when a response holds, in seconds since the epoch
 * @next_update: first second at which it may no longer be sent: its nextUpdate,
 *               or earlier by OCSP_MAX_AGE(_OPEN) or the end of the delegate's
 *               certificate
 */
struct ocsp_times {
	int64_t this_update;
	int64_t next_update;
};

/*
 * ocsp_check - may this response be stapled for this certificate?
 * @der:    the response as it came
 * @leaf:   the certificate, DER
 * @issuer: its issuer's certificate, DER; trusted as it is, its dates and
 *          its own signature are not looked at
 * @now:    seconds since the epoch
 * @times:  filled when OCSP_OK, and then @times->next_update > @now
 * When several answers are for @leaf, each must pass; @times has the earliest.
 */
enum ocsp_verdict ocsp_check(struct ocsp_bytes der, struct ocsp_bytes leaf,
			     struct ocsp_bytes issuer, int64_t now,
			     struct ocsp_times *times);

/* A sentence fragment for a log line: "it is for another certificate". */
const char *ocsp_reason(enum ocsp_verdict verdict);

#endif
