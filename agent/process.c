/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/limits.h"
#include "ring.h"

/* In the exit status of process_try()'s child: the error is not the ring's. */
#define NO_USER 0x80

int process_limit(const struct config *config, unsigned int *slots,
		  char *error, size_t error_len)
{
	rlim_t least = PROBE_SLOTS_MIN +
		       PROBE_LISTENER_SLOTS * config->n_listeners;
	rlim_t queued = 0, fixed, want, room;
	struct rlimit limit;
	size_t i;
	int err;

	for (i = 0; i < config->n_routes; i++)
		queued += config->routes[i].queue;
	fixed = probe_descriptors(config->n_listeners, queued, 0);
	want = probe_descriptors(config->n_listeners, queued, PROBE_SLOTS_MAX);
	err = probe_raise(RLIMIT_NOFILE, want, &limit);
	if (err)
		return err;
	room = limit.rlim_cur > fixed ? limit.rlim_cur - fixed : 0;
	if (room < least * PROBE_SLOT_DESCRIPTORS) {
		snprintf(error, error_len,
			 "RLIMIT_NOFILE is %lu, but %lu are needed for the "
			 "routes' queues and %lu connections: raise it "
			 "(LimitNOFILE=, ulimit -n) or lower queue:",
			 (unsigned long)limit.rlim_cur,
			 (unsigned long)(fixed + least * PROBE_SLOT_DESCRIPTORS),
			 (unsigned long)least);
		return -EMFILE;
	}
	room /= PROBE_SLOT_DESCRIPTORS;
	*slots = room < PROBE_SLOTS_MAX ? (unsigned int)room : PROBE_SLOTS_MAX;
	return 0;
}

void process_lift_memory(void)
{
	struct rlimit limit;

	/* Too low or not: process_try() will see. */
	probe_raise(RLIMIT_MEMLOCK, RLIM_INFINITY, &limit);
}

int process_drop(uid_t uid, gid_t gid)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (geteuid())
		return 0;
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid))
		return -errno;
#ifdef __SANITIZE_ADDRESS__
	/* The leak check traces its own process, which a setuid forbids. */
	prctl(PR_SET_DUMPABLE, 1);
#endif
	return 0;
}

void process_environ(char *const all[], char *kept[PROCESS_ENVIRON_MAX])
{
	static const char *const names[] = {
		"LD_LIBRARY_PATH", "OPENSSL_CONF", "OPENSSL_MODULES",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "RES_OPTIONS", "LOCALDOMAIN",
		"TZ", "TZDIR", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS",
	};
	size_t i, j, len, n = 0;

	_Static_assert(sizeof(names) / sizeof(names[0]) < PROCESS_ENVIRON_MAX,
		       "there is room for all and NULL");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		len = strlen(names[i]);
		for (j = 0; all[j]; j++)
			if (!strncmp(all[j], names[i], len) &&
			    all[j][len] == '=')
				break;
		if (all[j])
			kept[n++] = all[j];
	}
	kept[n] = NULL;
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void process_keep(int *fds, size_t n)
{
	unsigned int next = STDERR_FILENO + 1;
	size_t i;

	qsort(fds, n, sizeof(*fds), compare);
	for (i = 0; i < n; i++) {
		/* Started without standard input, a socket can be 0. */
		if ((unsigned int)fds[i] < next)
			continue;
		if ((unsigned int)fds[i] > next)
			close_range(next, (unsigned int)fds[i] - 1, 0);
		next = (unsigned int)fds[i] + 1;
	}
	close_range(next, ~0u, 0);
}

int process_try(const struct config *config, char *error, size_t error_len)
{
	struct ring ring;
	int status, err;
	pid_t pid = fork();

	if (!pid) {
		err = process_drop(config->uid, config->gid);
		if (err)
			_exit(NO_USER | -err);
		_exit(-ring_init(&ring));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		err = -errno;
		snprintf(error, error_len, "%s", strerror(-err));
		return err;
	}
	/* A filter may kill instead of refusing. */
	status = WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
	err = -(status & ~NO_USER);
	if (status & NO_USER)
		snprintf(error, error_len, "cannot become %s: %s",
			 config->user, strerror(-err));
	else if (err)
		snprintf(error, error_len, "%s", uring_denied(err));
	return err;
}
