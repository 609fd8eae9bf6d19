/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <criterion/criterion.h>

#include "ocsp/ocsp.h"

TestSuite(ocsp_reason, .timeout = 10);

Test(ocsp_reason, every_verdict_has_a_sentence_of_its_own)
{
	int a, b;

	for (a = 0; a < OCSP_VERDICTS; a++) {
		cr_assert_not_null(ocsp_reason(a), "verdict %d", a);
		cr_expect_gt(strlen(ocsp_reason(a)), 0);
		for (b = 0; b < a; b++)
			cr_expect_str_neq(ocsp_reason(a), ocsp_reason(b));
	}
}
