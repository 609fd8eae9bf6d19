// SPDX-License-Identifier: MIT
#include "group.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc.h"
#include "util.h"

#define GROUPS_MAX 64
#define STOP_MS 10000

static pid_t *groups; /* shared with who guards them */
static pid_t owner;
static void (*clean_up)(void);

/* Nothing is worth an orderly end any more: all they wrote goes, too. */
static void stop_all(void)
{
	int i;

	for (i = 0; i < GROUPS_MAX; i++)
		if (groups[i])
			kill(-groups[i], SIGKILL);
	for (i = 0; i < GROUPS_MAX; i++) {
		if (!groups[i])
			continue;
		/* Those of a process that was killed are not our children. */
		while (waitpid(groups[i], NULL, 0) < 0 &&
		       proc_group(groups[i], NULL, 0))
			usleep(5000);
		groups[i] = 0;
	}
	clean_up();
}

static void at_exit(void)
{
	/* A forked child has the list, but nothing in it is its own. */
	if (getpid() == owner)
		stop_all();
}

static void end(int signo)
{
	exit(128 + signo); /* safe: see signals_hold() */
}

void group_init(void (*then)(void))
{
	groups = shared_alloc(GROUPS_MAX * sizeof(*groups));
	clean_up = then;
	owner = getpid();
	atexit(at_exit);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, end);
	signal(SIGTERM, end);
	signal(SIGHUP, end);
	signals_hold();
}

/* Of a group of its own: what ends us from a terminal leaves it alone. */
static void guard(void)
{
	const int null = open("/dev/null", O_RDWR);
	sigset_t death;
	int signo;

	setpgid(0, 0);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	close_range(3, ~0U, 0);
	sigemptyset(&death);
	sigaddset(&death, SIGTERM);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	while (getppid() == owner)
		sigwait(&death, &signo);
	stop_all();
	_exit(0);
}

void group_guard(void)
{
	const pid_t pid = fork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid)
		guard();
}

static void become_group(const cpu_set_t *cpus, pid_t parent)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_SYSTEM);
	sched_setaffinity(0, sizeof(*cpus), cpus);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signals_release();
}

static pid_t add(pid_t pid)
{
	int i = 0;

	if (pid < 0)
		die("fork: %s", strerror(errno));
	setpgid(pid, pid); /* the child does, too: whoever comes first */
	while (i < GROUPS_MAX && groups[i])
		i++;
	if (i == GROUPS_MAX)
		die("more than %d process groups", GROUPS_MAX);
	groups[i] = pid;
	return pid;
}

static void forget(pid_t group)
{
	int i;

	for (i = 0; i < GROUPS_MAX; i++)
		if (groups[i] == group)
			groups[i] = 0;
}

static void redirect(const char *log)
{
	int in = open("/dev/null", O_RDONLY);
	int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (in < 0 || out < 0)
		_exit(EXIT_SYSTEM);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	close_range(3, ~0U, 0);
}

pid_t group_fork(void (*run)(void *arg), void *arg, const cpu_set_t *cpus)
{
	const pid_t parent = getpid();
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return add(pid);
	become_group(cpus, parent);
	run(arg);
	exit(0);
}

struct command {
	char *const *argv;
	const char *log;
};

static void execute(void *arg)
{
	const struct command *c = arg;

	signal(SIGPIPE, SIG_DFL);
	redirect(c->log);
	execvp(c->argv[0], c->argv);
	fprintf(stderr, "%s: %s\n", c->argv[0], strerror(errno));
	_exit(EXIT_SYSTEM);
}

pid_t group_spawn(char *const argv[], const cpu_set_t *cpus, const char *log)
{
	struct command c = {argv, log};

	return group_fork(execute, &c, cpus);
}

bool group_ended(pid_t group)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, group, &info, WEXITED | WNOHANG | WNOWAIT) ||
	       info.si_pid;
}

int group_wait(pid_t group)
{
	int status;

	while (!group_ended(group))
		sleep_ms(2);
	if (waitpid(group, &status, 0) < 0)
		die("waitpid: %s", strerror(errno));
	forget(group);
	return status;
}

void group_stop(pid_t group)
{
	const uint64_t until = now_ns() + STOP_MS * UINT64_C(1000000);

	if (!group)
		return;
	kill(group, SIGTERM);
	while (now_ns() < until &&
	       (!group_ended(group) || proc_group(group, NULL, 0)))
		sleep_ms(5);
	kill(-group, SIGKILL);
	group_wait(group);
}
