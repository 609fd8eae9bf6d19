/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "agent/config/cpus.h"

TestSuite(agent_cpus, .timeout = 10);

#define V2 "31 23 0:28 / /cg rw,relatime shared:9 - cgroup2 cgroup2 rw\n"
#define V1 "31 23 0:28 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpuacct,cpu\n"
#define PART "31 23 0:28 /docker/12 /cg rw - cgroup2 c rw\n"

struct file {
	const char *path, *text;
};

/* A made-up machine with these files, and what is left of 8 CPUs there. */
struct machine {
	unsigned int cpus;
	struct file files[8];
};

static void write_file(const char *root, const struct file *f)
{
	char path[256], *slash;
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", root, f->path);
	for (slash = path + strlen(root); (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	file = fopen(path, "w");
	cr_assert(file, "%s", path);
	fputs(f->text, file);
	fclose(file);
}

static void remove_file(const char *root, const struct file *f)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s", root, f->path);
	unlink(path);
	while (strlen(path) > strlen(root)) {
		*strrchr(path, '/') = '\0';
		rmdir(path);
	}
}

static void expect_cpus(const struct machine *m)
{
	char root[] = "/tmp/ktlsd-test-XXXXXX";
	const struct file *f;

	cr_assert(mkdtemp(root));
	for (f = m->files; f->path; f++)
		write_file(root, f);
	cr_expect_eq(cpus_capped(root, 8), m->cpus, "%u of 8, expected %u: %s",
		     cpus_capped(root, 8), m->cpus, m->files[1].text);
	for (f = m->files; f->path; f++)
		remove_file(root, f);
	rmdir(root);
}

#define ALL(machines)							\
	do {								\
		for (size_t i_ = 0;					\
		     i_ < sizeof(machines) / sizeof((machines)[0]); i_++) \
			expect_cpus(&(machines)[i_]);			\
	} while (0)

#define CGROUP "/proc/self/cgroup"
#define MOUNTS "/proc/self/mountinfo"

Test(agent_cpus, rounds_a_quota_of_cgroup_v2_up)
{
	static const struct machine machines[] = {
		{ 2, { { CGROUP, "0::/a\n" }, { MOUNTS, V2 },
		       { "/cg/a/cpu.max", "200000 100000\n" } } },
		{ 3, { { CGROUP, "0::/a\n" }, { MOUNTS, V2 },
		       { "/cg/a/cpu.max", "200001 100000\n" } } },
		{ 1, { { CGROUP, "0::/a\n" }, { MOUNTS, V2 },
		       { "/cg/a/cpu.max", "1000 100000\n" } } },
		{ 8, { { CGROUP, "0::/a\n" }, { MOUNTS, V2 },
		       { "/cg/a/cpu.max", "max 100000\n" } } },
		{ 8, { { CGROUP, "0::/a\n" }, { MOUNTS, V2 },
		       { "/cg/a/cpu.max", "9900000 100000\n" } } },
	};

	ALL(machines);
}

Test(agent_cpus, takes_the_lowest_quota_on_the_way_up)
{
	static const struct machine machines[] = {
		{ 2, { { CGROUP, "0::/a/b/c\n" }, { MOUNTS, V2 },
		       { "/cg/a/b/c/cpu.max", "400000 100000\n" },
		       { "/cg/a/b/cpu.max", "max 100000\n" },
		       { "/cg/a/cpu.max", "200000 100000\n" } } },
		{ 2, { { CGROUP, "0::/a/b\n" }, { MOUNTS, V2 },
		       { "/cg/a/b/cpu.max", "200000 100000\n" },
		       { "/cg/a/cpu.max", "400000 100000\n" } } },
		/* In a cgroup namespace the container's own is the top. */
		{ 4, { { CGROUP, "0::/\n" }, { MOUNTS, V2 },
		       { "/cg/cpu.max", "400000 100000\n" } } },
	};

	ALL(machines);
}

Test(agent_cpus, ignores_quotas_of_other_cgroups)
{
	static const struct machine machines[] = {
		{ 8, { { CGROUP, "0::/a\n" }, { MOUNTS, V2 },
		       { "/cg/b/cpu.max", "200000 100000\n" },
		       { "/cg/a/c/cpu.max", "200000 100000\n" } } },
		/* Above the mount point there is nothing of cgroups. */
		{ 8, { { CGROUP, "0::/a\n" }, { MOUNTS, V2 },
		       { "/cpu.max", "200000 100000\n" } } },
	};

	ALL(machines);
}

Test(agent_cpus, reads_quotas_of_cgroup_v1)
{
	static const struct machine machines[] = {
		{ 2, { { CGROUP, "5:memory:/m\n4:cpuacct,cpu:/a/b\n0::/\n" },
		       { MOUNTS, V1 },
		       { "/cg/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n" },
		       { "/cg/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n" },
		       { "/cg/cpu,cpuacct/a/cpu.cfs_quota_us", "75000\n" },
		       { "/cg/cpu,cpuacct/a/cpu.cfs_period_us", "50000\n" } } },
		{ 8, { { CGROUP, "4:cpu,cpuacct:/a\n" }, { MOUNTS, V1 },
		       { "/cg/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n" },
		       { "/cg/cpu,cpuacct/a/cpu.cfs_period_us",
			 "100000\n" } } },
		/* cpuset and cpuacct are no cpu. */
		{ 8, { { CGROUP, "4:cpuset,cpuacct:/a\n" }, { MOUNTS, V1 },
		       { "/cg/cpu,cpuacct/a/cpu.cfs_quota_us", "100000\n" },
		       { "/cg/cpu,cpuacct/a/cpu.cfs_period_us",
			 "100000\n" } } },
	};

	ALL(machines);
}

Test(agent_cpus, finds_its_cgroup_behind_a_mount_of_a_part)
{
	static const struct machine machines[] = {
		{ 2, { { CGROUP, "0::/docker/12/a\n" },
		       { MOUNTS, PART },
		       { "/cg/a/cpu.max", "200000 100000\n" } } },
		{ 3, { { CGROUP, "0::/docker/12\n" },
		       { MOUNTS, PART },
		       { "/cg/cpu.max", "300000 100000\n" } } },
		/* Another's: all that can be known is what is mounted. */
		{ 4, { { CGROUP, "0::/docker/123\n" },
		       { MOUNTS, PART },
		       { "/cg/cpu.max", "400000 100000\n" } } },
	};

	ALL(machines);
}

Test(agent_cpus, takes_the_lower_quota_of_both_versions)
{
	static const struct machine machines[] = {
		{ 2, { { CGROUP, "4:cpu:/a\n0::/b\n" }, { MOUNTS, V1 V2 },
		       { "/cg/cpu,cpuacct/a/cpu.cfs_quota_us", "500000\n" },
		       { "/cg/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n" },
		       { "/cg/b/cpu.max", "200000 100000\n" } } },
	};

	ALL(machines);
}

Test(agent_cpus, has_no_cap_where_files_are_missing_or_odd)
{
	static const struct machine machines[] = {
		{ 8, { { "/empty", "" } } },
		{ 8, { { CGROUP, "0::/a\n" } } },
		{ 8, { { MOUNTS, V2 } } },
		{ 8, { { CGROUP, "0::/a\n" }, { MOUNTS, V2 } } },
		{ 8, { { CGROUP, "" }, { MOUNTS, "" } } },
		{ 8, { { CGROUP, "\n0\n0:\n0::\n" },
		       { MOUNTS, "\n - \n1 2 3 - cgroup2 c rw\n" V2 } } },
		{ 8, { { CGROUP, "0::/a\n" }, { MOUNTS, V2 },
		       { "/cg/a/cpu.max", "" } } },
		{ 8, { { CGROUP, "0::/a\n" }, { MOUNTS, V2 },
		       { "/cg/a/cpu.max", "100000 0\n" } } },
		{ 8, { { CGROUP, "0::/a\n" }, { MOUNTS, V2 },
		       { "/cg/a/cpu.max", "-5 100000\n" } } },
	};

	ALL(machines);
}

Test(agent_cpus, skips_paths_that_are_too_long)
{
	char root[PATH_MAX + 10];

	memset(root, 'a', sizeof(root) - 1);
	root[sizeof(root) - 1] = '\0';
	cr_expect_eq(cpus_capped(root, 5), 5);
}

Test(agent_cpus, counts_the_affinity_mask)
{
	cpu_set_t set;
	unsigned int all = cpus_auto();
	int cpu = sched_getcpu();

	cr_expect_geq(all, 1);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	cr_assert_eq(sched_setaffinity(0, sizeof(set), &set), 0);
	cr_expect_eq(cpus_auto(), 1);
}
