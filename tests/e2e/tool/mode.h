/* SPDX-License-Identifier: MIT */
/* How the test responder answers: words and settings, joined by commas. */
#ifndef MODE_H
#define MODE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What the response says, and who says so. REAL is openssl-ocsp(1)'s, byte by
 * byte, unless times are given; STALE is the real one before the last, SAME the
 * last again; a PLAIN_DELEGATE has no right to sign.
 */
/* clang-format off */
enum body {
	BODY_REAL, BODY_DELEGATE, BODY_EXPIRED_DELEGATE, BODY_PLAIN_DELEGATE,
	BODY_STRANGER, BODY_NEIGHBOUR, BODY_TWO_FIRST, BODY_TWO_SECOND,
	BODY_GOOD_REVOKED, BODY_REVOKED_GOOD, BODY_OPEN, BODY_OLD, BODY_PAST,
	BODY_FUTURE, BODY_PRODUCED, BODY_REVOKED, BODY_UNKNOWN, BODY_CRITICAL,
	BODY_HUGE, BODY_BAD_SIGNATURE, BODY_STALE, BODY_SAME, BODY_TRY_LATER,
	BODY_UNAUTHORIZED, BODY_MALFORMED, BODY_INTERNAL, BODY_GARBAGE,
	BODY_HTML, BODY_CUT, BODY_EMPTY,
};

/* How it is sent. */
enum shape {
	SHAPE_PLAIN, SHAPE_CHUNKED, SHAPE_SLOW, SHAPE_SILENT, SHAPE_DEAD,
	SHAPE_NOISE, SHAPE_TRUNCATED, SHAPE_FLOOD, SHAPE_HEAD, SHAPE_REDIRECT,
	SHAPE_REDIRECT_MANY, SHAPE_REDIRECT_LOOP, SHAPE_REDIRECT_FILE,
};
/* clang-format on */

/*
 * struct mode
 * @words:  as written
 * @type:   Content-Type; NULL: the right one
 * @end_s, @ago_s: nextUpdate from now, thisUpdate before now; -1: not given
 * @retry_after_s, @max_age_s, @expires_s: headers; -1: without
 * @pace_ms: between the bytes of a slow answer
 * @fail:   percentage of answers that are faults, dealt from all; -1: off.
 *          Exactly so many of each few answers for a certificate: of 5 with 80
 */
struct mode {
	char words[200];
	enum body body;
	enum shape shape;
	const char *type;
	long status, end_s, ago_s, retry_after_s, max_age_s, expires_s;
	long pace_ms, fail;
	char except[200]; /* faults that are not dealt, joined by '+' */
};

/* How many of a certificate's next answers are dealt of each kind; 0 at first. */
struct mode_share {
	unsigned int faults, proper;
};

/* Fill @m from words; die() at one that is not known. */
void mode_parse(struct mode *m, const char *words);
/*
 * With .fail, deal from the deck of faults or that of proper answers: either
 * comes round in full, shuffled, before one comes twice. @share is the
 * certificate's. Thread-safe.
 */
void mode_deal(struct mode *m, struct mode_share *share);
/* Before anything is dealt. */
void mode_seed(uint64_t seed);
/* Every word, a line each: "fault|proper WORD". */
void mode_list(void);
/* The shape that a word has; die() when it has none. */
enum shape mode_shape(const char *word);
const char *mode_shape_word(enum shape shape);

#endif
