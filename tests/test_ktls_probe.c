// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "ktls/install.h"

TestSuite(probe, .timeout = 20);

static int kernel_has_tls(void)
{
	char line[256] = "";
	FILE *f = fopen("/proc/sys/net/ipv4/tcp_available_ulp", "re");

	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
		fclose(f);
	}
	return strstr(line, "tls") != NULL;
}

static bool kernel_is(int major, int minor)
{
	struct utsname name;
	int has[2] = { 0, 0 };

	uname(&name);
	sscanf(name.release, "%d.%d", &has[0], &has[1]);
	return has[0] > major || (has[0] == major && has[1] >= minor);
}

Test(probe, finds_what_a_kernel_with_tls_can)
{
	struct ktls_support support;

	if (!kernel_has_tls())
		cr_skip("this kernel has no tls module loaded");
	cr_assert_eq(ktls_probe(&support), 0);
	cr_expect_eq(support.error, 0);
	cr_expect(support.pairs & KTLS_PAIR(KTLS_TLS13, KTLS_AES_128_GCM));
	cr_expect_eq(support.pairs & ~KTLS_ALL_PAIRS, 0);
	cr_expect_eq(support.rekey, kernel_is(6, 14));
	cr_expect_eq(support.no_pad, kernel_is(6, 0));
	for (int i = 0; i < KTLS_PAIRS; i++)
		cr_expect_eq(!support.tx[i] && !support.rx[i],
			     (support.pairs >> i & 1) != 0);
}

Test(probe, says_enoent_on_a_kernel_without_tls)
{
	struct ktls_support support;

	if (kernel_has_tls())
		cr_skip("this kernel has the tls module loaded");
	cr_assert_eq(ktls_probe(&support), 0);
	/* Root may have had the module loaded by asking for it. */
	if (!support.error)
		cr_skip("asking for the tls module loaded it");
	cr_expect_eq(support.error, -ENOENT);
	cr_expect_eq(support.pairs, 0);
	cr_expect(!support.max_payload && !support.no_pad);
	for (int i = 0; i < KTLS_PAIRS; i++)
		cr_expect(support.tx[i] == -ENOENT &&
			  support.rx[i] == -ENOENT);
}

Test(probe, leaves_no_descriptor_behind)
{
	struct ktls_support support;
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC), after;

	close(before);
	cr_assert_eq(ktls_probe(&support), 0);
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_expect_eq(before, after);
	close(after);
}
