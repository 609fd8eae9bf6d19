/* SPDX-License-Identifier: MIT */
/*
 * What the daemon's tests share: counting descriptors, a place for files, and
 * processes that are somebody else.
 */
#ifndef TESTS_AGENT_CASE_H
#define TESTS_AGENT_CASE_H

#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef COUNT
#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#endif

/* An account that has no rights. */
#define CASE_NOBODY 65534

/* Descriptors that are open, without the one used for counting. */
static inline unsigned int case_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	cr_assert(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 3;	/* ".", ".." and the folder itself */
}

/* A folder of this test's own, made and removed. */
static inline void case_make_dir(char dir[32])
{
	strcpy(dir, "/tmp/test_agent.XXXXXX");
	cr_assert(mkdtemp(dir));
	cr_assert_eq(chmod(dir, 0755), 0);
}

/* @names: files and folders in it, ended by NULL, the deepest first */
static inline void case_remove_dir(const char *dir, const char *const *names)
{
	char path[128];

	for (; names && *names; names++) {
		snprintf(path, sizeof(path), "%s/%s", dir, *names);
		remove(path);
	}
	cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

/*
 * Runs @body in a process of its own and expects the status 0 from it; there
 * cr_assert() may not be used, hence CHECK().
 */
#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, \
				#condition); \
			_exit(1); \
		} \
	} while (0)

static inline void case_in_child(void (*body)(void))
{
	pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0);
	if (!pid) {
		body();
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "the child ended with status %x", status);
}

static inline bool case_readable(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, wait_ms) == 1;
}

/*
 * A TCP socket that the last close(2) waits for; *@silent, its other end, does
 * not read what was sent.
 */
#define CASE_LINGER_S 5
static inline int case_lingering(int *silent)
{
	static const struct linger on = { 1, CASE_LINGER_S };
	static const char full[65536];
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(listener, (void *)&addr, sizeof(addr)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, (void *)&addr, &len), 0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(connect(fd, (void *)&addr, sizeof(addr)), 0);
	*silent = accept(listener, NULL, NULL);
	close(listener);
	while (send(fd, full, sizeof(full), MSG_DONTWAIT) > 0)
		;
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &on, sizeof(on)), 0);
	return fd;
}

static inline bool case_is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

#endif
