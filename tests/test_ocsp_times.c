/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "ocsp/ocsp.h"

TestSuite(ocsp_times, .timeout = 10);

Test(ocsp_times, tells_newer_from_older_and_the_same)
{
	static const struct {
		struct ocsp_times held, fresh;
		enum ocsp_verdict want;
		bool same;
	} cases[] = {
		{ { 10, 20 }, { 11, 20 }, OCSP_OK, false },
		{ { 10, 20 }, { 11, 21 }, OCSP_OK, false },
		{ { 10, 20 }, { 11, 19 }, OCSP_OK, false },
		{ { 10, 20 }, { 10, 21 }, OCSP_OK, false },
		{ { 10, 20 }, { 10, 20 }, OCSP_OK, true },
		{ { 10, 20 }, { 10, 19 }, OCSP_OK, true },
		{ { 10, 20 }, { 9, 19 }, OCSP_OLDER, false },
		{ { 10, 20 }, { 9, 20 }, OCSP_OLDER, false },
		{ { 10, 20 }, { 9, 99 }, OCSP_OLDER, false },
		{ { INT64_MIN, 0 }, { INT64_MAX, 0 }, OCSP_OK, false },
	};
	bool same;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		same = !cases[i].same;
		cr_expect_eq(ocsp_compare(&cases[i].held, &cases[i].fresh,
					  &same),
			     cases[i].want, "case %zu", i);
		cr_expect_eq(same, cases[i].same, "case %zu", i);
	}
}

Test(ocsp_times, holds_from_thisupdate_less_the_skew_to_the_end)
{
	static const struct {
		struct ocsp_times times;
		int64_t skew, now;
		bool want;
	} cases[] = {
		{ { 1000, 2000 }, 300, 699, false },
		{ { 1000, 2000 }, 300, 700, true },
		{ { 1000, 2000 }, 300, 1999, true },
		{ { 1000, 2000 }, 300, 2000, false },
		{ { 1000, 2000 }, 0, 999, false },
		{ { 1000, 2000 }, 0, 1000, true },
		{ { INT64_MIN, INT64_MAX }, 300, 0, true },
		{ { INT64_MIN, INT64_MAX }, 300, INT64_MIN, true },
		{ { INT64_MIN, INT64_MAX }, 300, INT64_MAX, false },
		{ { INT64_MAX, INT64_MAX }, 300, INT64_MIN, false },
		{ { INT64_MAX, INT64_MAX }, 300, INT64_MAX - 300, true },
		{ { INT64_MAX, INT64_MAX }, INT64_MAX, -1, false },
		{ { INT64_MAX, INT64_MAX }, INT64_MAX, 0, true },
		{ { 0, 0 }, 300, 0, false },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(ocsp_holds(&cases[i].times, cases[i].skew,
					cases[i].now),
			     cases[i].want, "case %zu", i);
}
