/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <openssl/err.h>

#include "ocsp/ocsp.h"
#include "tests/ocsp_response.h"

/* In the tables, what is left out is zero on purpose. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static struct pki pki;

static void setup(void)
{
	pki = pki_make();
}

static void teardown(void)
{
	pki_free(&pki);
}

TestSuite(ocsp_check, .init = setup, .fini = teardown, .timeout = 60);

struct order_case {
	const char *what;
	enum ocsp_verdict want;
	struct response_order order;
	int64_t next_update;	/* relative to NOW; 0: HOUR */
};

static void run_orders(const struct order_case *cases, size_t n)
{
	const struct order_case *t;
	enum ocsp_verdict got;
	struct ocsp_times times;

	for (t = cases; t < cases + n; t++) {
		got = judge_order(&pki, &t->order, &times);
		cr_expect_eq(got, t->want, "%s: got %d, %s", t->what, got,
			     ocsp_reason(got));
		if (got != OCSP_OK && got != OCSP_REVOKED &&
		    got != OCSP_UNKNOWN)
			continue;
		cr_expect_eq(times.next_update,
			     NOW + (t->next_update ? t->next_update : HOUR),
			     "%s: until NOW%+ld", t->what,
			     (long)(times.next_update - NOW));
		cr_expect(ocsp_holds(&times, ocsp_default_limits.skew, NOW),
			  "%s", t->what);
	}
}

#define RUN(cases) run_orders(cases, sizeof(cases) / sizeof(cases[0]))

#define GOOD V_OCSP_CERTSTATUS_GOOD
#define REVOKED V_OCSP_CERTSTATUS_REVOKED
#define UNKNOWN V_OCSP_CERTSTATUS_UNKNOWN
#define ONE(...) \
	{ \
		.answers = { { MINE, __VA_ARGS__ } } \
	}

Test(ocsp_check, finds_our_answer_by_its_whole_certid)
{
	static const struct order_case cases[] = {
		{ "SHA-1", OCSP_OK, ONE(GOOD, EVP_sha1) },
		{ "SHA-256", OCSP_OK, ONE(GOOD, EVP_sha256) },
		{ "SHA-384", OCSP_OK, ONE(GOOD, EVP_sha384) },
		{ "SHA-512", OCSP_OK, ONE(GOOD, EVP_sha512) },
		{ "MD5", OCSP_OTHER_HASH, ONE(GOOD, EVP_md5) },
		{ "SHA-224", OCSP_OTHER_HASH, ONE(GOOD, EVP_sha224) },
		{ "MD5, then SHA-1", OCSP_OK,
		  { .answers = { { MINE, GOOD, EVP_md5 }, { MINE } } } },
		{ "other serial", OCSP_OTHER_CERT,
		  { .answers = { { NEIGHBOUR } } } },
		{ "other serial, revoked", OCSP_OTHER_CERT,
		  { .answers = { { NEIGHBOUR, REVOKED } } } },
		{ "right key hash, wrong name hash", OCSP_OTHER_ISSUER,
		  { .answers = { { OTHER_NAME } } } },
		{ "right name hash, wrong key hash", OCSP_OTHER_ISSUER,
		  { .answers = { { OTHER_KEY } } } },
		{ "the same in SHA-256", OCSP_OTHER_ISSUER,
		  { .answers = { { OTHER_KEY, GOOD, EVP_sha256 } } } },
		{ "revoked neighbour first", OCSP_OK,
		  { .answers = { { NEIGHBOUR, REVOKED }, { MINE } } } },
		{ "revoked neighbour last", OCSP_OK,
		  { .answers = { { MINE }, { NEIGHBOUR, REVOKED } } } },
		{ "good neighbour first, revoked", OCSP_REVOKED,
		  { .answers = { { NEIGHBOUR }, { MINE, REVOKED } } } },
		{ "good neighbour last, revoked", OCSP_REVOKED,
		  { .answers = { { MINE, REVOKED }, { NEIGHBOUR } } } },
		{ "a neighbour's odd answer is his own affair", OCSP_OK,
		  { .answers = { { NEIGHBOUR, .raw_from = "20231314211320Z",
				   .critical = UNKNOWN_OID }, { MINE } } } },
		{ "one of 400", OCSP_OK, { .crowd = 399 } },
		{ "none of 400", OCSP_OTHER_CERT,
		  { .crowd = 399, .answers = { { NEIGHBOUR } } } },
	};

	RUN(cases);
}

Test(ocsp_check, takes_good_only_and_refuses_contradiction)
{
	static const struct order_case cases[] = {
		{ "good", OCSP_OK, ONE(GOOD) },
		{ "revoked", OCSP_REVOKED, ONE(REVOKED) },
		{ "unknown", OCSP_UNKNOWN, ONE(UNKNOWN) },
		{ "good, revoked", OCSP_CONTRADICTORY,
		  { .answers = { { MINE, GOOD }, { MINE, REVOKED } } } },
		{ "revoked, good", OCSP_CONTRADICTORY,
		  { .answers = { { MINE, REVOKED }, { MINE, GOOD } } } },
		{ "good, unknown", OCSP_CONTRADICTORY,
		  { .answers = { { MINE, GOOD }, { MINE, UNKNOWN } } } },
		{ "good, unknown, revoked", OCSP_CONTRADICTORY,
		  { .answers = { { MINE, GOOD }, { MINE, UNKNOWN },
				 { MINE, REVOKED } } } },
		{ "good in SHA-1, revoked in SHA-256", OCSP_CONTRADICTORY,
		  { .answers = { { MINE, GOOD },
				 { MINE, REVOKED, EVP_sha256 } } } },
		{ "good, neighbour between, revoked long ago",
		  OCSP_CONTRADICTORY,
		  { .answers = { { MINE, GOOD }, { NEIGHBOUR },
				 { MINE, REVOKED, NULL, -9 * HOUR,
				   -8 * HOUR } } } },
		{ "revoked twice", OCSP_REVOKED,
		  { .answers = { { MINE, REVOKED }, { MINE, REVOKED } } } },
		{ "good in two hashes", OCSP_OK,
		  { .answers = { { MINE, GOOD, NULL, 0, 3 * HOUR },
				 { MINE, GOOD, EVP_sha256, 0, 2 * HOUR } } },
		  2 * HOUR },
		{ "good twice, the second expired", OCSP_EXPIRED,
		  { .answers = { { MINE }, { MINE, .to = -1 } } } },
	};

	RUN(cases);
}

Test(ocsp_check, takes_revoked_for_revoked_whenever_and_why_ever)
{
	static const struct order_case cases[] = {
		{ "without a reason", OCSP_REVOKED,
		  ONE(REVOKED, .reason = OCSP_REVOKED_STATUS_NOSTATUS) },
		{ "on hold", OCSP_REVOKED,
		  ONE(REVOKED, .reason =
			  OCSP_REVOKED_STATUS_CERTIFICATEHOLD) },
		{ "no longer on hold", OCSP_REVOKED,
		  ONE(REVOKED, .reason = OCSP_REVOKED_STATUS_REMOVEFROMCRL) },
		{ "in the future", OCSP_REVOKED,
		  ONE(REVOKED, .revoked = 9 * DAY) },
		{ "after thisUpdate", OCSP_REVOKED,
		  ONE(REVOKED, .revoked = -60) },
		{ "never issued", OCSP_REVOKED,
		  ONE(REVOKED, .revoked = -NOW,
		      .reason = OCSP_REVOKED_STATUS_CERTIFICATEHOLD) },
		{ "expired", OCSP_EXPIRED, ONE(REVOKED, .to = -1) },
		{ "with a critical extension", OCSP_CRITICAL_ANSWER,
		  ONE(REVOKED, .critical = UNKNOWN_OID) },
		{ "good, and on hold", OCSP_CONTRADICTORY,
		  { .answers = { { MINE, GOOD },
				 { MINE, REVOKED, .reason =
				   OCSP_REVOKED_STATUS_CERTIFICATEHOLD } } } },
		{ "no longer on hold, and good", OCSP_CONTRADICTORY,
		  { .answers = { { MINE, REVOKED, .reason =
				   OCSP_REVOKED_STATUS_REMOVEFROMCRL },
				 { MINE, GOOD } } } },
	};

	RUN(cases);
}

Test(ocsp_check, holds_thisupdate_and_nextupdate_against_now)
{
	static const struct order_case cases[] = {
		{ "expires in a second", OCSP_OK, ONE(.to = 1), 1 },
		{ "expires now", OCSP_EXPIRED,
		  ONE(.raw_to = "20231114221320Z") },
		{ "expired a second ago", OCSP_EXPIRED, ONE(.to = -1) },
		{ "valid for 20 seconds, from now", OCSP_OK,
		  ONE(.from = -1, .to = 20), 20 },
		{ "valid for 20 seconds, all in our future", OCSP_OK,
		  ONE(.from = 290, .to = 310), 310 },
		{ "from 300 s ahead", OCSP_OK, ONE(.from = 300) },
		{ "from 301 s ahead", OCSP_NOT_YET, ONE(.from = 301) },
		{ "nextUpdate is thisUpdate", OCSP_BAD_ORDER,
		  ONE(.from = 10, .to = 10) },
		{ "nextUpdate before thisUpdate", OCSP_BAD_ORDER,
		  ONE(.from = 20, .to = 10) },
		{ "a year old", OCSP_OK, ONE(.from = -365 * DAY) },
		{ "cut at the greatest age", OCSP_OK,
		  ONE(.from = -365 * DAY, .to = 365 * DAY), DAY },
		{ "366 days old", OCSP_TOO_OLD, ONE(.from = -366 * DAY) },
		{ "no nextUpdate", OCSP_OK, ONE(.to = NEVER), 23 * HOUR },
		{ "no nextUpdate, nearly a day old", OCSP_OK,
		  ONE(.from = -DAY + 1, .to = NEVER), 1 },
		{ "no nextUpdate, a day old", OCSP_TOO_OLD,
		  ONE(.from = -DAY, .to = NEVER) },
		{ "no nextUpdate, 301 s ahead", OCSP_NOT_YET,
		  ONE(.from = 301, .to = NEVER) },
	};

	RUN(cases);
}

Test(ocsp_check, refuses_a_producedat_that_makes_no_sense)
{
	static const struct order_case cases[] = {
		{ "300 s ahead", OCSP_OK, { .produced = 300 } },
		{ "301 s ahead", OCSP_PRODUCED_LATER, { .produced = 301 } },
		{ "300 s before thisUpdate", OCSP_OK,
		  { .produced = -HOUR - 300 } },
		{ "301 s before thisUpdate", OCSP_PRODUCED_EARLY,
		  { .produced = -HOUR - 301 } },
		{ "at nextUpdate", OCSP_PRODUCED_EXPIRED,
		  { .answers = { { MINE, .to = 20 } }, .produced = 20 } },
		{ "just before nextUpdate", OCSP_OK,
		  { .answers = { { MINE, .to = 20 } }, .produced = 19 }, 20 },
		{ "late, no nextUpdate", OCSP_OK,
		  { .answers = { { MINE, .from = -DAY + 9, .to = NEVER } },
		    .produced = 200 }, 9 },
	};

	RUN(cases);
}

/* Newer libraries count a time's bytes before we see them. */
#if OPENSSL_VERSION_NUMBER >= 0x30500000L
#define SHORT_TIME OCSP_NOT_DER
#else
#define SHORT_TIME OCSP_BAD_TIME
#endif

Test(ocsp_check, takes_one_form_of_time_only)
{
	static const struct order_case cases[] = {
		{ "whole seconds", OCSP_OK,
		  ONE(.raw_from = "20231114211320Z") },
		{ "fraction", OCSP_BAD_TIME,
		  ONE(.raw_from = "20231114211320.5Z") },
		{ "offset", OCSP_BAD_TIME,
		  ONE(.raw_from = "20231114211320+0000") },
		{ "local", SHORT_TIME, ONE(.raw_from = "20231114211320") },
		{ "no seconds", SHORT_TIME,
		  ONE(.raw_from = "202311142113Z") },
		{ "UTCTime's", SHORT_TIME,
		  ONE(.raw_from = "231114211320Z") },
		{ "15 bytes with an offset", OCSP_BAD_TIME,
		  ONE(.raw_from = "20231114211+000") },
		{ "space", OCSP_BAD_TIME, ONE(.raw_from = "2023111421132 Z") },
		{ "30 February", OCSP_BAD_TIME,
		  ONE(.raw_from = "20230230211320Z") },
		{ "month 13", OCSP_BAD_TIME,
		  ONE(.raw_from = "20231314211320Z") },
		{ "empty", SHORT_TIME, ONE(.raw_from = "") },
		{ "year 0", OCSP_TOO_OLD, ONE(.raw_from = "00000101000000Z") },
		{ "year 9999", OCSP_OK, ONE(.raw_to = "99991231235959Z"),
		  366 * DAY - HOUR },
		{ "nextUpdate's fraction", OCSP_BAD_TIME,
		  ONE(.raw_to = "20231114231320.5Z") },
		{ "producedAt's offset", OCSP_BAD_TIME,
		  { .raw_produced = "20231114211320+0000" } },
	};

	RUN(cases);
}

Test(ocsp_check, refuses_unknown_critical_extensions_only)
{
	static const struct order_case cases[] = {
		{ "response, unknown", OCSP_OK, { .plain = UNKNOWN_OID } },
		{ "response, unknown critical", OCSP_CRITICAL_RESPONSE,
		  { .critical = UNKNOWN_OID } },
		{ "response, nonce", OCSP_OK, { .plain = NONCE_OID } },
		{ "response, nonce critical", OCSP_OK,
		  { .critical = NONCE_OID } },
		{ "response, extended revoked", OCSP_OK,
		  { .plain = EXTENDED_REVOKED_OID } },
		{ "response, extended revoked critical", OCSP_CRITICAL_RESPONSE,
		  { .critical = EXTENDED_REVOKED_OID } },
		{ "response, preferred algorithms critical",
		  OCSP_CRITICAL_RESPONSE,
		  { .critical = PREFERRED_ALGORITHMS_OID } },
		{ "response, archive cutoff critical", OCSP_CRITICAL_RESPONSE,
		  { .critical = ARCHIVE_CUTOFF_OID } },
		{ "answer, unknown", OCSP_OK, ONE(.plain = UNKNOWN_OID) },
		{ "answer, unknown critical", OCSP_CRITICAL_ANSWER,
		  ONE(.critical = UNKNOWN_OID) },
		{ "answer, nonce critical", OCSP_CRITICAL_ANSWER,
		  ONE(.critical = NONCE_OID) },
		{ "answer, CRL critical", OCSP_OK,
		  ONE(.critical = CRL_ID_OID) },
		{ "answer, archive cutoff", OCSP_OK,
		  ONE(.plain = ARCHIVE_CUTOFF_OID) },
		{ "answer, archive cutoff critical", OCSP_OK,
		  ONE(.critical = ARCHIVE_CUTOFF_OID) },
		{ "second answer, unknown critical", OCSP_CRITICAL_ANSWER,
		  { .answers = { { MINE },
				 { MINE, .critical = UNKNOWN_OID } } } },
	};

	RUN(cases);
}

Test(ocsp_check, wants_a_leaf_of_that_issuer)
{
	X509 *renamed = cert_make(&(struct cert_order){
		.name = "Alias", .key = pki.key, .md = EVP_sha256() });
	X509 *rekeyed = cert_make(&(struct cert_order){
		.name = "Issuer", .key = pki.other_key, .md = EVP_sha256() });
	struct ocsp_bytes issuer = cert_bytes(pki.issuer);
	struct ocsp_bytes der =
		make_response(&pki, &(struct response_order){ 0 });
	uint8_t two[2048], *end = two;
	size_t len = (size_t)i2d_X509(pki.leaf, &end);
	struct ocsp_bytes leaf = { two, len };
	const struct {
		struct ocsp_bytes leaf, issuer;
		enum ocsp_verdict want;
	} cases[] = {
		{ leaf, issuer, OCSP_OK },
		{ leaf, cert_bytes(pki.other), OCSP_NOT_ISSUER },
		{ leaf, cert_bytes(renamed), OCSP_NOT_ISSUER },
		{ leaf, cert_bytes(rekeyed), OCSP_NOT_ISSUER },
		{ issuer, issuer, OCSP_OTHER_CERT },
		{ issuer, leaf, OCSP_NOT_ISSUER },
		{ { NULL, 0 }, issuer, OCSP_BAD_LEAF },
		{ { leaf.data, leaf.len - 1 }, issuer, OCSP_BAD_LEAF },
		{ { leaf.data, leaf.len + 1 }, issuer, OCSP_BAD_LEAF },
		{ der, issuer, OCSP_BAD_LEAF },
		{ leaf, { NULL, 0 }, OCSP_BAD_ISSUER },
		{ leaf, { issuer.data, 99 }, OCSP_BAD_ISSUER },
	};
	struct ocsp_times times;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(ocsp_check(der, cases[i].leaf, cases[i].issuer,
					&ocsp_default_limits, NOW, &times),
			     cases[i].want, "case %zu", i);
	for (i = 1; i <= 3; i++)
		OPENSSL_free((void *)cases[i].issuer.data);
	OPENSSL_free((void *)issuer.data);
	OPENSSL_free((void *)der.data);
	X509_free(renamed);
	X509_free(rekeyed);
}

Test(ocsp_check, takes_serials_of_any_sign_and_size)
{
	static const char *const serials[] = {
		"-5", "0", "80", "-80",
		"FFEEDDCCBBAA99887766554433221100FFEEDDCCBBAA9988",
	};
	struct ocsp_times times;
	X509 *leaf = pki.leaf;
	size_t i;

	for (i = 0; i < sizeof(serials) / sizeof(serials[0]); i++) {
		pki.leaf = cert_make(&(struct cert_order){
			.name = "leaf", .serial = serials[i],
			.key = pki.leaf_key, .issuer = pki.issuer,
			.issuer_key = pki.key, .md = EVP_sha256() });
		cr_expect_eq(judge_order(&pki, &(struct response_order){ 0 },
					 &times),
			     OCSP_OK, "%s", serials[i]);
		X509_free(pki.leaf);
	}
	pki.leaf = leaf;
}

Test(ocsp_check, tells_a_serial_from_its_negative)
{
	static const struct order_case cases[] = {
		{ "negative of ours", OCSP_OTHER_CERT,
		  { .answers = { { NEIGHBOUR } } } },
		{ "negative of ours, revoked, then ours", OCSP_OK,
		  { .answers = { { NEIGHBOUR, REVOKED }, { MINE } } } },
	};
	X509 *issuer = pki.issuer;

	/* A neighbour's serial number is the issuer's. */
	pki.issuer = cert_make(&(struct cert_order){
		.name = "Issuer", .serial = "-1234", .key = pki.key,
		.md = EVP_sha256() });
	RUN(cases);
	X509_free(pki.issuer);
	pki.issuer = issuer;
}

Test(ocsp_check, stands_any_now_and_leaves_no_error_behind)
{
	struct ocsp_bytes leaf = cert_bytes(pki.leaf);
	struct ocsp_bytes issuer = cert_bytes(pki.issuer);
	struct ocsp_bytes der =
		make_response(&pki, &(struct response_order){ 0 });
	struct ocsp_times times;

	ERR_clear_error();
	cr_expect_eq(ocsp_check(der, leaf, issuer, &ocsp_default_limits,
				INT64_MAX, &times),
		     OCSP_EXPIRED);
	cr_expect_eq(ocsp_check(der, leaf, issuer, &ocsp_default_limits,
				INT64_MIN, &times),
		     OCSP_NOT_YET);
	cr_expect_eq(ocsp_check(leaf, leaf, issuer, &ocsp_default_limits, NOW,
				&times),
		     OCSP_NOT_DER);
	cr_expect_eq(ocsp_check(der, der, issuer, &ocsp_default_limits, NOW,
				&times),
		     OCSP_BAD_LEAF);
	cr_expect_eq(ERR_peek_error(), 0);
	OPENSSL_free((void *)leaf.data);
	OPENSSL_free((void *)issuer.data);
	OPENSSL_free((void *)der.data);
}

Test(ocsp_check, says_when_a_response_was_produced)
{
	struct ocsp_bytes der =
		make_response(&pki, &(struct response_order){
				      .produced = 1234 });
	int64_t at = 0;

	ERR_clear_error();
	cr_expect(ocsp_produced(der, &at));
	cr_expect_eq(at, NOW + 1234);
	der.len--;
	cr_expect_not(ocsp_produced(der, &at));
	der.len = 0;
	cr_expect_not(ocsp_produced(der, &at));
	cr_expect_eq(ERR_peek_error(), 0);
	OPENSSL_free((void *)der.data);
	der = make_response(&pki, &(struct response_order){
				    .raw_produced = "20231114211320+0000" });
	cr_expect_not(ocsp_produced(der, &at));
	OPENSSL_free((void *)der.data);
}

Test(ocsp_check, keeps_to_the_limits_it_is_given)
{
	static const struct {
		struct ocsp_limits limits;
		struct response_order order;
		enum ocsp_verdict want;
		int64_t next_update;
	} cases[] = {
		{ { 0, DAY, HOUR }, ONE(.from = -1), OCSP_OK, HOUR },
		{ { 0, DAY, HOUR }, ONE(.from = 1), OCSP_NOT_YET },
		{ { 0, DAY, HOUR }, { .produced = 1 }, OCSP_PRODUCED_LATER },
		{ { 0, DAY, HOUR }, { .produced = -HOUR - 1 },
		  OCSP_PRODUCED_EARLY },
		{ { 1, DAY, HOUR }, ONE(.from = 1), OCSP_OK, HOUR },
		{ { 0, 2 * HOUR, 9 }, ONE(.to = DAY), OCSP_OK, HOUR },
		{ { 0, HOUR, DAY }, ONE(.to = DAY), OCSP_TOO_OLD },
		{ { 0, 9, 2 * HOUR }, ONE(.to = NEVER), OCSP_OK, HOUR },
		{ { 0, DAY, HOUR }, ONE(.to = NEVER), OCSP_TOO_OLD },
		{ { INT64_MAX, INT64_MAX, INT64_MAX }, ONE(.from = 400 * DAY,
							   .to = 500 * DAY),
		  OCSP_OK, 500 * DAY },
		{ { 0, INT64_MIN, INT64_MIN }, ONE(.to = DAY), OCSP_TOO_OLD },
		{ { 0, -1, -1 }, ONE(.to = NEVER), OCSP_TOO_OLD },
	};
	struct ocsp_bytes leaf = cert_bytes(pki.leaf);
	struct ocsp_bytes issuer = cert_bytes(pki.issuer);
	struct ocsp_times times;
	struct ocsp_bytes der;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		der = make_response(&pki, &cases[i].order);
		cr_expect_eq(ocsp_check(der, leaf, issuer, &cases[i].limits,
					NOW, &times),
			     cases[i].want, "case %zu", i);
		if (cases[i].want == OCSP_OK)
			cr_expect_eq(times.next_update,
				     NOW + cases[i].next_update, "case %zu", i);
		OPENSSL_free((void *)der.data);
	}
	OPENSSL_free((void *)leaf.data);
	OPENSSL_free((void *)issuer.data);
}

Test(ocsp_check, says_when_several_answers_hold_at_once)
{
	static const struct response_order order = {
		.answers = { { MINE, .from = -9, .to = 20 },
			     { MINE, .from = -5, .to = 30 },
			     { MINE, .from = -7, .to = 40 } },
	};
	struct ocsp_times times;

	cr_assert_eq(judge_order(&pki, &order, &times), OCSP_OK);
	cr_expect_eq(times.this_update, NOW - 5);
	cr_expect_eq(times.next_update, NOW + 20);
}
