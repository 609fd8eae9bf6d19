// SPDX-License-Identifier: MIT
#include "agent/stapler/slot.h"

#include "agent/stapler/slot_store.h"

#include <limits.h>

#include "agent_case.h"
#include "agent_stapler.h"

#define GOOD V_OCSP_CERTSTATUS_GOOD
#define REVOKED V_OCSP_CERTSTATUS_REVOKED
#define URLS "http://a/\0http://b/"

static char dir[32];
static struct slot_policy policy;
static struct slot *slot;
static struct ocsp_bytes made[64];
static unsigned int n_made;
static int64_t wait_s;

static struct slot *new_slot(const char *urls, size_t len)
{
	return slot_new(&(struct staple_msg){
		.type = STAPLE_MSG_SLOT, .slot = 7,
		.part = { bytes_of("site"), { (const void *)urls, len }, leaf,
			  issuer } });
}

static void start(void)
{
	pki_start();
	case_make_dir(dir);
	policy.intervals = (struct ocsp_intervals){ 300, DAY };
	policy.folder = dir;
	ocsp_files_init(&policy.files, open(dir, O_RDONLY | O_DIRECTORY));
	slot = new_slot(URLS, sizeof(URLS));
	cr_assert(slot);
}

static void stop(void)
{
	char command[64];

	slot_free(slot);
	while (n_made)
		OPENSSL_free((void *)made[--n_made].data);
	close(policy.files.dir);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_expect_eq(system(command), 0);
	pki_stop();
}

TestSuite(slot, .init = start, .fini = stop, .timeout = 30);

/* Times relative to NOW, which is when it is made. */
static struct ocsp_bytes make(int status, int64_t from, int64_t to)
{
	return made[n_made++] = respond(MINE, status, NOW, from, to);
}

static bool take_fresh(struct ocsp_bytes der, int64_t now, int64_t fresh)
{
	struct fetch_outcome outcome = {
		.der = der, .address = "[::1]:80",
		.http = { .status = 200, .fresh = fresh, .retry_after = -1 },
	};

	outcome.verdict = ocsp_check(der, leaf, issuer, &ocsp_default_limits,
				     now, &outcome.times);
	return slot_take(slot, &policy, &outcome, now, &wait_s);
}

static bool take_at(struct ocsp_bytes der, int64_t now)
{
	return take_fresh(der, now, -1);
}

static bool take(int status, int64_t from, int64_t to)
{
	return take_at(make(status, from, to), NOW);
}

/* Whatever is to be said has been. */
static void forget_response(void)
{
	free((void *)slot->response.data);
	slot->response = (struct ocsp_bytes){ NULL, 0 };
	slot->unsaid = slot->unstored = false;
}

static void fail(int64_t retry_after)
{
	struct fetch_outcome outcome = {
		.result = FETCH_STATUS, .error = "it failed",
		.http = { .status = 503, .retry_after = retry_after },
	};

	cr_assert_not(slot_take(slot, &policy, &outcome, NOW, &wait_s));
}

Test(slot, asks_every_url_in_turn_and_begins_with_the_first_again)
{
	cr_assert_str_eq(slot->job.url, "http://a/");
	cr_assert(slot_next_url(slot));
	cr_assert_str_eq(slot->job.url, "http://b/");
	cr_assert_not(slot_next_url(slot));
	slot_begin(slot);
	cr_assert_str_eq(slot->job.url, "http://a/");
	cr_assert_null(new_slot("", 0));
}

Test(slot, takes_what_is_newer_than_the_newest)
{
	static const struct {
		const char *what;
		int status;
		int64_t from, to;
		bool taken, kept;
		enum ocsp_verdict verdict;
	} steps[] = {
		{ "the first", GOOD, -1000, 5000, true, true, OCSP_OK },
		{ "the same", GOOD, -1000, 5000, true, false, OCSP_OK },
		{ "older", GOOD, -1100, 6000, false, false, OCSP_OLDER },
		{ "longer", GOOD, -1000, 5100, true, true, OCSP_OK },
		{ "shorter", GOOD, -1000, 5000, true, false, OCSP_OK },
		{ "newer", GOOD, -900, 4000, true, true, OCSP_OK },
		{ "unknown", V_OCSP_CERTSTATUS_UNKNOWN, -800, 5000, false,
		  false, OCSP_UNKNOWN },
		{ "expired", GOOD, -800, -1, false, false, OCSP_EXPIRED },
		{ "revoked before", REVOKED, -950, 5000, false, false,
		  OCSP_OLDER },
		{ "revoked at once", REVOKED, -900, 4000, true, false,
		  OCSP_REVOKED },
		{ "good at once", GOOD, -900, 4000, false, false, OCSP_OLDER },
		{ "revoked", REVOKED, -700, 5000, true, false, OCSP_REVOKED },
		{ "good before", GOOD, -800, 5000, false, false, OCSP_OLDER },
		{ "good again", GOOD, -600, 5000, true, true, OCSP_OK },
	};
	unsigned int i;

	for (i = 0; i < COUNT(steps); i++) {
		cr_expect_eq(take(steps[i].status, steps[i].from, steps[i].to),
			     steps[i].taken, "%s", steps[i].what);
		cr_expect_eq(slot->attempt.verdict, steps[i].verdict, "%s: %s",
			     steps[i].what, ocsp_word(slot->attempt.verdict));
		cr_expect_eq(!!slot->response.data, steps[i].kept, "%s",
			     steps[i].what);
		cr_expect_eq(slot->unsaid, steps[i].kept);
		cr_expect_eq(slot->unstored, steps[i].kept);
		cr_expect_eq(slot->held.verdict, OCSP_OK);
		cr_expect(slot_holds(slot, NOW));
		forget_response();
	}
}

Test(slot, holds_a_revoked_answer_only_where_that_is_wanted)
{
	policy.staple_revoked = true;
	cr_assert(take(GOOD, -1000, 5000));
	cr_assert(take(REVOKED, -900, 5000));
	cr_assert_eq(slot->held.verdict, OCSP_REVOKED);
	cr_assert_geq(wait_s, 300);
	cr_assert_lt(wait_s, 600);
	slot_store(slot, &policy);
	slot_free(slot);
	slot = new_slot(URLS, sizeof(URLS));
	slot_load(slot, &policy, (struct ocsp_bytes){ NULL, 0 }, NOW);
	cr_assert_eq(slot->held.verdict, OCSP_REVOKED);
	slot_free(slot);
	slot = new_slot(URLS, sizeof(URLS));
	policy.staple_revoked = false;
	slot_load(slot, &policy, (struct ocsp_bytes){ NULL, 0 }, NOW);
	cr_assert_not(slot_holds(slot, NOW));
}

/* --- clocks -------------------------------------------------------------- */

Test(slot, a_clock_that_is_wrong_for_a_while_costs_nothing)
{
	cr_assert(take(GOOD, -1000, HOUR));
	cr_assert(slot->holding);
	cr_assert_eq(slot_changes_at(slot, NOW), NOW + HOUR);
	slot_look(slot, NOW + 30 * DAY);
	cr_assert(slot->lost);
	cr_assert_eq(slot_changes_at(slot, NOW + 30 * DAY), INT64_MAX);
	cr_assert_eq(slot_refresh_in(slot, &policy, NOW + 30 * DAY), 0);
	slot_look(slot, NOW - DAY);
	cr_assert(slot->lost);
	cr_assert_eq(slot_changes_at(slot, NOW - DAY), NOW - 1000 - 300);
	cr_assert_not(take_at(make(GOOD, -900, HOUR), NOW - DAY));
	cr_assert_eq(slot->attempt.verdict, OCSP_NOT_YET);
	slot_look(slot, NOW);
	cr_assert_not(slot->lost);
	cr_assert(slot->holding);
	cr_assert_gt(slot_refresh_in(slot, &policy, NOW), 0);
}

/* A machine that boots without a clock must not lose what it has stored. */
Test(slot, what_is_stored_is_read_again_when_its_time_comes)
{
	static const int64_t wrong[] = { NOW - DAY, NOW + DAY, 0 };
	unsigned int i;

	cr_assert(take(GOOD, -1000, HOUR));
	slot_store(slot, &policy);
	for (i = 0; i < COUNT(wrong); i++) {
		slot_free(slot);
		slot = new_slot(URLS, sizeof(URLS));
		slot_load(slot, &policy, (struct ocsp_bytes){ NULL, 0 },
			  wrong[i]);
		cr_assert(slot->untimely);
		cr_assert_null(slot->response.data);
		slot_load(slot, &policy, (struct ocsp_bytes){ NULL, 0 }, NOW);
		cr_assert_not(slot->untimely);
		cr_assert(is_equal(slot->response, made[0]));
		cr_assert_not(slot->unstored);
	}
}

Test(slot, one_that_ended_is_replaced_by_anything_that_holds)
{
	cr_assert(take(GOOD, -1000, 100));
	cr_assert_not(take(GOOD, -1100, HOUR));
	cr_assert(take_at(made[1], NOW + 100));
	cr_assert_eq(slot->held.times.next_update, NOW + HOUR);
}

/* --- waits --------------------------------------------------------------- */

Test(slot, waits_longer_after_each_failure_but_not_until_the_staple_ends)
{
	int64_t longest = 0;
	unsigned int i;

	for (i = 0; i < 50; i++) {
		fail(-1);
		wait_s = slot_give_up(slot, &policy, NOW);
		cr_assert_geq(wait_s, 1);
		cr_assert_leq(wait_s, i < 11 ? 2 << i : 3600);
		cr_assert_eq(slot->attempt.at, NOW);
		longest = wait_s > longest ? wait_s : longest;
	}
	cr_assert_gt(longest, 600);
	cr_assert(take(GOOD, -1000, 400));
	cr_assert_eq(slot->failures, 0);
	slot->failures = 1000;
	for (i = 0; i < 50; i++) {
		fail(-1);
		cr_assert_leq(slot_give_up(slot, &policy, NOW), 100);
	}
	cr_assert_leq(slot->failures, 1000);
}

/* Each change of it is a line in the log. */
static unsigned int trouble_by(enum fetch_result result,
			       enum ocsp_verdict verdict)
{
	fail(-1);
	slot->attempt.result = result;
	slot->attempt.verdict = verdict;
	slot_give_up(slot, &policy, NOW);
	return slot->trouble;
}

Test(slot, the_same_trouble_may_show_in_several_ways)
{
	unsigned int away = trouble_by(FETCH_NO_CONNECTION, OCSP_NOT_DER);

	cr_expect_eq(trouble_by(FETCH_TIMEOUT, OCSP_NOT_DER), away);
	cr_expect_eq(trouble_by(FETCH_NO_ADDRESS, OCSP_NOT_DER), away);
	cr_expect_neq(trouble_by(FETCH_STATUS, OCSP_NOT_DER), away);
	cr_expect_neq(trouble_by(FETCH_ANSWER, OCSP_EXPIRED),
		      trouble_by(FETCH_ANSWER, OCSP_UNAUTHORIZED));
}

Test(slot, waits_as_long_as_any_of_its_responders_asked_for)
{
	fail(100);
	slot_next_url(slot);
	fail(-1);
	wait_s = slot_give_up(slot, &policy, NOW);
	cr_assert_geq(wait_s, 100);
	cr_assert_leq(wait_s, 110);
	cr_assert_str_eq(slot->attempt.url, "http://b/");
	slot_begin(slot);
	fail(-1);
	cr_assert_leq(slot_give_up(slot, &policy, NOW), 10);
}

Test(slot, is_asked_again_when_http_says_so)
{
	cr_assert(take_fresh(make(GOOD, -1000, 19000), NOW, 3000));
	cr_assert_geq(wait_s, 3000);
	cr_assert_leq(wait_s, 3300);
	cr_assert(take_fresh(make(GOOD, -900, 19000), NOW, 0));
	cr_assert_geq(wait_s, policy.intervals.min);
	cr_assert_leq(wait_s, 2 * policy.intervals.min);
}

Test(slot, is_asked_again_at_half_of_its_time)
{
	unsigned int i;

	cr_assert(take(GOOD, -1000, 19000));
	for (i = 0; i < 50; i++) {
		wait_s = slot_refresh_in(slot, &policy, NOW);
		cr_assert_geq(wait_s, 8000);
		cr_assert_leq(wait_s, 10000);
	}
}

/* --- the store ----------------------------------------------------------- */

static int write_error;

static ssize_t failing_write(int fd, const void *buf, size_t len)
{
	return write_error ? write_error : write(fd, buf, len);
}

static bool is_stored(struct ocsp_bytes der)
{
	static uint8_t buf[OCSP_MAX_LEN + 1];
	ssize_t n = ocsp_store_read(&policy.files, slot->fingerprint, buf);

	return n > 0 && is_equal(der, (struct ocsp_bytes){ buf, (size_t)n });
}

Test(slot, a_full_disk_costs_nothing_but_the_copy_there)
{
	policy.files.write = failing_write;
	cr_assert(take(GOOD, -1000, HOUR));
	slot_store(slot, &policy);
	write_error = -ENOSPC;
	cr_assert(take(GOOD, -900, HOUR));
	slot_store(slot, &policy);
	cr_assert(is_equal(slot->response, made[1]), "master is to have it");
	cr_assert_eq(slot->store_error, -ENOSPC);
	cr_assert_eq(policy.store_error, -ENOSPC);
	cr_assert(slot->store_failed);
	cr_assert(is_stored(made[0]));
	forget_response();
	write_error = 0;
	cr_assert(take_at(made[1], NOW));
	cr_assert_eq(slot->attempt.same, true);
	cr_assert_not(slot->unsaid, "that is no news");
	slot_store(slot, &policy);
	cr_assert_eq(slot->store_error, 0);
	cr_assert(slot->store_failed, "until master has heard of it");
	cr_assert(is_stored(made[1]));
	cr_assert_null(slot->response.data);
}

Test(slot, what_is_no_news_is_stored_but_once)
{
	cr_assert(take(GOOD, -1000, HOUR));
	cr_assert_null(slot_store_read(slot, &policy).data);
	slot_store(slot, &policy);
	cr_assert(is_stored(made[0]));
	ocsp_store_remove(&policy.files, slot->fingerprint);
	cr_assert(take_at(made[0], NOW));
	slot_store(slot, &policy);
	cr_assert_null(slot_store_read(slot, &policy).data);
	cr_assert(slot->unsaid);
}

Test(slot, what_master_alone_has_is_to_be_stored)
{
	cr_assert(take(GOOD, -1000, HOUR));
	slot_store(slot, &policy);
	slot_free(slot);
	slot = new_slot(URLS, sizeof(URLS));
	slot_load(slot, &policy, make(GOOD, -900, HOUR), NOW);
	cr_assert(slot->unsaid);
	cr_assert(slot->unstored);
	cr_assert(is_stored(made[0]));
	slot_store(slot, &policy);
	cr_assert(is_stored(made[1]));
	slot_free(slot);
	slot = new_slot(URLS, sizeof(URLS));
	slot_load(slot, &policy, made[1], NOW);
	cr_assert(slot->unsaid);
	cr_assert_not(slot->unstored);
}

/* What was stored by somebody else is newer than what waits to be. */
Test(slot, what_is_stored_already_replaces_what_waits)
{
	struct ocsp_bytes newer = make(GOOD, -900, HOUR);

	cr_assert(take(GOOD, -1000, HOUR));
	cr_assert_eq(ocsp_store_write(&policy.files, slot->fingerprint, newer),
		     0);
	slot_load(slot, &policy, (struct ocsp_bytes){ NULL, 0 }, NOW);
	cr_assert_not(slot->unstored);
	slot_store(slot, &policy);
	cr_assert(is_stored(newer));
	cr_assert(is_equal(slot->response, newer));
}

/* --- master -------------------------------------------------------------- */

Test(slot, says_the_last_of_each_kind_when_there_is_room)
{
	static uint8_t buf[STAPLE_MSG_MAX];
	struct staple_msg msg;
	unsigned int sent = 0;
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	while (send(pair[0], "full", 4, MSG_DONTWAIT) == 4)
		sent++;
	cr_assert(take(GOOD, -1000, HOUR));
	cr_assert_eq(slot_say(slot, pair[0]), -EAGAIN);
	cr_assert(take(GOOD, -900, HOUR));
	fail(-1);
	slot_give_up(slot, &policy, NOW);
	slot_plan(slot, NOW + 10);
	slot_plan(slot, NOW + 20);
	slot->store_failed = true;
	cr_assert_eq(slot_say(slot, pair[0]), -EAGAIN);
	while (sent--)
		cr_assert_eq(recv(pair[1], buf, sizeof(buf), 0), 4);
	cr_assert_eq(slot_say(slot, pair[0]), 0);
	cr_assert_eq(slot_say(slot, pair[0]), 0);
	cr_assert_eq(staple_msg_recv(pair[1], &msg, buf), 1);
	cr_assert_eq(msg.type, STAPLE_MSG_RESPONSE);
	cr_assert_eq(msg.slot, 7);
	cr_assert(is_equal(msg.part[0], made[1]));
	cr_assert_eq(staple_msg_recv(pair[1], &msg, buf), 1);
	cr_assert_eq(msg.type, STAPLE_MSG_ATTEMPT);
	cr_assert_eq(msg.attempt.result, FETCH_STATUS);
	cr_assert_str_eq((const char *)msg.part[1].data, "it failed");
	cr_assert_eq(staple_msg_recv(pair[1], &msg, buf), 1);
	cr_assert_eq(msg.type, STAPLE_MSG_NEXT);
	cr_assert_eq(msg.slot, 7);
	cr_assert_eq(msg.next, NOW + 20);
	cr_assert_eq(staple_msg_recv(pair[1], &msg, buf), 1);
	cr_assert_eq(msg.type, STAPLE_MSG_STORE_FAILED);
	cr_assert_eq(msg.slot, 7);
	cr_assert_eq(staple_msg_recv(pair[1], &msg, buf), -EAGAIN);
	slot_store(slot, &policy);
	cr_assert(is_stored(made[1]), "it was kept for that");
	cr_assert_null(slot->response.data);
	slot_plan(slot, NOW + 20);
	cr_assert_eq(slot_say(slot, pair[0]), 0);
	cr_assert_eq(staple_msg_recv(pair[1], &msg, buf), -EAGAIN,
		     "it is no news");
	close(pair[0]);
	close(pair[1]);
}
