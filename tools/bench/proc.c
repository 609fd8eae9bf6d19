// SPDX-License-Identifier: MIT
#include "proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util.h"

#define PIDS_MAX 1024

int proc_parse_stat(const char *line, struct proc_stat *stat)
{
	/* The name before it may hold anything, parentheses too. */
	const char *end = strrchr(line, ')');

	*stat = (struct proc_stat){.ppid = 0};
	if (!end || sscanf(end + 1,
			   " %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u "
			   "%" SCNu64 " %" SCNu64,
			   &stat->state, &stat->ppid, &stat->pgrp, &stat->user,
			   &stat->system) != 5)
		return -EPROTO;
	return 0;
}

int proc_parse_schedstat(const char *line, uint64_t *run_ns, uint64_t *wait_ns)
{
	return sscanf(line, "%" SCNu64 " %" SCNu64, run_ns, wait_ns) == 2 ?
		       0 :
		       -EPROTO;
}

int64_t proc_parse_kib(const char *text, const char *key)
{
	const size_t len = strlen(key);
	const char *line = text;

	while (line && strncmp(line, key, len)) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return line ? strtoll(line + len, NULL, 10) : -EPROTO;
}

static int read_stat(const char *pid, struct proc_stat *stat)
{
	char path[64], buf[1024];

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	if (read_text(path, buf, sizeof(buf)) < 0)
		return -ESRCH;
	return proc_parse_stat(buf, stat);
}

static uint64_t thread_wait_ns(const char *tasks, const char *tid)
{
	uint64_t run, wait;
	char path[96], buf[128];

	snprintf(path, sizeof(path), "%s/%.20s/schedstat", tasks, tid);
	if (read_text(path, buf, sizeof(buf)) < 0 ||
	    proc_parse_schedstat(buf, &run, &wait))
		return 0;
	return wait;
}

static uint64_t wait_ns(pid_t pid)
{
	struct dirent *e;
	char path[64];
	uint64_t sum = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		if (isdigit((unsigned char)e->d_name[0]))
			sum += thread_wait_ns(path, e->d_name);
	if (dir)
		closedir(dir);
	return sum;
}

void proc_usage(pid_t pid, struct usage *u)
{
	struct proc_stat stat;
	struct timespec t;
	clockid_t clock;
	char number[16];
	uint64_t cpu, ticks;

	snprintf(number, sizeof(number), "%d", pid);
	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t) ||
	    read_stat(number, &stat))
		return;
	cpu = t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
	ticks = stat.user + stat.system;
	u->cpu_ns += cpu;
	if (ticks) {
		u->user_ns += (double)cpu * stat.user / ticks;
		u->system_ns += (double)cpu * stat.system / ticks;
	}
	u->wait_ns += wait_ns(pid);
	u->processes++;
}

static DIR *open_proc(void)
{
	DIR *dir = opendir("/proc");

	if (!dir)
		die("/proc: %s", strerror(errno));
	return dir;
}

static bool is_of_group(const char *pid, pid_t pgrp)
{
	struct proc_stat stat;

	return !read_stat(pid, &stat) && stat.pgrp == pgrp &&
	       stat.state != 'Z' && stat.state != 'X';
}

unsigned int proc_group(pid_t pgrp, pid_t *pids, unsigned int max)
{
	unsigned int n = 0;
	struct dirent *e;
	DIR *dir = open_proc();

	while ((e = readdir(dir))) {
		if (!isdigit((unsigned char)e->d_name[0]) ||
		    !is_of_group(e->d_name, pgrp))
			continue;
		if (n < max)
			pids[n] = atoi(e->d_name);
		n++;
	}
	closedir(dir);
	return n;
}

/* Returns whether it was not there yet. */
static bool add_seen(struct proc_seen *seen, unsigned int pid)
{
	uint8_t *bits = &seen->bits[pid % PROC_PIDS / 8], bit = 1 << pid % 8;
	bool is_new = !(*bits & bit);

	*bits |= bit;
	return is_new;
}

bool proc_newcomer(pid_t pgrp, struct proc_seen *seen)
{
	bool found = false;
	struct dirent *e;
	DIR *dir = open_proc();

	while ((e = readdir(dir)))
		if (isdigit((unsigned char)e->d_name[0]) &&
		    add_seen(seen, atoi(e->d_name)))
			found |= is_of_group(e->d_name, pgrp);
	closedir(dir);
	return found;
}

void proc_group_usage(pid_t pgrp, struct usage *u)
{
	pid_t pids[PIDS_MAX];
	unsigned int i, n = proc_group(pgrp, pids, PIDS_MAX);

	if (n > PIDS_MAX)
		die("process group %d has more than %d processes", pgrp,
		    PIDS_MAX);
	for (i = 0; i < n; i++)
		proc_usage(pids[i], u);
}

/* Returns 0 when it cannot be read. */
static uint64_t sum_kib(const char *path, const char *const *keys)
{
	char buf[8192];
	uint64_t sum = 0;
	int64_t kib;

	if (read_text(path, buf, sizeof(buf)) < 0)
		return 0;
	for (; *keys; keys++) {
		kib = proc_parse_kib(buf, *keys);
		sum += kib > 0 ? kib : 0;
	}
	return sum;
}

static uint64_t process_kib(pid_t pid, bool shared_once)
{
	static const char *const once[] = {"Pss_Anon:", "Pss_Shmem:", NULL};
	static const char *const each[] = {"Anonymous:", "Pss_Shmem:", NULL};
	static const char *const rough[] = {"RssAnon:", "RssShmem:", NULL};
	char path[64];
	uint64_t kib;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	kib = sum_kib(path, shared_once ? once : each);
	if (kib)
		return kib;
	/* Another account's, and we are not root. */
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return sum_kib(path, rough);
}

uint64_t proc_group_kib(pid_t pgrp, bool shared_once)
{
	pid_t pids[PIDS_MAX];
	unsigned int i, n = proc_group(pgrp, pids, PIDS_MAX);
	uint64_t sum = 0;

	for (i = 0; i < n && i < PIDS_MAX; i++)
		sum += process_kib(pids[i], shared_once);
	return sum;
}

uint64_t proc_kernel_kib(void)
{
	static const char *const keys[] = {"SUnreclaim:", "KernelStack:",
					   "PageTables:", NULL};

	return sum_kib("/proc/meminfo", keys);
}

int proc_parse_listener(const char *line, uint16_t *port, uint64_t *inode)
{
	unsigned int local, state;

	if (sscanf(line,
		   " %*u: %*x:%x %*x:%*x %x %*s %*s %*s %*u %*u %" SCNu64,
		   &local, &state, inode) != 3 ||
	    state != TCP_LISTEN)
		return -EPROTO;
	*port = local;
	return 0;
}

uint64_t proc_listener(uint16_t port)
{
	FILE *file = fopen("/proc/net/tcp", "re");
	uint64_t inode, found = 0;
	uint16_t at;
	char line[256];

	if (!file)
		die("/proc/net/tcp: %s", strerror(errno));
	/* Below the heading come those that listen, and then all the others. */
	if (fgets(line, sizeof(line), file))
		while (!found && fgets(line, sizeof(line), file) &&
		       !proc_parse_listener(line, &at, &inode))
			found = at == port ? inode : 0;
	fclose(file);
	return found;
}

static uint64_t minus(uint64_t later, uint64_t earlier)
{
	return later > earlier ? later - earlier : 0;
}

struct usage usage_since(const struct usage *later, const struct usage *earlier)
{
	return (struct usage){
		.cpu_ns = minus(later->cpu_ns, earlier->cpu_ns),
		.user_ns = minus(later->user_ns, earlier->user_ns),
		.system_ns = minus(later->system_ns, earlier->system_ns),
		.wait_ns = minus(later->wait_ns, earlier->wait_ns),
		.processes = later->processes,
	};
}
