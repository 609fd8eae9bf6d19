// SPDX-License-Identifier: MIT
#include "preload.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "real.h"

#define EXIT_SYSTEM 111

struct preload_state preload;
pid_t preload_pid;
int preload_forks;
bool preload_is_child;

void preload_say(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	dprintf(STDERR_FILENO, "ktls-run: %s\n", text);
}

bool preload_ours(void)
{
	return preload_pid && getpid() == preload_pid;
}

static void in_parent(void)
{
	preload_forks++;
}

static void in_child(void)
{
	preload_forks++;
	preload_is_child = true;
	preload_pid = getpid();
	preload_known_forked();
	preload_linger_forked();
}

static void look_at_all(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;

	for (int i = 0; !dir && i < preload.n; i++)
		preload_recognise(preload.queues[i].given);
	while (dir && (d = readdir(dir)))
		if (d->d_name[0] != '.' && atoi(d->d_name) != dirfd(dir))
			preload_recognise(atoi(d->d_name));
	if (dir)
		closedir(dir);
}

static bool can_report(void)
{
	struct stat st;

	return preload.report_fd >= 0 && !fstat(preload.report_fd, &st) &&
	       S_ISSOCK(st.st_mode) && st.st_ino == preload.report_ino;
}

void preload_report(const struct preload_report *report)
{
	if (can_report())
		send(preload.report_fd, report, sizeof(*report),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Says that we are there, and keeps the socket from the server. */
static void begin_reports(void)
{
	static const struct preload_report there;
	const int fd = preload.report_fd;

	if (!can_report()) {
		preload.report_fd = -1;
		return;
	}
	preload_report(&there);
	if (!preload_own(fd, &preload.report_fd))
		real()->close(fd);
}

/* A program that could listen in plaintext instead must not go on. */
__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv(PRELOAD_ENV);
	int rc;

	if (!text)
		return;
	rc = preload_parse(&preload, text);
	if (!rc)
		rc = table_init();
	if (!rc)
		rc = -pthread_atfork(NULL, in_parent, in_child);
	if (rc) {
		preload_say("%s: %s", PRELOAD_ENV, strerror(-rc));
		_exit(EXIT_SYSTEM);
	}
	preload_pid = getpid();
	for (int i = 0; i < preload.n; i++)
		preload_take_own(&preload.queues[i]);
	look_at_all();
	begin_reports();
}
