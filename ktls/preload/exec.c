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
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "program.h"
#include "real.h"

#define PATH_MAX_ 4096
#define LOAD_MAX 8192

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

static void keep_one(int fd, bool keep)
{
	if (fd >= 0)
		real()->fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

/*
 * By which ours survive, if they are to, and not if that came to nothing. What a
 * child executes may be the server, and has to report: a script's, for example.
 */
static void keep_own(bool keep)
{
	const bool own = preload_ours() && !preload_is_child;

	for (int i = 0; own && i < preload.n; i++)
		keep_one(preload.queues[i].fd, keep);
	keep_one(preload.report_fd, keep);
}

/* Our library first, and once. 0 or -errno. */
static int put_load(const char *old, char *load, size_t len)
{
	const char *path = own_path(), *colon = "";

	if (!path)
		return -ENOENT;
	if (old && !strncmp(old, path, strlen(path)) &&
	    strchr(": ", old[strlen(path)]))
		path = "";
	else if (old)
		colon = ":";
	return snprintf(load, len, "LD_PRELOAD=%s%s%s", path, colon,
			old ? old : "") < (int)len ?
		       0 :
		       -E2BIG;
}

/* @env with our two variables, in @to. 0 or -errno. */
static int with_ours(char *const *env, char *accept, char *load,
		     size_t load_len, const char **to)
{
	const char *old = NULL;

	for (; *env; env++) {
		if (names(*env, "LD_PRELOAD"))
			old = *env + sizeof("LD_PRELOAD");
		else if (!names(*env, PRELOAD_ENV))
			*to++ = *env;
	}
	*to++ = accept;
	*to++ = load;
	*to = NULL;
	return put_load(old, load, load_len);
}

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/*
 * The server itself may become only what the library can be in, and what that is
 * has to be seen.
 */
static int check_program(const char *path)
{
	char why[512] = "";
	int rc;

	if (!preload_ours() || preload_is_child)
		return 0;
	rc = program_check(path, why, sizeof(why));
	if (*why)
		preload_say("%s", why);
	return rc;
}

static int execute(const char *path, char *const *argv, char *const *env)
{
	char accept[sizeof(PRELOAD_ENV) + PRELOAD_ENV_MAX] = PRELOAD_ENV "=";
	char load[LOAD_MAX];
	const char **ours = alloca((count(env) + 3) * sizeof(*ours));
	int rc = check_program(path);

	if (!rc)
		rc = preload_format(&preload, accept + sizeof(PRELOAD_ENV),
				    PRELOAD_ENV_MAX);
	if (!rc)
		rc = with_ours(env, accept, load, sizeof(load), ours);
	if (rc)
		return rc;
	keep_own(true);
	real()->execve(path, argv, (char *const *)ours);
	rc = -errno;
	keep_own(false);
	return rc;
}

PRELOAD_EXPORT int execve(const char *path, char *const *argv, char *const *env)
{
	char *const none[] = {NULL};

	if (!preload_pid || !takes_queue())
		return real()->execve(path, argv, env);
	errno = -execute(path, argv, env ? env : none);
	return -1;
}

PRELOAD_EXPORT int fexecve(int fd, char *const *argv, char *const *env)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return execve(path, argv, env);
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

/* Of a list of arguments: how many, its NULL too; then @argv and what follows. */
static size_t list_len(const char *first, va_list args)
{
	size_t n = 1;

	while (first && va_arg(args, char *))
		n++;
	return n + !!first;
}

#define TAKE_LIST(first, args, argv)                     \
	({                                               \
		size_t n_;                               \
		va_start(args, first);                   \
		n_ = list_len(first, args);              \
		va_end(args);                            \
		argv = alloca(n_ * sizeof(*argv));       \
		argv[0] = (char *)first;                 \
		va_start(args, first);                   \
		for (size_t i_ = 1; i_ < n_; i_++)       \
			argv[i_] = va_arg(args, char *); \
	})

PRELOAD_EXPORT int execl(const char *path, const char *first, ...)
{
	va_list args;
	char **argv;

	TAKE_LIST(first, args, argv);
	va_end(args);
	return execv(path, argv);
}

PRELOAD_EXPORT int execlp(const char *name, const char *first, ...)
{
	va_list args;
	char **argv;

	TAKE_LIST(first, args, argv);
	va_end(args);
	return execvp(name, argv);
}

PRELOAD_EXPORT int execle(const char *path, const char *first, ...)
{
	va_list args;
	char **argv, **env;

	TAKE_LIST(first, args, argv);
	env = va_arg(args, char **);
	va_end(args);
	return execve(path, argv, env);
}
