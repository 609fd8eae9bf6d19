// SPDX-License-Identifier: MIT
/* Recognising what we have not made: after exec, and from other processes. */
#include "preload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/tls.h>
#include <sys/stat.h>

#include "real.h"

#define OWN_FIRST 64 /* out of the way of those that count from 3 on */

static pthread_mutex_t own_lock = PTHREAD_MUTEX_INITIALIZER;

void preload_lock(void)
{
	pthread_mutex_lock(&own_lock);
}

void preload_unlock(void)
{
	pthread_mutex_unlock(&own_lock);
}

void preload_known_forked(void)
{
	pthread_mutex_init(&own_lock, NULL);
}

int preload_own(int fd, _Atomic int *place)
{
	struct entry *e = table_new(ENTRY_OWN);
	int own;

	if (!e)
		return -ENOMEM;
	own = real()->fcntl(fd, F_DUPFD_CLOEXEC, OWN_FIRST);
	if (own < 0)
		own = real()->fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own >= 0 && own < TABLE_FDS) {
		e->own = place;
		*place = own;
		table_set(own, e);
		return 0;
	}
	table_unref(e);
	if (own >= 0)
		real()->close(own);
	return own < 0 ? -errno : -EMFILE;
}

static _Atomic int *place_of(int fd)
{
	const struct entry *e = table_get(fd);

	return e && e->kind == ENTRY_OWN ? e->own : NULL;
}

bool preload_is_own(int fd)
{
	return place_of(fd) && preload_ours();
}

int preload_move_own(int fd)
{
	_Atomic int *place;
	int rc = 0;

	preload_lock();
	place = place_of(fd);
	if (place)
		rc = preload_own(fd, place);
	if (place && !rc)
		table_set(fd, NULL);
	preload_unlock();
	return rc;
}

void preload_disown(_Atomic int *place)
{
	const int own = *place;

	/* A thread may have put something else there in the same moment. */
	if (place_of(own) != place)
		return;
	table_set(own, NULL);
	real()->close(own);
}

static int option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value;

	return real()->getsockopt(fd, SOL_SOCKET, name, &value, &len) ? -1 :
									value;
}

/* Which queue is it, or -1? A number of ours may name another's socket. */
static int queue_of(int fd, ino_t ino)
{
	for (int i = 0; i < preload.n; i++)
		if (preload.queues[i].ino == ino &&
		    option(fd, SO_TYPE) == SOCK_SEQPACKET)
			return i;
	return -1;
}

static void add_queue(int fd, int i)
{
	struct preload_queue *q = &preload.queues[i];
	struct entry *e = preload_add_listener(fd, i, &q->bound);

	if (!e)
		return;
	e->listening = true;
	e->bound = q->bound.any.sa_family;
	e->nonblocking = q->nonblocking;
	if (q->fd < 0)
		preload_own(fd, &q->fd);
}

/*
 * A connection in kTLS, as the kernel says. Others may have it, too: only an
 * explicit shutdown(2) says close_notify.
 */
static void add_conn(int fd, const struct stat *st)
{
	struct tls_crypto_info info;
	socklen_t len = sizeof(info);
	struct entry *e;

	if (option(fd, SO_TYPE) != SOCK_STREAM ||
	    real()->getsockopt(fd, SOL_TLS, TLS_RX, &info, &len))
		return;
	e = table_new(ENTRY_CONN);
	if (!e)
		return;
	e->conn = (struct ktls_conn){.fd = fd, .mode = KTLS_KERNEL};
	e->forks = -1;
	e->dev = st->st_dev;
	e->ino = st->st_ino;
	table_set(fd, e);
}

void preload_take_own(struct preload_queue *q)
{
	const int fd = q->fd;
	struct entry *e = NULL;
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && st.st_ino == q->ino &&
	    queue_of(fd, st.st_ino) >= 0)
		e = table_new(ENTRY_OWN);
	q->fd = e ? fd : -1;
	if (!e)
		return;
	e->own = &q->fd;
	real()->fcntl(fd, F_SETFD, FD_CLOEXEC);
	table_set(fd, e);
}

void preload_recognise(int fd)
{
	const struct entry *e = table_get(fd);
	struct stat st;
	int i;

	/* A connection's may be left over from another file. */
	if (e && (e->kind != ENTRY_CONN || preload_is_same(e, fd)))
		return;
	if (fd < 0 || fd >= TABLE_FDS || fstat(fd, &st) ||
	    !S_ISSOCK(st.st_mode))
		return;
	i = queue_of(fd, st.st_ino);
	if (i >= 0)
		add_queue(fd, i);
	else
		add_conn(fd, &st);
}

static void for_each(const struct msghdr *msg, void (*look)(int fd))
{
	struct cmsghdr *c;
	size_t n;
	int fd;

	for (c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR((struct msghdr *)msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			look(fd);
		}
	}
}

void preload_received(const struct msghdr *msg)
{
	for_each(msg, preload_recognise);
}

/* Whoever gets it goes on with it: our close(2) is not its end. */
static void give_away(int fd)
{
	struct entry *e = table_conn(fd);

	if (e)
		e->forks = -1;
}

PRELOAD_EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	const ssize_t n = real()->sendmsg(fd, msg, flags);

	if (n >= 0 && msg->msg_controllen && preload_pid)
		for_each(msg, give_away);
	return n;
}
