// SPDX-License-Identifier: MIT
#include "agent/state_dir.h"

#include "agent_case.h"

TestSuite(state_dir, .timeout = 10);

static char dir[32], state[64];
static struct state_dir ocsp_dir;
static struct config config = { .state_dir = state };

static void start(void)
{
	case_make_dir(dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	config.stapler_uid = geteuid() ? geteuid() : CASE_NOBODY;
	config.stapler_gid = geteuid() ? getegid() : CASE_NOBODY;
}

static void stop(void)
{
	static const char *const names[] = {
		"state/ocsp/file", "state/ocsp", "state/tickets", "state",
		"elsewhere", NULL
	};

	case_remove_dir(dir, names);
}

static void expect(const char *name, mode_t mode, uid_t uid)
{
	char full[128];
	struct stat st;

	snprintf(full, sizeof(full), "%s/%s", dir, name);
	cr_assert_eq(lstat(full, &st), 0);
	cr_expect_eq(st.st_mode, S_IFDIR | mode, "%s: %o", name, st.st_mode);
	cr_expect_eq(st.st_uid, uid, "%s: %u", name, st.st_uid);
}

Test(state_dir, is_made_with_a_folder_of_the_staplers_own, .init = start,
     .fini = stop)
{
	unsigned int before = case_fds();

	umask(077);
	state_dir_ocsp(&config, &ocsp_dir);
	cr_assert_str_eq(ocsp_dir.path + strlen(dir), "/state/ocsp");
	expect("state", 0755, geteuid());
	expect("state/ocsp", 0700, config.stapler_uid);
	cr_assert_eq(case_fds(), before);
}

Test(state_dir, is_put_right_when_it_is_there, .init = start, .fini = stop)
{
	char file[192], ocsp[128];
	int fd;

	snprintf(ocsp, sizeof(ocsp), "%s/ocsp", state);
	snprintf(file, sizeof(file), "%s/file", ocsp);
	cr_assert_eq(mkdir(state, 0711), 0);
	cr_assert_eq(mkdir(ocsp, 0777), 0);
	cr_assert_geq(fd = open(file, O_CREAT | O_WRONLY, 0600), 0);
	close(fd);
	state_dir_ocsp(&config, &ocsp_dir);
	cr_assert_str_eq(ocsp_dir.path, ocsp);
	/* Its own mode is its owner's business. */
	expect("state", 0711, geteuid());
	expect("state/ocsp", 0700, config.stapler_uid);
	cr_assert_eq(access(file, F_OK), 0);
}

/* Where somebody else may write, he could point it anywhere. */
Test(state_dir, never_follows_a_link, .init = start, .fini = stop)
{
	char elsewhere[64], ocsp[128];

	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
	snprintf(ocsp, sizeof(ocsp), "%s/ocsp", state);
	cr_assert_eq(mkdir(elsewhere, 0755), 0);
	cr_assert_eq(mkdir(state, 0755), 0);
	cr_assert_eq(symlink("../elsewhere", ocsp), 0);
	state_dir_ocsp(&config, &ocsp_dir);
	cr_expect_str_eq(ocsp_dir.path, "");
	expect("elsewhere", 0755, geteuid());
}

static void make_file(const char *name)
{
	int fd;

	cr_assert_geq(fd = open(name, O_CREAT | O_WRONLY, 0600), 0);
	close(fd);
}

Test(state_dir, may_be_impossible, .init = start, .fini = stop)
{
	static char longest[STATE_DIR_MAX];
	unsigned int before = case_fds();
	struct config other = config;
	char ocsp[128];

	make_file(state);
	state_dir_ocsp(&config, &ocsp_dir);
	cr_expect_str_eq(ocsp_dir.path, "");
	unlink(state);

	snprintf(ocsp, sizeof(ocsp), "%s/ocsp", state);
	cr_assert_eq(mkdir(state, 0755), 0);
	make_file(ocsp);
	state_dir_ocsp(&config, &ocsp_dir);
	cr_expect_str_eq(ocsp_dir.path, "");

	other.state_dir = (char *)"/nowhere/at/all";
	state_dir_ocsp(&other, &ocsp_dir);
	cr_expect_str_eq(ocsp_dir.path, "");
	memset(longest, 'a', sizeof(longest) - 1);
	other.state_dir = longest;
	state_dir_ocsp(&other, &ocsp_dir);
	cr_expect_str_eq(ocsp_dir.path, "");
	cr_assert_eq(case_fds(), before);
}

Test(state_dir, is_known_again_unless_it_is_another, .init = start,
     .fini = stop)
{
	char ocsp[128], away[128];

	snprintf(ocsp, sizeof(ocsp), "%s/ocsp", state);
	snprintf(away, sizeof(away), "%s/elsewhere", dir);
	cr_expect(state_dir_ocsp(&config, &ocsp_dir));
	cr_expect_not(state_dir_ocsp(&config, &ocsp_dir));
	cr_assert_eq(chmod(ocsp, 0500), 0);
	cr_expect_not(state_dir_ocsp(&config, &ocsp_dir));
	expect("state/ocsp", 0700, config.stapler_uid);
	cr_assert_eq(rename(ocsp, away), 0);
	cr_expect(state_dir_ocsp(&config, &ocsp_dir));
	expect("state/ocsp", 0700, config.stapler_uid);
	cr_expect_not(state_dir_ocsp(&config, &ocsp_dir));
	/* While it was away, whoever used it may have lost it. */
	cr_assert_eq(rmdir(ocsp), 0);
	make_file(ocsp);
	cr_expect_not(state_dir_ocsp(&config, &ocsp_dir));
	cr_expect_str_eq(ocsp_dir.path, "");
	cr_expect_eq(ocsp_dir.error, -ENOTDIR);
	cr_assert_eq(unlink(ocsp), 0);
	cr_expect(state_dir_ocsp(&config, &ocsp_dir));
	cr_expect_str_eq(ocsp_dir.path, ocsp);
}

Test(state_dir, has_a_folder_of_masters_own_for_ticket_keys, .init = start,
     .fini = stop)
{
	unsigned int before = case_fds();
	char tickets[128];
	int fd;

	snprintf(tickets, sizeof(tickets), "%s/tickets", state);
	umask(0);
	cr_assert_geq(fd = state_dir_tickets(state), 0);
	expect("state", 0755, geteuid());
	expect("state/tickets", 0700, geteuid());
	cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	cr_assert_eq(chmod(tickets, 0777), 0);
	cr_assert_geq(fd = state_dir_tickets(state), 0);
	expect("state/tickets", 0700, geteuid());
	close(fd);
	cr_expect_eq(case_fds(), before);
}

/* Who could write there could put keys of his own there. */
Test(state_dir, of_ticket_keys_is_nobody_elses, .init = start, .fini = stop)
{
	unsigned int before = case_fds();
	char elsewhere[64], tickets[128];

	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
	snprintf(tickets, sizeof(tickets), "%s/tickets", state);
	cr_assert_eq(mkdir(elsewhere, 0755), 0);
	cr_assert_eq(mkdir(state, 0755), 0);
	cr_assert_eq(symlink("../elsewhere", tickets), 0);
	cr_expect_eq(state_dir_tickets(state), -ENOTDIR);
	expect("elsewhere", 0755, geteuid());
	cr_assert_eq(unlink(tickets), 0);
	make_file(tickets);
	cr_expect_eq(state_dir_tickets(state), -ENOTDIR);
	cr_assert_eq(unlink(tickets), 0);
	cr_expect_eq(state_dir_tickets("/nowhere/at/all"), -ENOENT);
	if (!geteuid()) {
		cr_assert_eq(mkdir(tickets, 0755), 0);
		cr_assert_eq(chown(tickets, CASE_NOBODY, 0), 0);
		cr_expect_eq(state_dir_tickets(state), -EPERM);
		expect("state/tickets", 0755, CASE_NOBODY);
	}
	cr_expect_eq(case_fds(), before);
}
