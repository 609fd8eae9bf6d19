// SPDX-License-Identifier: MIT
#include "probe/cve.h"

#include "agent_case.h"

TestSuite(probe_cve, .timeout = 20);

/* The ids and the versions without them: "CVE-2025-38616=6.1.185 ..." */
static const char *faults_of(unsigned int version, bool exact)
{
	const struct probe_kernel kernel = { .version = version,
					     .exact = exact };
	struct probe_fault faults[PROBE_FAULTS_MAX];
	static char all[1024];
	unsigned int i, n = probe_faults(&kernel, faults);

	all[0] = '\0';
	for (i = 0; i < n; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all),
			 "%s%s=%u.%u.%u", i ? " " : "", faults[i].id + 4,
			 faults[i].fixed / 1000000, faults[i].fixed / 1000 % 1000,
			 faults[i].fixed % 1000);
	return all;
}

#define EXPECT(major, minor, patch, faults) \
	cr_expect_str_eq(faults_of(PROBE_VERSION(major, minor, patch), true), \
			 faults)

Test(probe_cve, compares_within_each_stable_series)
{
	EXPECT(6, 1, 176, "2025-38616=6.1.185 2026-23240=7.0.0");
	EXPECT(6, 1, 185, "2026-23240=7.0.0");
	EXPECT(6, 6, 134, "2026-23240=7.0.0 2026-31533=6.6.135");
	EXPECT(6, 12, 43, "2025-39682=6.12.44 2025-39946=6.12.49 "
	       "2025-40176=6.12.55 2026-23240=6.12.75 2026-31533=6.12.82");
	EXPECT(6, 12, 82, "");
	EXPECT(6, 18, 22, "2026-31533=6.18.23");
	EXPECT(6, 18, 44, "");
	EXPECT(7, 0, 0, "");
	EXPECT(7, 2, 12, "");
}

Test(probe_cve, knows_where_a_series_got_a_fault)
{
	/* 6.1.84 came with this one, and with the one that was right again. */
	EXPECT(6, 1, 84, "2024-36489=6.1.93 2025-37756=6.1.135 "
	       "2025-38471=6.1.147 2025-38616=6.1.185 2025-39682=6.1.149 "
	       "2025-39946=6.1.154 2025-40176=6.1.158 2026-23240=7.0.0 "
	       "2026-31533=6.1.169");
	EXPECT(6, 12, 79, "2026-23414=6.12.80 2026-31533=6.12.82");
	/* What repairs the one brings the other. */
	cr_expect(strstr(faults_of(PROBE_VERSION(6, 12, 54), true),
			 "2025-40176=6.12.55"));
	cr_expect_not(strstr(faults_of(PROBE_VERSION(6, 12, 54), true),
			     "2026-23414"));
	cr_expect(strstr(faults_of(PROBE_VERSION(6, 12, 55), true),
			 "2026-23414"));
	cr_expect_not(strstr(faults_of(PROBE_VERSION(6, 6, 17), true),
			     "2024-26800"));
	cr_expect(strstr(faults_of(PROBE_VERSION(6, 6, 20), true),
			 "2024-26800=6.6.21"));
}

Test(probe_cve, sends_series_that_have_ended_to_a_later_one)
{
	/* 6.14 ended before these were repaired. */
	EXPECT(6, 14, 11, "2025-38471=6.16.0 2025-38616=6.17.0 "
	       "2025-39682=6.17.0 2025-39946=6.17.0 2025-40176=6.18.0 "
	       "2026-23240=7.0.0 2026-31533=7.0.0");
	cr_expect(strstr(faults_of(PROBE_VERSION(6, 14, 2), true),
			 "2025-37756=6.14.3"));
	/* Got one with its last patches, and never got it repaired. */
	cr_expect(strstr(faults_of(PROBE_VERSION(6, 17, 5), true),
			 "2026-23414=7.0.0"));
	cr_expect_not(strstr(faults_of(PROBE_VERSION(6, 17, 4), true),
			     "2026-23414"));
}

Test(probe_cve, says_nothing_where_nothing_is_known)
{
	cr_expect_str_eq(faults_of(PROBE_VERSION(6, 8, 0), false), "");
	cr_expect_str_eq(faults_of(PROBE_VERSION(5, 15, 10), true), "");
	cr_expect_str_eq(faults_of(0, true), "");
}
