// SPDX-License-Identifier: MIT
#include "real.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

struct preload_real preload_real;

/* Twice at once does no harm: both find the same. */
void preload_load(void)
{
#define LOAD(type, name, ...) \
	*(void **)&preload_real.name = dlsym(RTLD_NEXT, #name);
	PRELOAD_FUNCTIONS(LOAD)
#undef LOAD
}

/* The linker turns libktls' calls of NAME into calls of __wrap_NAME. */
#define WRAP(type, name, parameters, arguments) \
	type __wrap_##name parameters;          \
	type __wrap_##name parameters           \
	{                                       \
		return real()->name arguments;  \
	}

WRAP(int, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(int, close, (int fd), (fd))
WRAP(int, getpeername, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
WRAP(int, getsockname, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
WRAP(int, getsockopt, (int fd, int l, int o, void *v, socklen_t *n),
     (fd, l, o, v, n))
WRAP(int, setsockopt, (int fd, int l, int o, const void *v, socklen_t n),
     (fd, l, o, v, n))
WRAP(int, shutdown, (int fd, int how), (fd, how))
WRAP(ssize_t, recv, (int fd, void *b, size_t n, int f), (fd, b, n, f))
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f))

/* Every command that libktls gives these two has an argument. */
WRAP(int, ioctl, (int fd, unsigned long request, void *arg), (fd, request, arg))
WRAP(int, fcntl, (int fd, int command, long arg), (fd, command, arg))
