// SPDX-License-Identifier: MIT
#include "agent/process.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "agent/ring.h"
#include "agent_case.h"

TestSuite(process, .timeout = 20);

static struct config_route routes[2];
static struct config config = {
	.user = (char *)"nobody",
	.uid = CASE_NOBODY,
	.gid = CASE_NOBODY,
	.routes = routes,
	.n_routes = 2,
	.n_listeners = 1,
};

static char error[256];

static void set_queues(unsigned int first, unsigned int second)
{
	routes[0].queue = first;
	routes[1].queue = second;
}

static void become_nobody(rlim_t soft, rlim_t hard)
{
	struct rlimit limit = { soft, hard };

	if (!geteuid())
		CHECK(!setresuid(CASE_NOBODY, CASE_NOBODY, CASE_NOBODY));
	CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
}

static void use_what_there_is(void)
{
	struct rlimit limit;
	unsigned int slots = 0;

	set_queues(100, 200);
	become_nobody(64, 2048);
	CHECK(!process_limit(&config, &slots, error, sizeof(error)));
	CHECK(!getrlimit(RLIMIT_NOFILE, &limit));
	CHECK(limit.rlim_cur == 2048);
	/* Everything that can be open at a time fits. */
	CHECK(slots * 3 + 300 < 2048 && slots * 3 + 300 > 1000);
}

Test(process, fits_its_slots_into_the_limit)
{
	case_in_child(use_what_there_is);
}

static void be_refused(void)
{
	unsigned int slots = 0;

	set_queues(1000, 1000);
	become_nobody(64, 2048);
	CHECK(process_limit(&config, &slots, error, sizeof(error)) == -EMFILE);
	CHECK(strstr(error, "2048"));
	CHECK(strstr(error, "LimitNOFILE"));
	CHECK(strstr(error, "queue"));
}

Test(process, says_which_limit_is_too_low_for_its_queues)
{
	case_in_child(be_refused);
}

/* Each needs slots to accept into, besides those of all. */
static void listen_often(void)
{
	unsigned int slots = 0;

	set_queues(100, 200);
	become_nobody(64, 2048);
	config.n_listeners = 200;
	CHECK(process_limit(&config, &slots, error, sizeof(error)) == -EMFILE);
	config.n_listeners = 100;
	CHECK(!process_limit(&config, &slots, error, sizeof(error)));
	CHECK(slots >= 64 + 2 * 100);
}

Test(process, has_slots_for_all_its_listeners)
{
	case_in_child(listen_often);
}

static void lift_memory(void)
{
	struct rlimit limit = { 1 << 20, 2 << 20 };
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	const bool may = !setrlimit(RLIMIT_MEMLOCK, &none);

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit));
	process_lift_memory();
	CHECK(!getrlimit(RLIMIT_MEMLOCK, &limit));
	CHECK(limit.rlim_cur == (may ? RLIM_INFINITY : 2 << 20));
}

Test(process, lifts_what_rings_count_against)
{
	case_in_child(lift_memory);
}

static void raise_limit(void)
{
	struct rlimit limit = { 64, 128 }, high = { 65536, 65536 };
	unsigned int slots = 0;

	/* Without CAP_SYS_RESOURCE root is nobody special. */
	if (setrlimit(RLIMIT_NOFILE, &high))
		return;
	CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
	set_queues(1024, 1024);
	CHECK(!process_limit(&config, &slots, error, sizeof(error)));
	CHECK(!getrlimit(RLIMIT_NOFILE, &limit));
	CHECK(slots == 16384);
	CHECK(limit.rlim_cur >= 3 * 16384 + 2048);
}

Test(process, raises_the_limit_when_it_may)
{
	if (geteuid())
		cr_skip_test("needs root");
	case_in_child(raise_limit);
}

static void drop(void)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	CHECK(!process_drop(config.uid, config.gid));
	CHECK(!getresuid(&r, &e, &s) && !getresgid(&gr, &ge, &gs));
	CHECK(r == CASE_NOBODY && e == CASE_NOBODY && s == CASE_NOBODY);
	CHECK(gr == CASE_NOBODY && ge == CASE_NOBODY && gs == CASE_NOBODY);
	CHECK(getgroups(0, NULL) == 0);
	CHECK(setuid(0) && errno == EPERM);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	/* Again, as an ordinary user: nothing to do. */
	CHECK(!process_drop(config.uid, config.gid));
}

Test(process, becomes_the_user_for_good)
{
	if (geteuid())
		cr_skip_test("needs root");
	case_in_child(drop);
}

/* --- descriptors ------------------------------------------------------- */

static void keep_two(void)
{
	int low = dup(0), gap = dup(0), high = fcntl(0, F_DUPFD, 700);
	int keep[] = { high, low };

	process_keep(keep, 2);
	CHECK(case_is_open(0) && case_is_open(1) && case_is_open(2));
	CHECK(case_is_open(low) && case_is_open(high));
	CHECK(!case_is_open(gap));
	CHECK(!case_is_open(high + 1));
	CHECK(case_fds() == 5);
}

static void keep_neighbours(void)
{
	int keep[] = { fcntl(0, F_DUPFD, 31), fcntl(0, F_DUPFD, 30) };

	process_keep(keep, 2);
	CHECK(case_is_open(30) && case_is_open(31));
	CHECK(case_fds() == 5);
}

static void keep_none(void)
{
	int none = 0;

	fcntl(0, F_DUPFD, 99);
	process_keep(&none, 0);
	CHECK(case_fds() == 3);
}

/* Started without standard input, its first socket has that number. */
static void keep_a_low_one(void)
{
	int keep[] = { 0, fcntl(0, F_DUPFD, 10) };

	process_keep(keep, 2);
	CHECK(case_is_open(1) && case_is_open(2));
	CHECK(case_is_open(0) && case_is_open(10));
	CHECK(case_fds() == 4);
}

Test(process, keeps_of_the_environment_only_what_libraries_need)
{
	char *const all[] = {
		(char *)"API_TOKEN=secret", (char *)"TZ=UTC",
		(char *)"TZ_TOKEN=secret", (char *)"OPENSSL_CONF=/etc/o",
		(char *)"NOTIFY_SOCKET=/run/notify", (char *)"LD_PRELOAD=/l.so",
		(char *)"TZ=again", (char *)"XTZ=1", (char *)"TZDIR", (char *)"",
		(char *)"SSL_CERT_FILE=", NULL,
	};
	char *none[] = { NULL }, *kept[PROCESS_ENVIRON_MAX];

	process_environ(all, kept);
	cr_assert_str_eq(kept[0], "OPENSSL_CONF=/etc/o");
	cr_assert_str_eq(kept[1], "SSL_CERT_FILE=");
	cr_assert_str_eq(kept[2], "TZ=UTC");
	cr_assert_null(kept[3]);
	process_environ(none, kept);
	cr_assert_null(kept[0]);
}

Test(process, keeps_the_descriptors_it_is_told_to_and_no_other)
{
	case_in_child(keep_two);
	case_in_child(keep_neighbours);
	case_in_child(keep_none);
	case_in_child(keep_a_low_one);
}

/* --- the ring ---------------------------------------------------------- */

static int try(void)
{
	error[0] = '\0';
	return process_try(&config, error, sizeof(error));
}

Test(process, tries_a_ring_and_has_none_itself)
{
	unsigned int before = case_fds();

	if (geteuid())
		config.uid = geteuid();
	cr_assert_eq(try(), 0, "%s", error);
	cr_assert_eq(case_fds(), before);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_assert_eq(errno, ECHILD);
}

/* From here on the system call @nr does @action. */
static void filter(unsigned int nr, unsigned int action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { COUNT(code), code };

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
}

static void refused_ring(void)
{
	filter(__NR_io_uring_setup, SECCOMP_RET_ERRNO | EPERM);
	CHECK(try() == -EPERM);
	CHECK(strstr(error, "seccomp"));
}

static void deadly_ring(void)
{
	filter(__NR_io_uring_setup, SECCOMP_RET_KILL_PROCESS);
	CHECK(try() == -EPERM);
	CHECK(strstr(error, "seccomp"));
}

Test(process, reports_a_ring_that_is_forbidden)
{
	case_in_child(refused_ring);
	case_in_child(deadly_ring);
}

/* As in a container without CAP_SETGID. */
static void refused_user(void)
{
	filter(__NR_setgroups, SECCOMP_RET_ERRNO | EPERM);
	CHECK(process_drop(config.uid, config.gid) == -EPERM);
	CHECK(try() == -EPERM);
	CHECK(!strcmp(error, "cannot become nobody: Operation not permitted"));
}

Test(process, does_not_blame_the_ring_for_a_user_it_cannot_become)
{
	if (geteuid())
		cr_skip_test("needs root");
	case_in_child(refused_user);
}
