/* SPDX-License-Identifier: MIT */
/*
 * The C library's own functions, behind those that we define in their place.
 * What libktls itself calls gets there by the linker's --wrap (wrap.c).
 */
#ifndef PRELOAD_REAL_H
#define PRELOAD_REAL_H

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#define PRELOAD_FUNCTIONS(F)                                              \
	F(int, accept4, int, struct sockaddr *, socklen_t *, int)         \
	F(int, bind, int, const struct sockaddr *, socklen_t)             \
	F(int, listen, int, int)                                          \
	F(int, getsockname, int, struct sockaddr *, socklen_t *)          \
	F(int, getpeername, int, struct sockaddr *, socklen_t *)          \
	F(int, getsockopt, int, int, int, void *, socklen_t *)            \
	F(int, setsockopt, int, int, int, const void *, socklen_t)        \
	F(int, shutdown, int, int)                                        \
	F(ssize_t, read, int, void *, size_t)                             \
	F(ssize_t, readv, int, const struct iovec *, int)                 \
	F(ssize_t, recv, int, void *, size_t, int)                        \
	F(ssize_t, recvfrom, int, void *, size_t, int, struct sockaddr *, \
	  socklen_t *)                                                    \
	F(ssize_t, recvmsg, int, struct msghdr *, int)                    \
	F(int, recvmmsg, int, struct mmsghdr *, unsigned int, int,        \
	  struct timespec *)                                              \
	F(ssize_t, sendmsg, int, const struct msghdr *, int)              \
	F(ssize_t, splice, int, off64_t *, int, off64_t *, size_t,        \
	  unsigned int)                                                   \
	F(int, ioctl, int, unsigned long, ...)                            \
	F(int, fcntl, int, int, ...)                                      \
	F(int, fclose, FILE *)                                            \
	F(int, close, int)                                                \
	F(int, close_range, unsigned int, unsigned int, int)              \
	F(int, dup, int)                                                  \
	F(int, dup2, int, int)                                            \
	F(int, dup3, int, int, int)                                       \
	F(int, epoll_ctl, int, int, int, struct epoll_event *)            \
	F(long, syscall, long, ...)                                       \
	F(int, execve, const char *, char *const *, char *const *)

#define PRELOAD_POINTER(type, name, ...) type (*name)(__VA_ARGS__);
struct preload_real {
	PRELOAD_FUNCTIONS(PRELOAD_POINTER)
};
#undef PRELOAD_POINTER

extern struct preload_real preload_real;
void preload_load(void);

/* Other libraries' constructors may call before ours has run. */
static inline const struct preload_real *real(void)
{
	if (__builtin_expect(!preload_real.execve, 0))
		preload_load();
	return &preload_real;
}

/* What others are to see of us. */
#define PRELOAD_EXPORT __attribute__((visibility("default")))

#endif
