// SPDX-License-Identifier: MIT
#include "tools/probe/owners.h"

#include <signal.h>
#include <sys/prctl.h>

#include "agent_case.h"

TestSuite(probe_tool_owners, .timeout = 20);

static uint32_t inode_of(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return (uint32_t)st.st_ino;
}

static void sort(uint32_t inodes[2])
{
	if (inodes[0] > inodes[1]) {
		uint32_t first = inodes[0];

		inodes[0] = inodes[1];
		inodes[1] = first;
	}
}

Test(probe_tool_owners, finds_each_process_once)
{
	struct owners owners = { .n = 0 };
	int one = socket(AF_INET, SOCK_STREAM, 0), again = dup(one);
	int two = socket(AF_INET, SOCK_STREAM, 0);
	uint32_t inodes[2] = { inode_of(one), inode_of(two) };
	const struct owner *found;
	pid_t child = fork();
	size_t n;

	if (!child) {
		close(two);
		pause();
		_exit(0);
	}
	sort(inodes);
	/* Until the child has closed its copy. */
	for (int tries = 0; tries < 1000; tries++) {
		cr_assert_eq(owners_read(&owners, inodes, 2), 0);
		cr_assert(owners_find(&owners, inode_of(two), &n));
		if (n == 1)
			break;
		usleep(10000);
	}
	cr_expect_eq(n, 1);
	found = owners_find(&owners, inode_of(one), &n);
	cr_assert(found);
	cr_expect_eq(n, 2);
	cr_expect_neq(found[0].pid, found[1].pid);
	cr_expect(found[0].pid == child || found[1].pid == child);
	cr_expect_null(owners_find(&owners, 1, &n));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	owners_free(&owners);
	close(one);
	close(again);
	close(two);
}

Test(probe_tool_owners, escapes_a_process_s_name)
{
	struct owners owners = { .n = 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const uint32_t inode = inode_of(fd);
	const struct owner *found;
	size_t n;

	cr_assert_eq(prctl(PR_SET_NAME, "a\033[2J\n\xff\"b"), 0);
	cr_assert_eq(owners_read(&owners, &inode, 1), 0);
	found = owners_find(&owners, inode, &n);
	cr_assert(found);
	cr_expect_str_eq(found->name, "a\\x1b[2J\\x0a\\xff\\x22b");
	owners_free(&owners);
	close(fd);
}

Test(probe_tool_owners, looks_at_nothing_for_no_sockets)
{
	struct owners owners = { .n = 0 };
	size_t n;

	cr_expect_eq(owners_read(&owners, NULL, 0), 0);
	cr_expect_null(owners_find(&owners, 5, &n));
	cr_expect_eq(n, 0);
}
