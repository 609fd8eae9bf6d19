/* SPDX-License-Identifier: MIT */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "local.h"
#include "log.h"
#include "process.h"

/* This program, whatever has become of its file. */
#define PROGRAM "/proc/self/exe"

/* One that dies is replaced after a wait that doubles up to the last. */
#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 10000

static int fail(struct child *child, int err)
{
	log_error("event=%s_failed error=\"%s\"", child->name, strerror(err));
	child->pid = 0;
	child->restart_ms = loop_now_ms() + BACKOFF_LAST_MS;
	return -err;
}

static void reset_signals(void)
{
	sigset_t none;

	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int child_start(struct child *child, int loop,
		int (*run)(void *arg, int socket), void *arg)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return fail(child, errno);
	child->pid = fork();
	if (!child->pid) {
		reset_signals();
		/* What master allocated is freed by master's end. */
		_exit(run(arg, pair[1]));
	}
	close(pair[1]);
	if (child->pid < 0) {
		int err = errno;

		close(pair[0]);
		return fail(child, err);
	}
	child->socket.fd = pair[0];
	child->started_ms = loop_now_ms();
	loop_add(loop, &child->socket);
	log_debug("event=%s_started pid=%d", child->name, (int)child->pid);
	return 0;
}

int child_become(const char *part, int socket, int fd, uid_t uid, gid_t gid)
{
	char option[32], *env[PROCESS_ENVIRON_MAX];
	char *argv[] = { (char *)"ktlsd", option,
			 log_level >= LOG_L_DEBUG ? (char *)"-v" : NULL, NULL };
	int err;

	snprintf(option, sizeof(option), "--%s", part);
	process_keep(&socket, 1);
	if (socket != fd && dup2(socket, fd) >= 0)
		close(socket);
	fcntl(fd, F_SETFD, 0);
	err = process_drop(uid, gid);
	if (err) {
		log_error("event=%s_failed uid=%u error=\"%s\"", part, uid,
			  strerror(-err));
		return 1;
	}
	process_environ(environ, env);
	execve(PROGRAM, argv, env);
	log_error("event=%s_failed uid=%u error=\"" PROGRAM " cannot be "
		  "executed: %s\"", part, uid, strerror(errno));
	return 1;
}

void child_ended(struct child *child, int loop, int status, bool expected)
{
	uint64_t now = loop_now_ms();
	pid_t pid = child->pid;

	loop_remove(loop, &child->socket);
	/* It may have been taken over before it died. */
	local_close(child->socket.fd);
	child->pid = 0;
	if (expected)
		return;
	if (now - child->started_ms > BACKOFF_LAST_MS || !child->backoff_ms)
		child->backoff_ms = BACKOFF_FIRST_MS;
	else if (child->backoff_ms < BACKOFF_LAST_MS / 2)
		child->backoff_ms *= 2;
	else
		child->backoff_ms = BACKOFF_LAST_MS;
	child->restart_ms = now + child->backoff_ms;
	log_error("event=%s_died pid=%d %s=%d restart_in_ms=%u", child->name,
		  (int)pid, WIFSIGNALED(status) ? "signal" : "status",
		  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		  child->backoff_ms);
}
