// SPDX-License-Identifier: MIT
#include "probe/uring.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "agent_case.h"
#include "probe/limits.h"

TestSuite(probe_uring, .timeout = 20);

static void skip_without(void)
{
	struct io_uring uring;
	int err = uring_open(&uring);

	if (err)
		cr_skip_test("%s", uring_denied(err));
	io_uring_queue_exit(&uring);
}

Test(probe_uring, finds_each_feature_by_itself, .init = skip_without)
{
	const struct uring_feature *features;
	size_t n, i;

	features = uring_features(&n);
	cr_assert_gt(n, 8);
	for (i = 0; i < n; i++)
		cr_expect_eq(uring_try(&features[i]), 0, "%s", features[i].name);
}

Test(probe_uring, finds_what_is_not_there, .init = skip_without)
{
	const struct uring_feature op = { "none", 0, 250 };
	const struct uring_feature flag = { "none", 1u << 31, 0 };

	cr_expect_eq(uring_try(&op), -EOPNOTSUPP);
	cr_expect_eq(uring_try(&flag), -EINVAL);
}

Test(probe_uring, leaves_no_descriptor_behind, .init = skip_without)
{
	const struct uring_feature *features;
	unsigned int before = case_fds();
	size_t n;

	features = uring_features(&n);
	while (n--)
		uring_try(&features[n]);
	cr_expect_eq(case_fds(), before);
}

/* As a user of its own: all processes of a user count together. */
static void open_many(void)
{
	const struct rlimit limit = { 8 << 20, 8 << 20 };
	const uid_t uid = 1 << 30 | getpid();
	static struct io_uring urings[100];
	unsigned int i;

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit));
	CHECK(!setresuid(uid, uid, uid));
	for (i = 0; i < COUNT(urings); i++)
		CHECK(!uring_open(&urings[i]));
}

static void open_as_many_as_said(void)
{
	const struct rlimit limit = { 3 * PROBE_RING_BYTES,
				      3 * PROBE_RING_BYTES };
	const uid_t uid = 1 << 30 | getpid();
	static struct io_uring urings[4];
	unsigned int i;
	int err;

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit));
	CHECK(!setresuid(uid, uid, uid));
	for (i = 0; i < 3; i++)
		CHECK(!uring_open(&urings[i]));
	err = uring_open(&urings[i]);
	/* Or this kernel does not count them. */
	CHECK(!err || err == -ENOMEM);
}

Test(probe_uring, takes_what_is_said_of_the_limit, .init = skip_without)
{
	if (geteuid())
		cr_skip_test("needs root");
	if (sysconf(_SC_PAGESIZE) != 4096)
		cr_skip_test("pages are not of 4 KiB");
	case_in_child(open_as_many_as_said);
}

Test(probe_uring, of_a_hundred_workers_fits_into_8_MiB, .init = skip_without)
{
	if (geteuid())
		cr_skip_test("needs root");
	case_in_child(open_many);
}

/* --- why there is none ------------------------------------------------- */

/* From here on io_uring_setup(2) answers @err. */
static void forbid(int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K,
			 SECCOMP_RET_ERRNO | (unsigned int)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { COUNT(code), code };

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
}

static void explain_filter(int err)
{
	struct io_uring uring;

	forbid(err);
	CHECK(uring_open(&uring) == -err);
	CHECK(strstr(uring_denied(-err), "seccomp"));
	CHECK(!strstr(uring_denied(-err), "kernel"));
}

static void filter_eperm(void)
{
	explain_filter(EPERM);
}

static void filter_enosys(void)
{
	explain_filter(ENOSYS);
}

Test(probe_uring, names_a_seccomp_filter_that_forbids_it)
{
	case_in_child(filter_eperm);
	case_in_child(filter_enosys);
}

/* A filter is active, as in every container, but it is not the reason. */
static void other_errors(void)
{
	static const int errors[] = { EACCES, ENOMEM, EMFILE, ENFILE, EINVAL };
	unsigned int i;

	forbid(EPERM);
	for (i = 0; i < COUNT(errors); i++) {
		CHECK(!strstr(uring_denied(-errors[i]), "seccomp"));
		CHECK(!strstr(uring_denied(-errors[i]), "too old"));
		CHECK(!strstr(uring_denied(-errors[i]), "sysctl"));
	}
}

Test(probe_uring, blames_nothing_that_it_does_not_know)
{
	case_in_child(other_errors);
	cr_assert_not(strstr(uring_denied(-EPERM), "seccomp"));
	cr_assert_str_eq(uring_denied(-EMFILE), strerror(EMFILE));
}

/* Some kernels count rings against it. */
static void lock_nothing(void)
{
	const struct rlimit none = { 0, 0 };
	struct io_uring uring;
	int err;

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &none));
	if (!geteuid())
		CHECK(!setresuid(CASE_NOBODY, CASE_NOBODY, CASE_NOBODY));
	err = uring_open(&uring);
	CHECK(!err || err == -ENOMEM);
	CHECK(strstr(uring_denied(-ENOMEM), "LimitMEMLOCK="));
}

Test(probe_uring, names_a_limit_that_rings_count_against)
{
	case_in_child(lock_nothing);
}
