// SPDX-License-Identifier: MIT
/*
 * A server that executes its successor takes the queue along, and the
 * environment that tells of it, of which nginx, for one, keeps nothing.
 */
#include "preload.h"

#include <alloca.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "program.h"
#include "real.h"

#define PATH_MAX_ 4096

extern char **environ;

static const char *own_path(void)
{
	static Dl_info info;

	return dladdr(&info, &info) ? info.dli_fname : NULL;
}

static bool names(const char *variable, const char *name)
{
	const size_t n = strlen(name);

	return !strncmp(variable, name, n) && variable[n] == '=';
}

/* Will what is executed have a queue? */
static bool takes_queue(void)
{
	if (preload_ours() && !preload_is_child)
		return true;
	for (int fd = 0; fd < table_end; fd++)
		if (table_listener(fd) &&
		    !(real()->fcntl(fd, F_GETFD) & FD_CLOEXEC))
			return true;
	return false;
}

/* By which ours survive, if they are to, and not if that came to nothing. */
static void keep_own(bool keep)
{
	for (int i = 0; i < preload.n; i++)
		if (preload.queues[i].fd >= 0)
			real()->fcntl(preload.queues[i].fd, F_SETFD,
				      keep ? 0 : FD_CLOEXEC);
}

/* @env with our two variables, in @to. */
static void with_ours(char *const *env, char *accept, char *load,
		      size_t load_len, const char **to)
{
	const char *path = own_path();
	const char *old = NULL;

	for (; *env; env++) {
		if (names(*env, "LD_PRELOAD"))
			old = *env + sizeof("LD_PRELOAD");
		else if (!names(*env, PRELOAD_ENV))
			*to++ = *env;
	}
	*to++ = accept;
	if (path && (!old || !strstr(old, path)))
		snprintf(load, load_len, "LD_PRELOAD=%s%s%s", path,
			 old && *old ? ":" : "", old ? old : "");
	else
		snprintf(load, load_len, "LD_PRELOAD=%s", old ? old : "");
	*to++ = load;
	*to = NULL;
}

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* The server itself may become only what the library can be in. */
static bool refused(const char *path)
{
	char why[512];

	if (!preload_ours() || preload_is_child ||
	    program_check(path, why, sizeof(why)) != -EACCES)
		return false;
	preload_say("%s", why);
	return true;
}

PRELOAD_EXPORT int execve(const char *path, char *const *argv, char *const *env)
{
	char *const none[] = {NULL};
	char accept[sizeof(PRELOAD_ENV) + PRELOAD_ENV_MAX] = PRELOAD_ENV "=";
	char load[PATH_MAX_];
	const char **ours;
	bool own;

	if (!preload_pid || !takes_queue())
		return real()->execve(path, argv, env);
	if (refused(path)) {
		errno = EACCES;
		return -1;
	}
	if (!env)
		env = none;
	ours = alloca((count(env) + 3) * sizeof(*ours));
	own = preload_ours() && !preload_is_child;
	preload_format(&preload, accept + sizeof(PRELOAD_ENV), PRELOAD_ENV_MAX);
	with_ours(env, accept, load, sizeof(load), ours);
	if (own)
		keep_own(true);
	real()->execve(path, argv, (char *const *)ours);
	if (own)
		keep_own(false);
	return -1;
}

PRELOAD_EXPORT int execv(const char *path, char *const *argv)
{
	return execve(path, argv, environ);
}

/* As execvp(3), for what is no script without a first line. */
PRELOAD_EXPORT int execvpe(const char *name, char *const *argv,
			   char *const *env)
{
	char path[PATH_MAX_];
	const int rc = program_find(name, path, sizeof(path));
	char **shell;
	size_t n;

	if (rc) {
		errno = -rc;
		return -1;
	}
	execve(path, argv, env);
	if (errno != ENOEXEC)
		return -1;
	n = count(argv);
	shell = alloca((n + 3) * sizeof(*shell));
	shell[0] = (char *)"/bin/sh";
	shell[1] = path;
	for (size_t i = 1; i <= n; i++)
		shell[i + 1] = argv[i];
	shell[n ? n + 1 : 2] = NULL;
	return execve("/bin/sh", shell, env);
}

PRELOAD_EXPORT int execvp(const char *name, char *const *argv)
{
	return execvpe(name, argv, environ);
}
