// SPDX-License-Identifier: MIT
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include "ktls/ktls.h"
#include "ktls/preload/preload.h"
#include "ktls/preload/program.h"
#include "tools/run/start.h"

#define LIBRARY "libktls-accept.so"
#define WAIT_MS 5000

/* Beside ktls-run, or where it is installed. */
static int find_library(char *path, size_t len)
{
	static const char *const places[] = {"", "../lib/"};
	char self[2048];
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return -errno;
	self[n] = 0;
	slash = strrchr(self, '/');
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, len, "%.*s/%s" LIBRARY, (int)(slash - self),
			 self, places[i]);
		if (!access(path, R_OK))
			return 0;
	}
	return -ENOENT;
}

/* It is only what the library is to recognise things by. */
static ino_t inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

static int describe(struct run_preload *p, const struct run_options *o,
		    struct ktls_registration *const *reg)
{
	struct preload_state s = {
		.report_ino = inode(p->report[1]),
		.report_fd = p->report[1],
	};

	for (size_t i = 0; i < o->n; i++) {
		if (!o->queues[i].preload)
			continue;
		s.queues[s.n++] = (struct preload_queue){
			.ino = inode(ktls_registration_queue_fd(reg[i])),
			.fd = -1,
			.given = o->queues[i].fd,
			.port = o->queues[i].port,
			.hold_ms = ktls_registration_hold_ms(reg[i]),
			.ipv6 = ktls_registration_ipv6(reg[i]),
		};
	}
	return preload_format(&s, p->text, sizeof(p->text));
}

/* Out of the way of the queues, and open in what is executed. */
static int make_pair(struct run_preload *p, const struct run_options *o)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	p->report[0] = pair[0];
	p->report[1] = run_out_of_way(o, pair[1]);
	close(pair[1]);
	return p->report[1] < 0 ? p->report[1] : 0;
}

int run_preload_init(struct run_preload *p, const struct run_options *o,
		     struct ktls_registration *const *reg, char *error,
		     size_t error_len)
{
	char path[4096];
	int rc;

	p->report[0] = p->report[1] = -1;
	error[0] = 0;
	rc = find_library(p->path, sizeof(p->path));
	if (rc) {
		snprintf(error, error_len, "%s: %s", p->path, strerror(-rc));
		return -EIO;
	}
	if (strpbrk(p->path, " :")) {
		snprintf(error, error_len, "%s: LD_PRELOAD takes no path with "
			 "a space or a colon", p->path);
		return -EIO;
	}
	rc = program_find(o->command[0], path, sizeof(path));
	if (!rc)
		rc = program_check(path, error, error_len);
	if (!rc)
		rc = make_pair(p, o);
	if (!rc)
		rc = describe(p, o, reg);
	if (rc && !error[0])
		snprintf(error, error_len, "%s: %s", o->command[0],
			 strerror(-rc));
	return rc;
}

void run_preload_free(struct run_preload *p)
{
	for (int i = 0; i < 2; i++)
		if (p->report[i] >= 0)
			close(p->report[i]);
	p->report[0] = p->report[1] = -1;
}

int run_preload_enter(const struct run_preload *p)
{
	const char *old = getenv("LD_PRELOAD");
	char load[8192];

	if (snprintf(load, sizeof(load), "%s%s%s", p->path, old ? ":" : "",
		     old ? old : "") >= (int)sizeof(load))
		return -E2BIG;
	if (setenv("LD_PRELOAD", load, 1) || setenv(PRELOAD_ENV, p->text, 1) ||
	    fcntl(p->report[1], F_SETFD, 0))
		return -errno;
	return 0;
}

int run_preload_wait(struct run_preload *p)
{
	struct pollfd wait = {.fd = p->report[0], .events = POLLIN};
	struct preload_report report;
	int rc = 0;

	/* When the server is gone, or executed another program, it is closed. */
	close(p->report[1]);
	p->report[1] = -1;
	if (poll(&wait, 1, WAIT_MS) != 1)
		rc = -ETIMEDOUT;
	else if (!run_preload_next(p, &report))
		rc = -ECHILD;
	if (rc)
		run_preload_free(p);
	return rc;
}

bool run_preload_next(struct run_preload *p, struct preload_report *report)
{
	ssize_t n;

	if (p->report[0] < 0)
		return false;
	n = recv(p->report[0], report, sizeof(*report), MSG_DONTWAIT);
	if (!n)
		run_preload_free(p);
	return n == sizeof(*report);
}
