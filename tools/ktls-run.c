// SPDX-License-Identifier: MIT
/*
 * ktls-run - start a server that knows nothing of ktlsd, with its queues
 *
 * This process registers with ktlsd for the server, and again with the next
 * one; the server only gets the end that connections are taken from.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "ktls/ktls.h"
#include "ktls/preload/preload.h"
#include "tools/run/listens.h"
#include "tools/run/options.h"
#include "tools/run/preload.h"
#include "tools/run/start.h"

#define RETRY_MS 200 /* for ktlsd to come */

/*
 * @main:   the server's first process, 0 once it has ended
 * @status: what wait(2) said of it
 * @end:    what we exit with, once the server is not to go on; 0: it is
 */
struct runner {
	struct run_options o;
	struct ktls_registration *reg[RUN_QUEUES_MAX];
	int state[RUN_QUEUES_MAX]; /* what the last step said */
	struct run_listens listens[RUN_QUEUES_MAX];
	struct run_preload preload;
	int signals;
	sigset_t mask;
	pid_t main;
	int status;
	int end;
};

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char text[768];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "ktls-run: %s\n", text);
}

static void parse_options(struct run_options *o, int argc, char **argv)
{
	char error[300];

	if (!run_parse_options(o, argc, argv, error, sizeof(error)))
		return;
	say("%s", error);
	fprintf(stderr, "usage: ktls-run --queue PATH [--fd N] "
			"[--preload [--port P]] ... -- COMMAND...\n");
	exit(RUN_USAGE);
}

/*
 * The library is told how long connections may wait, which only ktlsd knows:
 * then, if ktlsd is not there, it is waited for. Returns 0, or -errno and says
 * why.
 */
static int register_queue(struct runner *r, size_t i)
{
	const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000};
	bool said = false;
	char error[300];
	int rc;

	while ((rc = ktls_register(r->o.queues[i].path, &r->reg[i], error,
				   sizeof(error)))) {
		if (rc != -ENOENT && rc != -ECONNREFUSED && rc != -ETIMEDOUT) {
			say("%s", error);
			return rc;
		}
		if (!said)
			say("%s: waiting for it", error);
		said = true;
		if (!r->o.queues[i].preload) {
			r->state[i] = -ENOTCONN;
			return ktls_register_later(r->o.queues[i].path,
						   &r->reg[i]);
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int register_all(struct runner *r)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < r->o.n; i++)
		rc = register_queue(r, i);
	return rc;
}

/*
 * What is forwarded, and the end of children. Taken as events; the server gets
 * the mask that we were started with.
 */
static int block_signals(struct runner *r)
{
	static const int taken[] = {SIGCHLD, SIGTERM, SIGINT,  SIGHUP,
				    SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_BLOCK, &set, &r->mask);
	/* Ignored, as a parent may have it, children end without a word. */
	signal(SIGCHLD, SIG_DFL);
	r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signals < 0 ? -errno : 0;
}

/*
 * The server's processes that are ours to signal: others have a parent. Returns
 * how many.
 */
static int signal_children(int number)
{
	char path[64];
	FILE *file;
	int pid, n = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &pid) == 1)
		n += !kill(pid, number);
	if (file)
		fclose(file);
	return n;
}

/* Whoever so loses its parent becomes ours, until there is nobody left. */
static void kill_all(const struct runner *r)
{
	if (r->main)
		kill(r->main, SIGKILL);
	while (signal_children(SIGKILL) && waitpid(-1, NULL, 0) > 0)
		;
}

static void free_registrations(struct runner *r)
{
	for (size_t i = 0; i < r->o.n; i++) {
		ktls_registration_free(r->reg[i]);
		r->reg[i] = NULL;
	}
}

/*
 * At SIGTERM ktlsd is told first, so that nothing more comes to who is going.
 * What a terminal sends it sends to the server as well.
 */
static void forward(struct runner *r, const struct signalfd_siginfo *info)
{
	if (info->ssi_signo == SIGCHLD || info->ssi_code == SI_KERNEL)
		return;
	if (info->ssi_signo == SIGTERM)
		free_registrations(r);
	if (r->main)
		kill(r->main, info->ssi_signo);
	else
		signal_children(info->ssi_signo);
}

static void take_signals(struct runner *r)
{
	struct signalfd_siginfo info;

	while (read(r->signals, &info, sizeof(info)) == sizeof(info))
		forward(r, &info);
}

/* Returns whether any process of the server is left. */
static bool reap(struct runner *r)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != r->main)
			continue;
		r->main = 0;
		r->status = status;
	}
	return !pid;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000) + t.tv_nsec / 1000000;
}

static void step(struct runner *r, size_t i)
{
	const char *path = r->o.queues[i].path;
	const int rc = ktls_registration_step(r->reg[i]);

	if (rc == r->state[i])
		return;
	r->state[i] = rc;
	if (!rc) {
		say("%s: registered", path);
		run_listens_again(&r->listens[i], now_ms());
	} else if (rc == -ENOTCONN) {
		say("%s: ktlsd is gone: waiting for it", path);
	} else if (rc == -ESTALE) {
		say("%s: the queue was shut down: ending the server", path);
		r->end = RUN_SYSTEM;
	} else {
		say("%s: %s", path, ktls_registration_error(r->reg[i]));
	}
}

static void take_reports(struct runner *r)
{
	struct preload_report report;

	while (run_preload_next(&r->preload, &report))
		for (size_t i = 0; i < r->o.n; i++)
			if (r->o.queues[i].preload &&
			    r->o.queues[i].fd == report.given)
				run_listens_note(&r->listens[i], report.family,
						 report.port, now_ms());
}

/* Ends what cannot be told of all clients, or says that some are refused. */
static void judge(struct runner *r, size_t i)
{
	const bool ipv6 = r->reg[i] && ktls_registration_ipv6(r->reg[i]);
	const int port = r->listens[i].port;
	const enum run_verdict verdict =
		run_listens_judge(&r->listens[i], ipv6, now_ms());

	if (verdict == RUN_FINE)
		return;
	say("%s listens on IPv4 only, and IPv6 clients may come to %s: "
	    "%s. " PRELOAD_REMEDY,
	    r->o.command[0], r->o.queues[i].path,
	    verdict == RUN_END ? "killed" : "they are refused", port);
	if (verdict == RUN_END)
		r->end = RUN_REFUSED;
}

/* Until somebody is to be judged, for poll(2). */
static int wait_ms(const struct runner *r)
{
	const uint64_t now = now_ms();
	int ms = -1;

	for (size_t i = 0; i < r->o.n; i++) {
		const uint64_t due = r->listens[i].due_ms;
		const int left = due > now ? (int)(due - now) : 0;

		if (due && (ms < 0 || left < ms))
			ms = left;
	}
	return ms;
}

static void wait_for_events(struct runner *r)
{
	struct pollfd p[2 + RUN_QUEUES_MAX] = {
		{.fd = r->signals, .events = POLLIN},
		{.fd = r->preload.report[0], .events = POLLIN},
	};
	size_t i;

	for (i = 0; i < r->o.n; i++) {
		p[2 + i].fd = r->reg[i] ? ktls_registration_fd(r->reg[i]) : -1;
		p[2 + i].events = POLLIN;
	}
	if (poll(p, 2 + r->o.n, wait_ms(r)) < 0)
		return;
	take_reports(r);
	for (i = 0; i < r->o.n; i++) {
		if (p[2 + i].revents)
			step(r, i);
		judge(r, i);
	}
}

static bool ended_well(const struct runner *r)
{
	return WIFEXITED(r->status) && !WEXITSTATUS(r->status);
}

/*
 * Until the server has ended. One that ends well and leaves processes behind
 * became a daemon, or has handed over to another program: those are it then.
 */
static void supervise(struct runner *r)
{
	while (reap(r) && (r->main || ended_well(r)) && !r->end) {
		wait_for_events(r);
		take_signals(r);
	}
	if (r->end == RUN_REFUSED)
		kill_all(r);
	else if (r->end || !r->main)
		signal_children(SIGTERM);
}

static int exit_status(const struct runner *r)
{
	if (r->end)
		return r->end;
	return WIFSIGNALED(r->status) ? 128 + WTERMSIG(r->status) :
					WEXITSTATUS(r->status);
}

static int cannot_start(const struct runner *r, int rc, const char *error)
{
	if (error[0])
		say("%s", error);
	else
		say("%s: %s", r->o.command[0], strerror(-rc));
	switch (-rc) {
	case ENOENT:
		return RUN_NOT_FOUND;
	case EIO:
	case EAGAIN:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return RUN_SYSTEM;
	default:
		return RUN_REFUSED;
	}
}

/* Its pipe is closed a moment before it can be waited for. */
static bool has_ended(struct runner *r)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	for (int i = 0; i < 100; i++) {
		if (waitpid(r->main, &r->status, WNOHANG) == r->main) {
			r->main = 0;
			return true;
		}
		nanosleep(&pause, NULL);
	}
	return false;
}

/*
 * A server without the library might listen in plaintext: it must not live, nor
 * what it has started. One that has ended by itself has told why.
 */
static int check_library(struct runner *r)
{
	const char *name = r->o.command[0];
	const int rc = run_preload_wait(&r->preload);
	int status = RUN_REFUSED;

	if (!rc)
		return 0;
	if (rc == -ETIMEDOUT) {
		say("%s did not load the library within 5 s: killed", name);
	} else if (has_ended(r)) {
		say("%s ended before the library was loaded", name);
		status = exit_status(r) ?: RUN_REFUSED;
	} else {
		say("%s has closed what the library reports by: killed", name);
	}
	kill_all(r);
	return status;
}

static int start(struct runner *r)
{
	unsigned int hold_ms[RUN_QUEUES_MAX];
	int fds[RUN_QUEUES_MAX];
	const bool wants = run_wants_preload(&r->o);
	char error[512] = "";
	int rc = 0;

	for (size_t i = 0; i < r->o.n; i++) {
		fds[i] = ktls_registration_queue_fd(r->reg[i]);
		hold_ms[i] = ktls_registration_hold_ms(r->reg[i]);
		r->listens[i].strict = ktls_registration_ipv6(r->reg[i]);
	}
	if (wants)
		rc = run_preload_init(&r->preload, &r->o, r->reg, error,
				      sizeof(error));
	if (!rc) {
		r->main = run_start(&r->o, fds, hold_ms, &r->mask,
				    wants ? &r->preload : NULL);
		rc = r->main < 0 ? r->main : 0;
	}
	if (rc)
		run_preload_free(&r->preload);
	if (rc)
		return cannot_start(r, rc, error);
	return wants ? check_library(r) : 0;
}

/* What is said must not end up in a queue that took standard error's place. */
static void open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	static struct runner r = {.preload.report = {-1, -1}};
	int rc;

	open_standard();
	parse_options(&r.o, argc, argv);
	if (register_all(&r))
		return RUN_SYSTEM;
	/* Those of its processes that lose their parent become ours. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (block_signals(&r)) {
		say("signals: %s", strerror(errno));
		return RUN_SYSTEM;
	}
	rc = start(&r);
	if (rc)
		return rc;
	for (size_t i = 0; i < r.o.n; i++)
		say("serving %s at descriptor %d", r.o.queues[i].path,
		    r.o.queues[i].fd);
	supervise(&r);
	free_registrations(&r);
	return exit_status(&r);
}
