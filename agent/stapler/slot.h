/* SPDX-License-Identifier: MIT */
/*
 * A certificate that the stapler looks after: what it holds for it, what the
 * answers and failures of its responders mean, and what master is to hear. No
 * socket but master's, and no clock: now is a parameter, in seconds since the
 * epoch.
 */
#ifndef AGENT_SLOT_H
#define AGENT_SLOT_H

#include "ocsp/schedule.h"
#include "ocsp/store.h"
#include "refresh.h"
#include "slot_list.h"
#include "agent/staple_msg.h"

/*
 * struct slot_policy - the same for all slots
 * @folder:      of the store, for people
 * @folder_error: -errno when it could not be opened
 * @store_error: how the last write went, so that a change is told once
 */
struct slot_policy {
	struct ocsp_intervals intervals;
	bool staple_revoked;
	struct ocsp_files files;
	char *folder;
	int folder_error, store_error;
};

/* struct slot_answer - OCSP_OK or OCSP_REVOKED; holds never when zeroed */
struct slot_answer {
	struct ocsp_times times;
	enum ocsp_verdict verdict;
};

/* struct slot_attempt - how the last one went; @at 0 when master knows */
struct slot_attempt {
	int64_t at, retry_after;
	enum fetch_result result;
	enum ocsp_verdict verdict;
	bool same;
	const char *url;
	char error[sizeof(((struct fetch_outcome *)0)->error)];
};

/*
 * struct slot
 * @end:       the owner's, for when @held ends
 * @job:       its url is the one being asked or to be asked next
 * @held:      what master has to staple; it stays when its time is over, since
 *             it may be the clock that is wrong
 * @latest:    the newest answer; another than @held when that is kept although
 *             the certificate is revoked
 * @response:  DER of @held while it is @unsaid or @unstored, else NULL
 * @unsaid:    master has not got it
 * @unstored:  it is to be written
 * @store_error: how the last write went
 * @store_failed: one failed, and master does not know it
 * @untimely:  what is stored would do at another time
 * @trouble:   kind of the failures since the last success; 0: none
 * @next:      when it is asked again, by the wall clock; 0: not known
 * @next_new:  and master does not know it
 */
struct slot {
	struct refresh_job job;
	struct timer end;
	uint32_t id;
	const char *name, *urls, *urls_end;
	struct ocsp_bytes leaf, issuer;
	uint8_t fingerprint[OCSP_FINGERPRINT_LEN];

	struct slot_answer held, latest;
	struct ocsp_bytes response;
	bool unsaid, unstored, store_failed;
	int store_error;
	bool untimely, holding, lost, revoked;
	unsigned int trouble, failures;

	struct fetch_options options;	/* the owner's, for @fetch */
	struct fetch *fetch;		/* while it runs, */
	CURL *easy;			/* and while a transfer does */
	struct slot_attempt attempt;
	uint64_t began_ms;		/* the last attempt; the owner's */
	int64_t next;
	bool next_new;

	struct slot_link say, store;	/* the owner's lists */
	char data[];
};

/* slot_new - of a STAPLE_MSG_SLOT; NULL: out of memory, or it has no URL */
struct slot *slot_new(const struct staple_msg *msg);
void slot_free(struct slot *slot);

/*
 * slot_load - take the best of what is stored, @master's and what is held
 * Stored files that are of no use stay: the next success replaces them. What
 * master alone has is @unstored.
 */
void slot_load(struct slot *slot, const struct slot_policy *policy,
	       struct ocsp_bytes master, int64_t now);

/* slot_holds - is there something to staple now? */
bool slot_holds(const struct slot *slot, int64_t now);
/* slot_look - notice, and log once, that the held one ended or holds again */
void slot_look(struct slot *slot, int64_t now);
/*
 * slot_changes_at - when slot_look() is to be called again, in seconds since
 * the epoch; INT64_MAX: never
 */
int64_t slot_changes_at(const struct slot *slot, int64_t now);
/* slot_refresh_in - seconds until it is to be asked by what is held; 0: now */
int64_t slot_refresh_in(const struct slot *slot,
			const struct slot_policy *policy, int64_t now);

/* slot_begin - the next attempt is a new one, from the first URL on */
void slot_begin(struct slot *slot);
/* slot_next_url - go on to the next one; false: there is none */
bool slot_next_url(struct slot *slot);

/*
 * slot_take - a transfer ended; is its outcome what an attempt is for?
 * Good or revoked, and no older than what is known: then it is kept, to be said
 * and to be stored, and *@wait gets the seconds until the next attempt.
 * Otherwise false, and it is only noted.
 */
bool slot_take(struct slot *slot, const struct slot_policy *policy,
	       const struct fetch_outcome *outcome, int64_t now, int64_t *wait);
/*
 * slot_give_up - an attempt ended, and slot_take() took none of its outcomes
 * Returns the seconds until the next one.
 */
int64_t slot_give_up(struct slot *slot, const struct slot_policy *policy,
		     int64_t now);

/* slot_plan - it is asked again @at, in seconds since the epoch */
void slot_plan(struct slot *slot, int64_t at);

/*
 * slot_say - tell master what it does not know yet
 * Returns 0 when that is nothing any more, or -errno of staple_msg_send().
 */
int slot_say(struct slot *slot, int master);

/* slot_store - write what is @unstored, which may take as long as a disk likes */
void slot_store(struct slot *slot, struct slot_policy *policy);

/* slot_random - 32 bits of it */
uint32_t slot_random(void);

#endif
