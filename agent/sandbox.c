/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <errno.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Headers as old as Linux 6.1 lack these. */
#define ACCESS_TRUNCATE (1ULL << 14)	/* Landlock 3 */
#define ACCESS_BIND_TCP (1ULL << 0)	/* 4 */
#define ACCESS_CONNECT_TCP (1ULL << 1)
#define RULE_NET_PORT 2
#define SCOPE_ABSTRACT (1ULL << 0)	/* 6 */
#define SCOPE_SIGNAL (1ULL << 1)	/* 6 */

/* As in the newest header; kernels take the front part that they know. */
struct ruleset {
	uint64_t files, net, scope;
};

/* What changes files; every other right stays as it is without Landlock. */
#define CHANGE \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* What the folder's files may have done to them. */
#define STORE \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_REG | ACCESS_TRUNCATE)

/* An answer has 64 KiB, and there are 10,000 certificates at most. */
#define MEMORY (UINT64_C(2) << 30)
/*
 * The stacks of threads count, too. libcurl has one for each name it looks up,
 * and while name servers are silent one outlives many a transfer.
 */
#define STACK (512 * 1024)

/* Returns what it is now, or -errno. */
static int64_t lower(int resource, uint64_t most)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit))
		return -errno;
	if (limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) ? -errno : (int64_t)limit.rlim_max;
}

static int limit_stacks(void)
{
	pthread_attr_t attr;
	int err = pthread_attr_init(&attr);

	if (err)
		return -err;
	err = pthread_attr_setstacksize(&attr, STACK);
	if (!err)
		err = pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
	return -err;
}

int sandbox_limits(unsigned int files)
{
	int64_t ret = lower(RLIMIT_CORE, 0);

#ifndef __SANITIZE_ADDRESS__
	if (ret >= 0)
		ret = lower(RLIMIT_DATA, MEMORY);
#endif
	if (ret >= 0)
		ret = limit_stacks();
	if (ret >= 0)
		ret = lower(RLIMIT_NOFILE, files);
	return (int)ret;
}

static struct ruleset rules_for(long abi)
{
	struct ruleset rules = {
		.files = CHANGE | LANDLOCK_ACCESS_FS_EXECUTE,
	};

	if (abi >= 2)
		rules.files |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		rules.files |= ACCESS_TRUNCATE;
	if (abi >= 4)
		rules.net = ACCESS_BIND_TCP;
	if (abi >= 6)
		rules.scope = SCOPE_SIGNAL;
	return rules;
}

static int restrict_self(int ruleset, const struct ruleset *rules, int dir)
{
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = STORE & rules->files,
		.parent_fd = dir,
	};

	if (dir >= 0 && syscall(SYS_landlock_add_rule, ruleset,
				LANDLOCK_RULE_PATH_BENEATH, &beneath, 0))
		return -errno;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) ? -errno : 0;
}

static long version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
		       LANDLOCK_CREATE_RULESET_VERSION);
}

static int allow_ports(int ruleset, const uint16_t *ports, size_t n)
{
	/* As in newer headers. */
	struct {
		uint64_t access, port;
	} rule = { .access = ACCESS_CONNECT_TCP };
	size_t i;

	for (i = 0; i < n; i++) {
		rule.port = ports[i];
		if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT,
			    &rule, 0))
			return -errno;
	}
	return 0;
}

int sandbox_connects(const uint16_t *ports, size_t n)
{
	long abi = version();
	struct ruleset rules = rules_for(abi);
	int fd, err;

	if (abi < 0)
		return -errno;
	rules.files |= READ;
	if (rules.net)
		rules.net |= ACCESS_CONNECT_TCP;
	if (rules.scope)
		rules.scope |= SCOPE_ABSTRACT;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules),
			  0);
	if (fd < 0)
		return -errno;
	err = rules.net ? allow_ports(fd, ports, n) : 0;
	if (!err)
		err = restrict_self(fd, &rules, -1);
	close(fd);
	return err;
}

int sandbox_enter(int dir)
{
	long abi = version();
	struct ruleset rules = rules_for(abi);
	int fd, err;

	if (abi < 0)
		return -errno;
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules),
			  0);
	if (fd < 0)
		return -errno;
	err = restrict_self(fd, &rules, dir);
	close(fd);
	return err;
}
