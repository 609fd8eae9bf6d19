/* SPDX-License-Identifier: MIT */
#include "cpus.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CPUS (1 << 16)

/* Where a hierarchy that can hold a quota is mounted, proc(5) mountinfo. */
struct mount {
	bool v2;
	char top[PATH_MAX];	/* the cgroup that is seen at @point */
	char point[PATH_MAX];
};

static unsigned int capped(unsigned int cpus, long long quota, long long period)
{
	long long whole;

	if (quota <= 0 || period <= 0)
		return cpus;
	whole = quota / period + (quota % period != 0);
	return whole < cpus ? whole : cpus;
}

/* One line of a file; false when there is none. */
static bool read_line(const char *folder, const char *name, char *line,
		      int size)
{
	char path[PATH_MAX];
	FILE *file;
	bool ok;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >=
	    (int)sizeof(path))
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	ok = fgets(line, size, file);
	fclose(file);
	return ok;
}

/* "max 100000", or microseconds of CPU time per microseconds. */
static unsigned int cap_v2(const char *folder, unsigned int cpus)
{
	long long quota, period;
	char line[64];

	if (!read_line(folder, "cpu.max", line, sizeof(line)) ||
	    sscanf(line, "%lld %lld", &quota, &period) != 2)
		return cpus;
	return capped(cpus, quota, period);
}

/* A quota of -1 is none. */
static unsigned int cap_v1(const char *folder, unsigned int cpus)
{
	char quota[32], period[32];

	if (!read_line(folder, "cpu.cfs_quota_us", quota, sizeof(quota)) ||
	    !read_line(folder, "cpu.cfs_period_us", period, sizeof(period)))
		return cpus;
	return capped(cpus, atoll(quota), atoll(period));
}

/* The part of @cgroup below @top: a container may see only its own subtree. */
static const char *below(const char *cgroup, const char *top)
{
	size_t len = strcmp(top, "/") ? strlen(top) : 0;

	if (strncmp(cgroup, top, len) ||
	    (cgroup[len] != '/' && cgroup[len] != '\0'))
		return "";
	return cgroup + len;
}

/* From the process's cgroup up to the mount point, each may have a quota. */
static unsigned int cap_hierarchy(const char *root, const struct mount *mount,
				  const char *cgroup, unsigned int cpus)
{
	char folder[PATH_MAX];
	size_t top;
	int len;

	top = strlen(root) + strlen(mount->point);
	len = snprintf(folder, sizeof(folder), "%s%s%s", root, mount->point,
		       below(cgroup, mount->top));
	if (len >= (int)sizeof(folder))
		return cpus;
	for (;;) {
		char *slash;

		cpus = mount->v2 ? cap_v2(folder, cpus) :
				   cap_v1(folder, cpus);
		slash = strrchr(folder, '/');
		if (!slash || slash < folder + top)
			return cpus;
		*slash = '\0';
	}
}

/* Is @word one of those between commas in @list, which ends with @end? */
static bool has_word(const char *list, const char *word, char end)
{
	size_t len = strlen(word);

	for (;;) {
		if (!strncmp(list, word, len) &&
		    (list[len] == ',' || list[len] == end))
			return true;
		list += strcspn(list, ",:\n");
		if (*list++ != ',')
			return false;
	}
}

/* Is this line of mountinfo a mount of a hierarchy with CPU quotas? */
static bool parse_mount(const char *line, struct mount *mount)
{
	const char *behind = strstr(line, " - ");
	char type[32], options[256];

	if (!behind ||
	    sscanf(behind, " - %31s %*s %255s", type, options) != 2 ||
	    sscanf(line, "%*s %*s %*s %4095s %4095s", mount->top,
		   mount->point) != 2)
		return false;
	mount->v2 = !strcmp(type, "cgroup2");
	return mount->v2 ||
	       (!strcmp(type, "cgroup") && has_word(options, "cpu", '\0'));
}

/*
 * The path in a line of /proc/self/cgroup, "ID:CONTROLLERS:PATH", when it is
 * of the hierarchy that we look for; v2 has ID 0 and no controllers.
 */
static const char *parse_cgroup(char *line, bool v2)
{
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path)
		return NULL;
	path[1 + strcspn(path + 1, "\n")] = '\0';
	if (v2)
		return strncmp(line, "0::", 3) ? NULL : path + 1;
	return has_word(controllers + 1, "cpu", ':') ? path + 1 : NULL;
}

static FILE *open_proc(const char *root, const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/proc/self/%s", root, name) >=
	    (int)sizeof(path))
		return NULL;
	return fopen(path, "re");
}

static unsigned int cap_mount(const char *root, const struct mount *mount,
			      unsigned int cpus)
{
	FILE *file = open_proc(root, "cgroup");
	const char *cgroup;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return cpus;
	while (getline(&line, &size, file) > 0) {
		cgroup = parse_cgroup(line, mount->v2);
		if (cgroup)
			cpus = cap_hierarchy(root, mount, cgroup, cpus);
	}
	free(line);
	fclose(file);
	return cpus;
}

unsigned int cpus_capped(const char *root, unsigned int cpus)
{
	FILE *file = open_proc(root, "mountinfo");
	struct mount mount;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return cpus;
	while (getline(&line, &size, file) > 0) {
		if (parse_mount(line, &mount))
			cpus = cap_mount(root, &mount, cpus);
	}
	free(line);
	fclose(file);
	return cpus;
}

/* CPUs in the affinity mask, 0 when the kernel knows more than @max. */
static unsigned int affinity(unsigned int max)
{
	size_t size = CPU_ALLOC_SIZE(max);
	cpu_set_t *set = CPU_ALLOC(max);
	unsigned int n = 0;

	if (set && !sched_getaffinity(0, size, set))
		n = CPU_COUNT_S(size, set);
	CPU_FREE(set);
	return n;
}

unsigned int cpus_auto(void)
{
	unsigned int max, n = 0;

	for (max = CPU_SETSIZE; !n && max <= MAX_CPUS; max *= 2)
		n = affinity(max);
	return cpus_capped("", n ? n : 1);
}
