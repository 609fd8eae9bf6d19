/* SPDX-License-Identifier: MIT */
/*
 * When to ask a responder again. Pure: "now" and randomness come from outside,
 * no result overflows whatever goes in.
 */
#ifndef OCSP_SCHEDULE_H
#define OCSP_SCHEDULE_H

#include "ocsp/ocsp.h"

/*
 * struct ocsp_intervals - bounds between two attempts, in seconds, all > 0
 * @min: after an answer, unless it ends sooner
 * @max: in any case; wins where they contradict
 */
struct ocsp_intervals {
	int64_t min, max;
};

/*
 * ocsp_refresh_in - seconds until a response that is held should be renewed
 * @fresh:  what HTTP said about it in seconds, or -1
 * @random: all 32 bits of it
 * Half of its validity, +-10 %; of what is left of it, when that half is past.
 * HTTP's word, and up to a tenth more, replaces that within [@i->min, end of
 * the third quarter]. At least one second, and at most @i->max; never in the
 * last quarter unless that has begun. A bound that many responses meet is not
 * a moment for all of them: they are spread over the tenth before it.
 */
int64_t ocsp_refresh_in(const struct ocsp_times *times, int64_t fresh,
			const struct ocsp_intervals *i, int64_t now,
			uint32_t random);

/*
 * ocsp_retry_in - seconds until the next attempt after failures
 * @failures: in a row, at least 1
 * @left:     seconds that the staple held has still to go; 0 or less: none
 * @retry_after: what the responder said in seconds, or -1
 * Full jitter: anything up to a limit that doubles from 2 s to an hour (or
 * @i->max if less), at least one second. While a staple is held the limit is
 * no more than a quarter of what it has left, so that several attempts remain.
 * @retry_after is waited for before that, but no longer than half of what the
 * staple has left, or an hour without one: over plain http anyone between can
 * say that a responder wants to be left alone. Up to @i->max in all.
 */
int64_t ocsp_retry_in(unsigned int failures, int64_t left,
		      int64_t retry_after, const struct ocsp_intervals *i,
		      uint32_t random);

#endif
