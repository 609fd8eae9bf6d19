// SPDX-License-Identifier: MIT
#include "probe/limits.h"

#include "agent_case.h"

TestSuite(probe_limits, .timeout = 20);

Test(probe_limits, adds_up_descriptors)
{
	const rlim_t none = probe_descriptors(0, 0, 0);

	cr_expect_eq(probe_descriptors(2, 0, 0), none + 2);
	cr_expect_eq(probe_descriptors(0, 1024, 0), none + 1024);
	cr_expect_eq(probe_descriptors(0, 0, 10),
		     none + 10 * PROBE_SLOT_DESCRIPTORS);
}

Test(probe_limits, raises_as_far_as_may_be)
{
	struct rlimit limit = { 100, 200 };

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	/* Another user may not raise it over the hard limit. */
	if (!geteuid())
		cr_assert_eq(setresuid(65534, 65534, 65534), 0);
	cr_expect_eq(probe_raise(RLIMIT_NOFILE, 150, &limit), 0);
	cr_expect(limit.rlim_cur == 200 && limit.rlim_max == 200);
	cr_expect_eq(probe_raise(RLIMIT_NOFILE, 300, &limit), 0);
	cr_expect(limit.rlim_cur == 200 && limit.rlim_max == 200);
}

Test(probe_limits, raises_it_further_as_root)
{
	struct rlimit limit = { 100, 200 }, high = { 65536, 65536 };

	/* Without CAP_SYS_RESOURCE root is nobody special. */
	if (setrlimit(RLIMIT_NOFILE, &high))
		cr_skip("needs CAP_SYS_RESOURCE");
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_eq(probe_raise(RLIMIT_NOFILE, 300, &limit), 0);
	cr_expect(limit.rlim_cur == 300 && limit.rlim_max == 300);
}

Test(probe_limits, reads_what_the_kernel_has)
{
	cr_expect_gt(probe_backlog(), 0);
}
