// SPDX-License-Identifier: MIT
/*
 * A close_notify that there is no room for. TCP goes on sending what a closed
 * socket still holds; so that it can end as it should, a thread waits for room
 * in the server's stead, with a descriptor of its own. It is rare, and bounded.
 */
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "real.h"

#define LINGERING_MAX 256
#define WAIT_MS 60000

/* Their descriptors, 0 where none is: a child has copies, and no thread. */
static struct {
	_Atomic int fd;
	struct ktls_conn conn;
} lingering[LINGERING_MAX];

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void *wait_for_room(void *arg)
{
	struct ktls_conn *c = arg;
	struct pollfd p = {.fd = c->fd, .events = POLLOUT};
	const int64_t end = now_ms() + WAIT_MS;
	size_t i;

	while (now_ms() < end && poll(&p, 1, WAIT_MS) == 1)
		if (p.revents & (POLLERR | POLLHUP) ||
		    ktls_shutdown(c) != -EAGAIN)
			break;
	for (i = 0; &lingering[i].conn != c; i++)
		;
	real()->close(c->fd);
	lingering[i].fd = 0;
	return NULL;
}

static int start(struct ktls_conn *c)
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
	rc = pthread_create(&thread, &attr, wait_for_room, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -rc;
}

/* What cannot be done ends as a truncation, as it would have without. */
void preload_linger(int fd, const struct ktls_conn *c)
{
	int own = real()->fcntl(fd, F_DUPFD_CLOEXEC, 3), none;

	for (int i = 0; own >= 0 && i < LINGERING_MAX; i++) {
		none = 0;
		if (!atomic_compare_exchange_strong(&lingering[i].fd, &none,
						    own))
			continue;
		lingering[i].conn = *c;
		lingering[i].conn.fd = own;
		lingering[i].conn.rekey = NULL;
		if (!start(&lingering[i].conn))
			return;
		lingering[i].fd = 0;
		break;
	}
	if (own >= 0)
		real()->close(own);
}

void preload_linger_forked(void)
{
	for (int i = 0; i < LINGERING_MAX; i++) {
		if (lingering[i].fd)
			real()->close(lingering[i].fd);
		lingering[i].fd = 0;
	}
}
