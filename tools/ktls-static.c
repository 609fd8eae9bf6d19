// SPDX-License-Identifier: MIT
/*
 * ktls-static - the sample consumer: files over HTTP/1.1 and sendfile
 *
 * This process registers with ktlsd, keeps the registration and restarts
 * workers; they take connections from the queue (tools/static/).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "ktls/ktls.h"
#include "tools/standard.h"
#include "tools/static/worker.h"

#define EXIT_USAGE 100
#define WORKERS_MAX 1024
#define RESTART_MS 1000 /* between two starts of one worker */
#define STOP_MS 30000 /* for what is under way at SIGTERM */

struct server {
	const char *queue_path, *root_path;
	int n_workers, root, signals;
	struct ktls_registration *reg;
	int reg_state; /* what the last step said */
	bool registered; /* once, so that hold_ms is known */
	struct {
		pid_t pid;
		int64_t started_ms;
	} workers[WORKERS_MAX];
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static int count_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
}

/* @wrong: what is, of @value where it is about one; NULL: that has been said */
__attribute__((noreturn)) static void usage(const char *wrong,
					    const char *value)
{
	if (wrong && value)
		fprintf(stderr, "ktls-static: '%s' %s\n", value, wrong);
	else if (wrong)
		fprintf(stderr, "ktls-static: %s\n", wrong);
	fprintf(stderr, "usage: ktls-static --queue PATH --root DIR "
			"[--workers N]\n");
	exit(EXIT_USAGE);
}

static int parse_workers(const char *text)
{
	char *end;
	const long n = strtol(text, &end, 10);

	if (!*text || *end || n < 1 || n > WORKERS_MAX)
		usage("is no number of workers, from 1 to 1024", text);
	return n;
}

static void parse_options(struct server *s, int argc, char **argv)
{
	static const struct option options[] = {
		{"queue", required_argument, NULL, 'q'},
		{"root", required_argument, NULL, 'r'},
		{"workers", required_argument, NULL, 'w'},
		{0},
	};
	int option;

	s->n_workers = count_cpus();
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'q':
			s->queue_path = optarg;
			break;
		case 'r':
			s->root_path = optarg;
			break;
		case 'w':
			s->n_workers = parse_workers(optarg);
			break;
		default:
			usage(NULL, NULL);
		}
	}
	if (optind != argc)
		usage("is no option", argv[optind]);
	if (!s->queue_path || !s->root_path)
		usage(s->queue_path ? "--root is missing" : "--queue is missing",
		      NULL);
	if (s->n_workers > WORKERS_MAX)
		s->n_workers = WORKERS_MAX;
}

/* Each client takes two descriptors. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int block_signals(struct server *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : 0;
}

__attribute__((noreturn)) static void be_worker(struct server *s, pid_t parent)
{
	const unsigned int hold_ms = ktls_registration_hold_ms(s->reg);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		exit(0);
	close(s->signals);
	exit(worker_run(s->root, ktls_registration_detach(s->reg), hold_ms));
}

/* Starts the workers that are not there. Returns when to look again, in ms. */
static int start_workers(struct server *s)
{
	const pid_t self = getpid();
	int wait_ms = -1;

	for (int i = 0; i < s->n_workers && s->registered; i++) {
		const int64_t rest =
			s->workers[i].started_ms + RESTART_MS - now_ms();

		if (s->workers[i].pid > 0)
			continue;
		if (rest > 0) {
			wait_ms = rest;
			continue;
		}
		s->workers[i].started_ms = now_ms();
		s->workers[i].pid = fork();
		if (!s->workers[i].pid)
			be_worker(s, self);
		if (s->workers[i].pid < 0)
			wait_ms = RESTART_MS;
	}
	return wait_ms;
}

/* Returns how many workers are left. */
static int reap(struct server *s, bool expected)
{
	int status, left = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!expected)
			fprintf(stderr,
				"ktls-static: worker %d ended by %s %d, "
				"starting another\n",
				pid, WIFSIGNALED(status) ? "signal" : "exit",
				WIFSIGNALED(status) ? WTERMSIG(status) :
						      WEXITSTATUS(status));
		for (int i = 0; i < s->n_workers; i++)
			if (s->workers[i].pid == pid)
				s->workers[i].pid = 0;
	}
	for (int i = 0; i < s->n_workers; i++)
		left += s->workers[i].pid > 0;
	return left;
}

static void signal_workers(const struct server *s, int signal)
{
	for (int i = 0; i < s->n_workers; i++)
		if (s->workers[i].pid > 0)
			kill(s->workers[i].pid, signal);
}

/*
 * Who is refused from the start has to change something; and a queue that was
 * shut down is no queue any more: whoever started us is to do so again. Returns
 * 0 or 1.
 */
static int step(struct server *s)
{
	const int rc = ktls_registration_step(s->reg);

	if (rc == s->reg_state)
		return 0;
	s->reg_state = rc;
	if (!rc && s->registered)
		fprintf(stderr, "ktls-static: registered again\n");
	else if (!rc)
		fprintf(stderr,
			"ktls-static: serving %s from %s, %d workers\n",
			s->root_path, s->queue_path, s->n_workers);
	else if (rc == -ENOTCONN && s->registered)
		fprintf(stderr, "ktls-static: ktlsd is gone: waiting for it\n");
	else if (rc == -ENOTCONN)
		fprintf(stderr, "ktls-static: %s: waiting for it\n",
			ktls_registration_error(s->reg));
	else
		fprintf(stderr, "ktls-static: %s\n",
			ktls_registration_error(s->reg));
	s->registered |= !rc;
	return rc == -ESTALE || (rc && rc != -ENOTCONN && !s->registered);
}

/* Returns whether a signal to end has come. */
static bool take_signals(struct server *s)
{
	struct signalfd_siginfo info;
	bool stop = false;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info))
		stop |= info.ssi_signo != SIGCHLD;
	return stop;
}

/* Returns the exit status. */
static int supervise(struct server *s)
{
	struct pollfd p[] = {
		{.fd = s->signals, .events = POLLIN},
		{.fd = ktls_registration_fd(s->reg), .events = POLLIN},
	};

	while (!take_signals(s)) {
		reap(s, false);
		poll(p, 2, start_workers(s));
		if (p[1].revents && step(s))
			return 1;
	}
	return 0;
}

/* ktlsd is told first, so that nothing more comes to who is going. */
static void stop(struct server *s)
{
	const int64_t end = now_ms() + STOP_MS;
	struct pollfd p = {.fd = s->signals, .events = POLLIN};

	ktls_registration_free(s->reg);
	signal_workers(s, SIGTERM);
	while (reap(s, true)) {
		if (now_ms() >= end)
			signal_workers(s, SIGKILL);
		poll(&p, 1, 1000);
		take_signals(s);
	}
}

int main(int argc, char **argv)
{
	static struct server s = {.reg_state = 1};
	int rc;

	standard_fill();
	parse_options(&s, argc, argv);
	raise_limit();
	s.root = open(s.root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* By a path it is opened whoever may enter it. */
	if (s.root < 0 || faccessat(s.root, ".", X_OK, AT_EACCESS)) {
		fprintf(stderr, "ktls-static: %s: %s\n", s.root_path,
			strerror(errno));
		return 1;
	}
	rc = ktls_register_later(s.queue_path, &s.reg);
	if (rc) {
		fprintf(stderr, "ktls-static: %s: %s\n", s.queue_path,
			strerror(-rc));
		return 1;
	}
	if (block_signals(&s))
		return 1;
	rc = supervise(&s);
	stop(&s);
	return rc;
}
