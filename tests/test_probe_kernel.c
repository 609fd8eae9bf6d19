// SPDX-License-Identifier: MIT
#include "probe/kernel.h"

#include "agent_case.h"

TestSuite(probe_kernel, .timeout = 20);

static const struct sample {
	const char *release, *version, *signature;
	unsigned int parsed;
	bool exact;
} samples[] = {
	{ "6.12.57", "#1 SMP", NULL, PROBE_VERSION(6, 12, 57), true },
	{ "6.12.95+deb12-amd64", "#1 SMP Debian 6.12.95-1~bpo12+1", NULL,
	  PROBE_VERSION(6, 12, 95), true },
	{ "6.1.0-50-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-06)",
	  NULL, PROBE_VERSION(6, 1, 176), true },
	{ "6.1.0-50-amd64", "#1 SMP Debian 6.2.7-1", NULL,
	  PROBE_VERSION(6, 1, 0), false },
	{ "6.1.0-rpi7-rpi-v8", "#1 SMP PREEMPT Debian 1:6.1.63-1+rpt1 (2023-11)",
	  NULL, PROBE_VERSION(6, 1, 63), true },
	{ "6.18~rc4+deb14-amd64", "#1 SMP Debian 6.18~rc4-1~exp1", NULL,
	  PROBE_VERSION(6, 18, 0), false },
	{ "6.4.0-150600.23.25-default", "#1 SMP PREEMPT_DYNAMIC", NULL,
	  PROBE_VERSION(6, 4, 0), false },
	{ "6.6.87.2-microsoft-standard-WSL2", "#1 SMP", NULL,
	  PROBE_VERSION(6, 6, 87), true },
	{ "6.8.0-45-generic", "#45-Ubuntu SMP PREEMPT_DYNAMIC",
	  "Ubuntu 6.8.0-45.45-generic 6.8.12\n", PROBE_VERSION(6, 8, 12), true },
	{ "6.8.0-45-generic", "#45-Ubuntu SMP", "Ubuntu\n",
	  PROBE_VERSION(6, 8, 0), false },
	{ "5.14.0-570.el9.x86_64", "#1 SMP", NULL, PROBE_VERSION(5, 14, 0),
	  false },
	{ "6.1.141-155.222.amzn2023", "#1 SMP", NULL, PROBE_VERSION(6, 1, 141),
	  true },
	{ "7.2.0", "#1 SMP", NULL, PROBE_VERSION(7, 2, 0), true },
	{ "7.2.0-rc3", "#1 SMP", NULL, PROBE_VERSION(7, 2, 0), true },
	{ "7.2-custom", "#1 SMP", NULL, PROBE_VERSION(7, 2, 0), false },
	{ "5.10.258", "", NULL, PROBE_VERSION(5, 10, 258), true },
	{ "", "", NULL, 0, false },
	{ "plan9", "Debian 6.1.1", "x", 0, false },
};

Test(probe_kernel, knows_upstreams_version_of_distributions_kernels)
{
	struct probe_kernel kernel;

	for (size_t i = 0; i < COUNT(samples); i++) {
		const struct sample *s = &samples[i];

		probe_kernel_parse(s->release, s->version, s->signature, &kernel);
		cr_expect_eq(kernel.version, s->parsed, "%s: %u", s->release,
			     kernel.version);
		cr_expect_eq(kernel.exact, s->exact, "%s", s->release);
		cr_expect_str_eq(kernel.release, s->release);
	}
}

Test(probe_kernel, knows_this_one)
{
	struct probe_kernel kernel;

	probe_kernel(&kernel);
	cr_expect_geq(kernel.version, PROBE_VERSION(4, 0, 0));
	cr_expect(kernel.release[0]);
}

Test(probe_kernel, reads_numbers)
{
	char dir[32], path[64];
	FILE *f;

	case_make_dir(dir);
	snprintf(path, sizeof(path), "%s/file", dir);
	cr_expect_eq(probe_number(path, ""), -1);
	f = fopen(path, "w");
	cr_assert(f);
	fputs("17\nSeccomp:\t2\nSeccomp_filters:\t3\nBad: x\nNeg: -4\n", f);
	fclose(f);
	cr_expect_eq(probe_number(path, ""), 17);
	cr_expect_eq(probe_number(path, "Seccomp:"), 2);
	cr_expect_eq(probe_number(path, "Seccomp_filters:"), 3);
	cr_expect_eq(probe_number(path, "Bad:"), -1);
	cr_expect_eq(probe_number(path, "Neg:"), -1);
	cr_expect_eq(probe_number(path, "None:"), -1);
	case_remove_dir(dir, (const char *const[]){ "file", NULL });
}
