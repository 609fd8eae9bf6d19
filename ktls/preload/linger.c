// SPDX-License-Identifier: MIT
/*
 * A close_notify that there is no room for. TCP goes on sending what a closed
 * socket still holds; so that it can end as it should, a thread waits for room
 * in the server's stead, with a descriptor of its own. It is rare, and bounded.
 */
#include "preload.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "real.h"

#define LINGERING_MAX 256
#define WAIT_MS 60000

/* @fd: 0 where none is. A child has copies, and no thread. */
static struct lingering {
	_Atomic int fd;
	struct ktls_conn conn;
} lingering[LINGERING_MAX];

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void end(struct lingering *l)
{
	preload_lock();
	preload_disown(&l->fd);
	l->fd = 0;
	preload_unlock();
}

static void *wait_for_room(void *arg)
{
	struct lingering *l = arg;
	struct pollfd p = {.fd = l->fd, .events = POLLOUT};
	const int64_t until = now_ms() + WAIT_MS;

	while (now_ms() < until && poll(&p, 1, WAIT_MS) == 1) {
		p.fd = l->conn.fd = l->fd;
		if (p.revents & (POLLERR | POLLHUP | POLLNVAL) ||
		    ktls_shutdown(&l->conn) != -EAGAIN)
			break;
	}
	end(l);
	return NULL;
}

static int start(struct lingering *l)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int rc;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 65536 + PTHREAD_STACK_MIN);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&thread, &attr, wait_for_room, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -rc;
}

static struct lingering *take_place(void)
{
	int none;

	for (int i = 0; i < LINGERING_MAX; i++) {
		none = 0;
		if (atomic_compare_exchange_strong(&lingering[i].fd, &none, -1))
			return &lingering[i];
	}
	return NULL;
}

/* What cannot be done ends as a truncation, as it would have without. */
void preload_linger(int fd, const struct ktls_conn *c)
{
	struct lingering *l = take_place();

	if (!l)
		return;
	preload_lock();
	if (preload_own(fd, &l->fd))
		l->fd = 0;
	preload_unlock();
	if (!l->fd)
		return;
	l->conn = *c;
	l->conn.rekey = NULL;
	if (start(l))
		end(l);
}

void preload_linger_forked(void)
{
	for (int i = 0; i < LINGERING_MAX; i++) {
		if (lingering[i].fd > 0)
			end(&lingering[i]);
		lingering[i].fd = 0;
	}
}
