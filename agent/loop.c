/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

int loop_new(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int loop_add(int loop, struct watch *w)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = w };

	return epoll_ctl(loop, EPOLL_CTL_ADD, w->fd, &ev) ? -errno : 0;
}

void loop_remove(int loop, struct watch *w)
{
	epoll_ctl(loop, EPOLL_CTL_DEL, w->fd, NULL);
}

void loop_want(int loop, struct watch *w, unsigned int want)
{
	struct epoll_event ev = { .data.ptr = w };

	if (want & LOOP_READ)
		ev.events |= EPOLLIN;
	if (want & LOOP_WRITE)
		ev.events |= EPOLLOUT;
	epoll_ctl(loop, EPOLL_CTL_MOD, w->fd, &ev);
}

int loop_wait(int loop, int timeout_ms)
{
	struct epoll_event ev;
	struct watch *w;
	int n = epoll_wait(loop, &ev, 1, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n) {
		w = ev.data.ptr;
		w->ready(w);
	}
	return 0;
}

uint64_t loop_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
