// SPDX-License-Identifier: MIT
/*
 * consumer - a server that takes its connections from ktlsd
 *
 *   consumer [options] PATH [-- CMD [ARG...]]
 *   -n N   so many serving processes (1)
 *   -t N   each is killed by SIGKILL on taking its Nth connection
 *   -k N   they change their keys after each N bytes
 *   -l N   each has a descriptor limit of N
 *   -h     take nothing
 *   -e     serve at once, and register when there is a ktlsd
 *   -d     at SIGTERM drain: end the registration, serve what waits, finish
 *   -L F   note in F what is in hand, see tool/ledger.h
 *
 * Registers at PATH, keeps the registration, and runs the serving processes
 * with the queue at descriptor 3; with CMD, that one instead of ours. Events
 * are lines on stdout; those of the serving processes are in tool/serve.h.
 * Ours: registered, lost (ktlsd is gone), back (adopted by a new one), child,
 * registrar (at SIGTERM and SIGUSR1: how often it was woken). Exit 1: ktlsd
 * refused.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ktls/ktls.h"
#include "tool/serve.h"
#include "tool/tool.h"

#define QUEUE_FD 3
/* In the environment of a serving process: its hold_ms. */
#define SERVES "CONSUMER_HOLD_MS"
#define MAX_PROCS 16

static struct serve_config config = {.queue_fd = QUEUE_FD};
static int procs = 1, wakeups;
static bool early;
static pid_t pids[MAX_PROCS];
static char **command;
static sigset_t signals;

/* In the child: nothing but the queue is passed on, and we do not outlive. */
static void become(int queue_fd, pid_t parent, char **argv)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM))
		die("prctl: %m");
	if (getppid() != parent)
		_exit(0);
	if (queue_fd == QUEUE_FD)
		queue_fd = dup(queue_fd);
	if (dup2(queue_fd, QUEUE_FD) < 0)
		die("dup2: %m");
	close(queue_fd);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
	if (command)
		execvp(command[0], command);
	else
		execv("/proc/self/exe", argv);
	die("exec: %m");
}

static void spawn_all(const struct ktls_registration *reg, char **argv)
{
	int queue_fd = ktls_registration_queue_fd(reg), i;
	const pid_t self = getpid();
	char hold_ms[16];

	fflush(stdout);
	snprintf(hold_ms, sizeof(hold_ms), "%u",
		 ktls_registration_hold_ms(reg));
	setenv(SERVES, hold_ms, 1);
	for (i = 0; i < procs; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork: %m");
		if (!pids[i])
			become(queue_fd, self, argv);
	}
}

static void kill_all(int signo)
{
	int i;

	for (i = 0; i < procs; i++)
		if (pids[i])
			kill(pids[i], signo);
}

static void children(void)
{
	int i, status, left = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		printf("event=child pid=%d signal=%d status=%d\n", pid,
		       WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		       WIFEXITED(status) ? WEXITSTATUS(status) : 0);
		for (i = 0; i < procs; i++)
			if (pids[i] == pid)
				pids[i] = 0;
	}
	for (i = 0; i < procs; i++)
		left += pids[i] != 0;
	if (!left)
		exit(0);
}

/* Returns the signal to pass on, or 0. */
static int on_signal(int fd)
{
	struct signalfd_siginfo s;

	if (read(fd, &s, sizeof(s)) != sizeof(s))
		return 0;
	if (s.ssi_signo == SIGCHLD) {
		children();
		return 0;
	}
	printf("event=registrar wakeups=%d\n", wakeups);
	return s.ssi_signo;
}

/* ktlsd is told first, so that it knows when the last one goes. */
static void leave(struct ktls_registration *reg, int signal_fd)
{
	struct pollfd p = {.fd = signal_fd, .events = POLLIN};

	ktls_registration_free(reg);
	kill_all(SIGTERM);
	for (;;)
		if (poll(&p, 1, -1) == 1)
			on_signal(signal_fd);
}

static void supervise(struct ktls_registration *reg, int signal_fd)
{
	struct pollfd p[] = {
		{.fd = signal_fd, .events = POLLIN},
		{.fd = ktls_registration_fd(reg), .events = POLLIN},
	};
	int rc, last = 0, signo;

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		signo = p[0].revents ? on_signal(signal_fd) : 0;
		if (signo == SIGTERM && config.drain)
			leave(reg, signal_fd);
		if (signo)
			kill_all(signo);
		if (!p[1].revents)
			continue;
		wakeups++;
		rc = ktls_registration_step(reg);
		if (rc != last)
			printf(rc ? "event=lost why=%s\n" : "event=back%s\n",
			       rc ? strerrorname_np(-rc) : "");
		last = rc;
	}
}

static void set_option(int c)
{
	switch (c) {
	case 'n':
		procs = atoi(optarg);
		break;
	case 't':
		config.take = atoi(optarg);
		break;
	case 'l':
		config.nofile = atoi(optarg);
		break;
	case 'k':
		config.rekey = parse_size(optarg);
		break;
	case 'h':
		config.hold = true;
		break;
	case 'e':
		early = true;
		break;
	case 'd':
		config.drain = true;
		break;
	case 'L':
		config.ledger = optarg;
		break;
	default:
		die("usage: see the head of consumer.c");
	}
}

int main(int argc, char **argv)
{
	struct ktls_registration *reg;
	char error[256] = "";
	int c, rc, signal_fd;

	raise_nofile();
	setvbuf(stdout, NULL, _IOLBF, 4096);
	while ((c = getopt(argc, argv, "+n:t:l:k:hedL:")) != -1)
		set_option(c);
	if (getenv(SERVES)) {
		config.hold_ms = atoi(getenv(SERVES));
		serve(&config);
	}
	if (optind >= argc || procs > MAX_PROCS)
		set_option('?');
	if (optind + 2 < argc && !strcmp(argv[optind + 1], "--"))
		command = argv + optind + 2;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	rc = early ? ktls_register_later(argv[optind], &reg) :
		     ktls_register(argv[optind], &reg, error, sizeof(error));
	if (rc) {
		printf("event=refused why=%s text='%s'\n", strerrorname_np(-rc),
		       error);
		return 1;
	}
	printf("event=registered pid=%d\n", getpid());
	spawn_all(reg, argv);
	supervise(reg, signal_fd);
}
