/* SPDX-License-Identifier: MIT */
/*
 * Which OCSP responses may be stapled (RFC 6960, RFC 9919). Pure: bytes and
 * times in, a verdict out; no file, no socket, no clock.
 */
#ifndef OCSP_H
#define OCSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ocsp/verdict.h"

struct ocsp_bytes {
	const uint8_t *data;
	size_t len;
};

#define OCSP_MAX_LEN 65536	/* bytes of a response */
/*
 * Of one that is to be stapled: a list of extensions has 65,535 bytes, and one
 * with a response takes 8 more than that (RFC 8446 4.2, 4.4.2.1).
 */
#define OCSP_STAPLE_LEN 65527

/*
 * struct ocsp_limits - what a responder's times may be, in seconds
 * @skew:         how far its clock may be ahead, 0 or more; takes nothing from
 *                the end
 * @max_age:      since thisUpdate
 * @max_age_open: the same, without a nextUpdate
 */
struct ocsp_limits {
	int64_t skew, max_age, max_age_open;
};
/* 300 seconds, 366 days, one day */
extern const struct ocsp_limits ocsp_default_limits;

/*
 * struct ocsp_times - when a response holds, in seconds since the epoch
 * @next_update: first second at which it may no longer be sent: its nextUpdate,
 *               or earlier by the limits or the end of the delegate's
 *               certificate
 */
struct ocsp_times {
	int64_t this_update;
	int64_t next_update;
};

/*
 * ocsp_holds - may a response of these times be sent at @now?
 * Workers ask this for each handshake: a clock may have been set back, too.
 */
static inline bool ocsp_holds(const struct ocsp_times *times, int64_t skew,
			      int64_t now)
{
	/* Both may be anything: a difference only where it is positive. */
	bool begun = times->this_update <= now ||
		     (uint64_t)times->this_update - (uint64_t)now <=
			     (uint64_t)skew;

	return begun && now < times->next_update;
}

/*
 * ocsp_check - may this response be stapled for this certificate?
 * @der:    the response as it came
 * @leaf:   the certificate, DER
 * @issuer: its issuer's certificate, DER; trusted as it is, its dates and
 *          its own signature are not looked at
 * @now:    seconds since the epoch
 * @times:  filled when OCSP_OK, OCSP_REVOKED or OCSP_UNKNOWN, and then
 *          ocsp_holds(@times, @limits->skew, @now)
 * When several answers are for @leaf, each must pass; @times is when all hold:
 * the latest thisUpdate, the earliest end.
 */
enum ocsp_verdict ocsp_check(struct ocsp_bytes der, struct ocsp_bytes leaf,
			     struct ocsp_bytes issuer,
			     const struct ocsp_limits *limits, int64_t now,
			     struct ocsp_times *times);

/*
 * ocsp_produced - when a response says that it was signed, whoever said so
 * A "now" for ocsp_check() where the clock may be behind: what is right was right
 * then. Returns whether it can be parsed, and *@at is set.
 */
bool ocsp_produced(struct ocsp_bytes der, int64_t *at);

/*
 * ocsp_compare - is a response newer than the one held, both for one
 * certificate and both OCSP_OK?
 * OCSP_OK: it replaces the one held, with a later thisUpdate, or the same and a
 * later nextUpdate. OCSP_OLDER: an earlier thisUpdate; never used. Otherwise
 * (*same): it says what is held, perhaps in the same bytes, as CAs that publish
 * late do; not an error, and nothing to replace.
 */
enum ocsp_verdict ocsp_compare(const struct ocsp_times *held,
			       const struct ocsp_times *fresh, bool *same);

#endif
