/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <criterion/criterion.h>

#include "ocsp/verdict.h"

TestSuite(ocsp_verdict, .timeout = 10);

Test(ocsp_verdict, every_verdict_has_a_word_and_a_sentence_of_its_own)
{
	int a, b;

	for (a = 0; a < OCSP_VERDICTS; a++) {
		cr_assert_not_null(ocsp_reason(a), "verdict %d", a);
		cr_assert_not_null(ocsp_word(a), "verdict %d", a);
		cr_expect_gt(strlen(ocsp_reason(a)), 0);
		for (b = 0; b < a; b++) {
			cr_expect_str_neq(ocsp_reason(a), ocsp_reason(b));
			cr_expect_str_neq(ocsp_word(a), ocsp_word(b));
		}
	}
}

Test(ocsp_verdict, words_are_the_names_in_lower_case)
{
	static const struct {
		enum ocsp_verdict verdict;
		const char *word;
	} cases[] = {
		{ OCSP_OK, "ok" },
		{ OCSP_NOT_V1, "not-v1" },
		{ OCSP_OTHER_CERT, "other-cert" },
		{ OCSP_DELEGATE_KEY_USAGE, "delegate-key-usage" },
		{ OCSP_PRODUCED_EXPIRED, "produced-expired" },
		{ OCSP_OLDER, "older" },
		{ OCSP_REVOKED, "revoked" },
		{ OCSP_UNKNOWN, "unknown" },
	};
	const char *allowed = "abcdefghijklmnopqrstuvwxyz-1";
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(ocsp_word(cases[i].verdict), cases[i].word);
	for (i = 0; i < OCSP_VERDICTS; i++)
		cr_expect_eq(strspn(ocsp_word(i), allowed),
			     strlen(ocsp_word(i)), "%s", ocsp_word(i));
}
