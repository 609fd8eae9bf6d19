// SPDX-License-Identifier: MIT
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/wait.h>

#define NAMES_MAX 4096

static const struct run_queue *queue_at(const struct run_options *o, int fd)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->queues[i].fd == fd)
			return &o->queues[i];
	return NULL;
}

int run_listen_fds(const struct run_options *o)
{
	int n = 0;

	while (queue_at(o, RUN_FD_FIRST + n))
		n++;
	return n;
}

int run_names(const struct run_options *o, int n, char *buf, size_t len)
{
	size_t used = 0;

	*buf = 0;
	for (int i = 0; i < n; i++) {
		const char *path = queue_at(o, RUN_FD_FIRST + i)->path;
		const char *slash = strrchr(path, '/');
		const char *name = slash ? slash + 1 : path;
		size_t size = strlen(name);

		if (size > 5 && !strcmp(name + size - 5, ".sock"))
			size -= 5;
		if (!size || memchr(name, ':', size)) {
			name = "unknown";
			size = strlen(name);
		}
		used += snprintf(buf + used, len - used, "%s%.*s", i ? ":" : "",
				 (int)size, name);
		if (used >= len)
			return -E2BIG;
	}
	return 0;
}

int run_hold_times(const struct run_options *o, int n,
		   const unsigned int *hold_ms, char *buf, size_t len)
{
	size_t used = 0;

	*buf = 0;
	for (int i = 0; i < n; i++) {
		used += snprintf(
			buf + used, len - used, "%s%u", i ? ":" : "",
			hold_ms[queue_at(o, RUN_FD_FIRST + i) - o->queues]);
		if (used >= len)
			return -E2BIG;
	}
	return 0;
}

static int put_number(const char *name, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	return setenv(name, text, 1) ? -errno : 0;
}

/* LISTEN_PID is the server's own, so that it does not count for others. */
static int set_environment(const struct run_options *o,
			   const unsigned int *hold_ms)
{
	static const char *const names[] = {"LISTEN_FDS", "LISTEN_PID",
					    "LISTEN_FDNAMES", RUN_HOLD_ENV};
	const int n = run_listen_fds(o);
	char text[NAMES_MAX];
	int rc;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unsetenv(names[i]);
	if (!n)
		return 0;
	rc = run_names(o, n, text, sizeof(text));
	if (!rc && setenv("LISTEN_FDNAMES", text, 1))
		rc = -errno;
	if (!rc)
		rc = run_hold_times(o, n, hold_ms, text, sizeof(text));
	if (!rc && setenv(RUN_HOLD_ENV, text, 1))
		rc = -errno;
	if (!rc)
		rc = put_number("LISTEN_FDS", n);
	return rc ? rc : put_number("LISTEN_PID", getpid());
}

int run_out_of_way(const struct run_options *o, int fd)
{
	const int copy = fcntl(fd, F_DUPFD_CLOEXEC, run_first_free(o));

	if (copy >= 0)
		return copy;
	/* EINVAL: the limit of descriptors is below the number. */
	return errno == EINVAL ? -EMFILE : -errno;
}

/* First out of the way: one's place may be where another one is. */
static int place_queues(const struct run_options *o, const int *queue_fds,
			int *report)
{
	int high[RUN_QUEUES_MAX];

	for (size_t i = 0; i < o->n; i++) {
		high[i] = run_out_of_way(o, queue_fds[i]);
		if (high[i] < 0)
			return high[i];
	}
	*report = run_out_of_way(o, *report);
	if (*report < 0)
		return *report;
	for (size_t i = 0; i < o->n; i++)
		if (dup2(high[i], o->queues[i].fd) < 0)
			return -errno;
	return 0;
}

/* Becomes the server. What keeps it from that goes into @report. */
__attribute__((noreturn)) static void
become(const struct run_options *o, const int *queue_fds,
       const unsigned int *hold_ms, const sigset_t *mask,
       const struct run_preload *preload, pid_t parent, int report)
{
	int fallback = report, rc;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(RUN_SYSTEM);
	rc = place_queues(o, queue_fds, &report);
	if (!rc)
		rc = set_environment(o, hold_ms);
	if (!rc && preload)
		rc = run_preload_enter(preload);
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (!rc) {
		execvp(o->command[0], o->command);
		rc = -errno;
	}
	if (report < 0)
		report = fallback;
	if (write(report, &rc, sizeof(rc)) < 0)
		_exit(RUN_SYSTEM);
	_exit(RUN_NOT_FOUND);
}

pid_t run_start(const struct run_options *o, const int *queue_fds,
		const unsigned int *hold_ms, const sigset_t *mask,
		const struct run_preload *preload)
{
	const pid_t self = getpid();
	int report[2], rc = 0;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid)
		become(o, queue_fds, hold_ms, mask, preload, self, report[1]);
	if (pid < 0)
		rc = -errno;
	close(report[1]);
	if (!rc && read(report[0], &rc, sizeof(rc)) == sizeof(rc))
		waitpid(pid, NULL, 0);
	close(report[0]);
	return rc ? rc : pid;
}
