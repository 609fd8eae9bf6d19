/* SPDX-License-Identifier: MIT */
#include "slot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/log.h"
#include "slot_store.h"

uint32_t slot_random(void)
{
	uint32_t random = 0;

	/* Up to 256 bytes always come whole, once there are any. */
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		log_warn("event=no_randomness error=\"%s\"", strerror(errno));
	return random;
}

static bool answer_holds(const struct slot_answer *answer, int64_t now)
{
	return ocsp_holds(&answer->times, ocsp_default_limits.skew, now);
}

bool slot_holds(const struct slot *slot, int64_t now)
{
	return answer_holds(&slot->held, now);
}

static const uint8_t *copy(uint8_t **end, struct ocsp_bytes bytes)
{
	uint8_t *data = *end;

	memcpy(data, bytes.data, bytes.len);
	data[bytes.len] = 0;
	*end += bytes.len + 1;
	return data;
}

struct slot *slot_new(const struct staple_msg *msg)
{
	size_t len = sizeof(struct slot), i;
	struct slot *slot;
	uint8_t *end;

	for (i = 0; i < 4; i++)
		len += msg->part[i].len + 1;
	slot = msg->part[1].len ? calloc(1, len) : NULL;
	if (!slot)
		return NULL;
	end = (uint8_t *)slot->data;
	slot->id = msg->slot;
	slot->name = (const char *)copy(&end, msg->part[0]);
	slot->urls = (const char *)copy(&end, msg->part[1]);
	slot->urls_end = slot->urls + msg->part[1].len;
	slot->leaf = msg->part[2];
	slot->leaf.data = copy(&end, msg->part[2]);
	slot->issuer = msg->part[3];
	slot->issuer.data = copy(&end, msg->part[3]);
	slot_begin(slot);
	ocsp_fingerprint(slot->leaf, slot->fingerprint);
	return slot;
}

void slot_free(struct slot *slot)
{
	if (!slot)
		return;
	fetch_free(slot->fetch);
	free((void *)slot->response.data);
	free(slot);
}

/* --- what is held -------------------------------------------------------- */

/*
 * What is newer than the newest that is known and still holds. A revoked answer
 * of the very same times is newer than a good one, and never the reverse.
 */
static enum ocsp_verdict compare(const struct slot *slot,
				 const struct slot_answer *fresh, int64_t now,
				 bool *same)
{
	const struct slot_answer *known = &slot->latest;
	enum ocsp_verdict verdict;

	*same = false;
	if (!answer_holds(known, now))
		known = &slot->held;
	if (!answer_holds(known, now))
		return OCSP_OK;
	verdict = ocsp_compare(&known->times, &fresh->times, same);
	if (!*same || known->verdict == fresh->verdict)
		return verdict;
	*same = false;
	return fresh->verdict == OCSP_REVOKED ? OCSP_OK : OCSP_OLDER;
}

/* @unsaid, @unstored: what is still to be done. Returns false: out of memory. */
static bool hold(struct slot *slot, struct ocsp_bytes der,
		 const struct slot_answer *answer, bool unsaid, bool unstored)
{
	uint8_t *data = malloc(der.len);

	if (!data)
		return false;
	memcpy(data, der.data, der.len);
	free((void *)slot->response.data);
	slot->response = (struct ocsp_bytes){ data, der.len };
	slot->held = *answer;
	slot->unsaid = slot->unsaid || unsaid;
	slot->unstored = unstored;
	return true;
}

static void let_go(struct slot *slot)
{
	if (slot->unsaid || slot->unstored)
		return;
	free((void *)slot->response.data);
	slot->response = (struct ocsp_bytes){ NULL, 0 };
}

void slot_look(struct slot *slot, int64_t now)
{
	bool holds = slot_holds(slot, now);
	bool over = now >= slot->held.times.next_update;

	if (slot->holding && !holds) {
		log_error("event=staple_lost certificate=\"%s\" responder=%s "
			  "error=\"the staple's time %s, and there is no "
			  "other\"", slot->name, slot->urls,
			  over ? "is over" : "has not come by the clock");
		slot->lost = true;
	} else if (slot->lost && holds) {
		log_info("event=staple_recovered certificate=\"%s\" responder="
			 "%s", slot->name, slot->urls);
		slot->lost = false;
	}
	slot->holding = holds;
}

int64_t slot_changes_at(const struct slot *slot, int64_t now)
{
	const struct ocsp_times *times = &slot->held.times;

	if (now >= times->next_update)
		return INT64_MAX;
	return slot_holds(slot, now) ? times->next_update :
	       times->this_update - ocsp_default_limits.skew;
}

static void note_revoked(struct slot *slot, const struct slot_policy *policy)
{
	if (!slot->revoked)
		log_error("event=staple_revoked certificate=\"%s\" responder=%s"
			  " error=\"the responder says that the certificate is "
			  "revoked\" effect=\"%s\"", slot->name, slot->job.url,
			  policy->staple_revoked ? "the revoked response is "
			  "stapled" : "no new staples; a good one is kept as "
			  "long as it lasts");
	slot->revoked = true;
	slot->lost = slot->lost && !policy->staple_revoked;
	slot->trouble = 0;
}

static void note_good(struct slot *slot)
{
	if (slot->revoked || slot->lost || slot->trouble)
		log_info("event=staple_recovered certificate=\"%s\" responder="
			 "%s", slot->name, slot->job.url);
	slot->revoked = slot->lost = false;
	slot->trouble = 0;
}

/* --- the store ----------------------------------------------------------- */

/* Was it right once, or will it be? */
static bool is_about_time(enum ocsp_verdict verdict)
{
	switch (verdict) {
	case OCSP_DELEGATE_NOT_YET:
	case OCSP_DELEGATE_EXPIRED:
	case OCSP_NOT_YET:
	case OCSP_EXPIRED:
	case OCSP_TOO_OLD:
	case OCSP_PRODUCED_LATER:
		return true;
	default:
		return false;
	}
}

/* Returns whether it is held now. */
static bool consider(struct slot *slot, const struct slot_policy *policy,
		     struct ocsp_bytes der, bool unstored, int64_t now,
		     enum ocsp_verdict *verdict)
{
	struct slot_answer answer;
	bool same;

	*verdict = ocsp_check(der, slot->leaf, slot->issuer,
			      &ocsp_default_limits, now, &answer.times);
	if (*verdict != OCSP_OK &&
	    (*verdict != OCSP_REVOKED || !policy->staple_revoked))
		return false;
	answer.verdict = *verdict;
	if (compare(slot, &answer, now, &same) || same ||
	    !hold(slot, der, &answer, true, unstored))
		return false;
	slot->latest = answer;
	if (*verdict == OCSP_REVOKED)
		note_revoked(slot, policy);
	return true;
}

static void take_stored(struct slot *slot, const struct slot_policy *policy,
			struct ocsp_bytes stored, int64_t now)
{
	enum ocsp_verdict verdict;

	if (consider(slot, policy, stored, false, now, &verdict))
		return;
	slot->untimely = is_about_time(verdict);
	if (slot->untimely)
		log_debug("event=stored_staple_untimely certificate=\"%s\" "
			  "error=\"%s\"", slot->name, ocsp_reason(verdict));
	else if (verdict && verdict != OCSP_REVOKED)
		slot_store_refuse(slot, policy, ocsp_reason(verdict));
}

void slot_load(struct slot *slot, const struct slot_policy *policy,
	       struct ocsp_bytes master, int64_t now)
{
	struct ocsp_bytes stored = slot_store_read(slot, policy);
	enum ocsp_verdict verdict;

	slot->untimely = false;
	if (stored.data)
		take_stored(slot, policy, stored, now);
	/* Checking a signature takes long when there are thousands. */
	if (stored.data && stored.len == master.len &&
	    !memcmp(stored.data, master.data, stored.len))
		master.len = 0;
	/* What master alone has was not stored when it came. */
	if (master.len)
		consider(slot, policy, master, true, now, &verdict);
	slot_look(slot, now);
}

void slot_store(struct slot *slot, struct slot_policy *policy)
{
	if (!slot->unstored)
		return;
	slot_store_write(slot, policy, slot->response);
	if (slot->store_error)
		slot->store_failed = true;
	slot->unstored = false;
	let_go(slot);
}

int64_t slot_refresh_in(const struct slot *slot,
			const struct slot_policy *policy, int64_t now)
{
	if (!slot_holds(slot, now))
		return 0;
	return ocsp_refresh_in(&slot->held.times, -1, &policy->intervals, now,
			       slot_random());
}

/* --- attempts ------------------------------------------------------------ */

void slot_begin(struct slot *slot)
{
	slot->job.url = slot->urls;
	slot->attempt.retry_after = -1;
}

bool slot_next_url(struct slot *slot)
{
	const char *next = slot->job.url + strlen(slot->job.url) + 1;

	if (next >= slot->urls_end)
		return false;
	slot->job.url = next;
	return true;
}

static void note(struct slot *slot, const struct fetch_outcome *outcome,
		 enum ocsp_verdict verdict)
{
	struct slot_attempt *attempt = &slot->attempt;
	int64_t retry = outcome->http.status ? outcome->http.retry_after : -1;

	attempt->result = outcome->result;
	attempt->verdict = verdict;
	attempt->same = false;
	attempt->url = slot->job.url;
	if (retry > attempt->retry_after)
		attempt->retry_after = retry;
	if (verdict == OCSP_OLDER)
		snprintf(attempt->error, sizeof(attempt->error),
			 "%s answered with a response that is not to be "
			 "stapled: %s", outcome->address, ocsp_reason(verdict));
	else
		snprintf(attempt->error, sizeof(attempt->error), "%s",
			 outcome->error);
	log_debug("event=staple_attempt certificate=\"%s\" responder=%s "
		  "result=%s verdict=%s error=\"%s\"", slot->name,
		  slot->job.url, fetch_result_word(attempt->result),
		  attempt->result == FETCH_ANSWER ? ocsp_word(verdict) : "-",
		  attempt->error);
}

/* A hold may be lifted: asked often, but not by all at the same moment. */
static int64_t revoked_wait(const struct ocsp_intervals *i)
{
	int64_t wait = i->min + slot_random() % (uint32_t)i->min;

	return wait < i->max ? wait : i->max;
}

/*
 * What is new is stapled; what could not be stored before may be now. Returns
 * false when out of memory.
 */
static bool adopt(struct slot *slot, const struct slot_policy *policy,
		  struct ocsp_bytes der, const struct slot_answer *fresh,
		  bool same)
{
	bool kept = fresh->verdict == OCSP_REVOKED && !policy->staple_revoked;

	if (!kept && (!same || slot->store_error) &&
	    !hold(slot, der, fresh, !same, true))
		return false;
	slot->latest = *fresh;
	return true;
}

bool slot_take(struct slot *slot, const struct slot_policy *policy,
	       const struct fetch_outcome *outcome, int64_t now, int64_t *wait)
{
	struct slot_answer fresh = { outcome->times, outcome->verdict };
	bool usable = outcome->result == FETCH_ANSWER &&
		      (fresh.verdict == OCSP_OK ||
		       fresh.verdict == OCSP_REVOKED);
	enum ocsp_verdict older = OCSP_OK;
	bool same;

	if (usable)
		older = compare(slot, &fresh, now, &same);
	note(slot, outcome, older ? older : outcome->verdict);
	if (!usable || older)
		return false;
	if (!adopt(slot, policy, outcome->der, &fresh, same)) {
		slot->attempt.result = FETCH_INTERNAL;
		strcpy(slot->attempt.error, "out of memory");
		return false;
	}
	slot->failures = 0;
	slot->attempt.same = same;
	if (fresh.verdict == OCSP_REVOKED) {
		note_revoked(slot, policy);
		*wait = revoked_wait(&policy->intervals);
	} else {
		note_good(slot);
		*wait = ocsp_refresh_in(&fresh.times, outcome->http.fresh,
					&policy->intervals, now, slot_random());
	}
	slot->holding = slot_holds(slot, now);
	slot->attempt.at = now;
	return true;
}

/* One that is away fails in several ways, by chance: that is no news. */
static unsigned int kind_of(const struct slot_attempt *a)
{
	if (a->result == FETCH_NO_ADDRESS || a->result == FETCH_TIMEOUT)
		return 1 + FETCH_NO_CONNECTION * OCSP_VERDICTS;
	return 1 + a->result * OCSP_VERDICTS +
	       (a->result == FETCH_ANSWER ? a->verdict : 0);
}

int64_t slot_give_up(struct slot *slot, const struct slot_policy *policy,
		     int64_t now)
{
	const struct slot_attempt *a = &slot->attempt;
	unsigned int kind = kind_of(a);
	int64_t left = slot_holds(slot, now) ?
		       slot->held.times.next_update - now : 0;
	int64_t wait;

	slot->failures += slot->failures < 1000;
	wait = ocsp_retry_in(slot->failures, left, a->retry_after,
			     &policy->intervals, slot_random());
	if (kind != slot->trouble)
		log_warn("event=staple_failing certificate=\"%s\" responder=%s "
			 "error=\"%s\" staple_seconds_left=%" PRId64
			 " retry_in_s=%" PRId64, slot->name, a->url, a->error,
			 left, wait);
	slot->trouble = kind;
	slot->attempt.at = now;
	return wait;
}

void slot_plan(struct slot *slot, int64_t at)
{
	slot->next_new = slot->next_new || at != slot->next;
	slot->next = at;
}

/* --- master -------------------------------------------------------------- */

static int say_response(struct slot *slot, int master)
{
	struct staple_msg msg = {
		.type = STAPLE_MSG_RESPONSE,
		.slot = slot->id,
		.response = { .times = slot->held.times,
			      .verdict = slot->held.verdict },
		.part = { slot->response },
	};
	int err = staple_msg_send(master, &msg, MSG_DONTWAIT);

	if (err)
		return err;
	slot->unsaid = false;
	let_go(slot);
	return 0;
}

static struct ocsp_bytes text(const char *s)
{
	return (struct ocsp_bytes){ (const uint8_t *)s, strlen(s) };
}

static int say_attempt(struct slot *slot, int master)
{
	struct slot_attempt *a = &slot->attempt;
	struct staple_msg msg = {
		.type = STAPLE_MSG_ATTEMPT,
		.slot = slot->id,
		.attempt = { .at = a->at, .result = a->result,
			     .verdict = a->verdict, .same = a->same },
		.part = { text(a->url), text(a->error) },
	};
	int err = staple_msg_send(master, &msg, MSG_DONTWAIT);

	if (!err)
		a->at = 0;
	return err;
}

static int say_next(struct slot *slot, int master)
{
	struct staple_msg msg = {
		.type = STAPLE_MSG_NEXT,
		.slot = slot->id,
		.next = slot->next,
	};
	int err = staple_msg_send(master, &msg, MSG_DONTWAIT);

	if (!err)
		slot->next_new = false;
	return err;
}

static int say_store_failed(struct slot *slot, int master)
{
	struct staple_msg msg = {
		.type = STAPLE_MSG_STORE_FAILED,
		.slot = slot->id,
	};
	int err = staple_msg_send(master, &msg, MSG_DONTWAIT);

	if (!err)
		slot->store_failed = false;
	return err;
}

int slot_say(struct slot *slot, int master)
{
	int err = 0;

	if (slot->unsaid)
		err = say_response(slot, master);
	if (!err && slot->attempt.at)
		err = say_attempt(slot, master);
	if (!err && slot->next_new)
		err = say_next(slot, master);
	if (!err && slot->store_failed)
		err = say_store_failed(slot, master);
	return err;
}
