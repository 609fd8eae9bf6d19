// SPDX-License-Identifier: MIT
#include "ktls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/ioctl.h>

#include "descriptors.h"
#include "message.h"

struct ktls_queue {
	int fd;
	/*
	 * A descriptor only to be closed: at the limit recvmsg() would take a
	 * message and destroy the connection in it. -1 when it could not be
	 * had back; then nothing is received until it can.
	 */
	int reserve;
	unsigned int hold_ms;
	uint8_t msg[KTLS_MSG_MAX];
};

/* A duplicate needs a place in the table and nothing else. */
static int reserve(struct ktls_queue *q)
{
	q->reserve = fcntl(q->fd, F_DUPFD_CLOEXEC, 0);
	return q->reserve < 0 ? -errno : 0;
}

struct ktls_queue *ktls_queue_new(int fd, unsigned int hold_ms)
{
	struct ktls_queue *q = malloc(sizeof(*q));

	if (!q)
		return NULL;
	q->fd = fd;
	q->hold_ms = hold_ms;
	if (!reserve(q))
		return q;
	free(q);
	return NULL;
}

void ktls_queue_free(struct ktls_queue *q)
{
	if (!q)
		return;
	if (q->reserve >= 0)
		close(q->reserve);
	free(q);
}

/* Receives with the reserve given up for the time of the call. */
static ssize_t receive(struct ktls_queue *q, struct ktls_fds *fds, int flags)
{
	ssize_t len;
	int rc = q->reserve < 0 ? reserve(q) : 0;

	if (rc)
		return rc;
	close(q->reserve);
	q->reserve = -1;
	len = ktls_recv_fds(q->fd, q->msg, sizeof(q->msg), fds, flags);
	reserve(q);
	return len;
}

static bool waited_too_long(const struct ktls_queue *q, uint64_t handoff_ns)
{
	struct timespec now;
	uint64_t now_ns;

	if (!q->hold_ms)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
	return now_ns > handoff_ns &&
	       now_ns - handoff_ns > q->hold_ms * UINT64_C(1000000);
}

/* Takes one message. Returns 0 and *@fd, which is open, or -errno. */
static int take(struct ktls_queue *q, struct ktls_info *info, int *fd,
		int flags)
{
	struct ktls_fds fds;
	const ssize_t len = receive(q, &fds, flags);
	int rc = -EPROTO;

	if (len < 0)
		return len;
	if (!len && !fds.n)
		return -EPIPE;
	if (!fds.n && fds.truncated)
		return -ECONNABORTED;
	if (fds.n == 1 && !fds.truncated)
		rc = ktls_msg_decode(info, q->msg, len);
	if (rc)
		ktls_close_fds(&fds);
	else
		*fd = fds.fd[0];
	return rc;
}

int ktls_accept(struct ktls_queue *q, struct ktls_conn *c,
		struct ktls_info *info, int flags)
{
	const int cloexec = flags & SOCK_CLOEXEC ? MSG_CMSG_CLOEXEC : 0;
	struct ktls_info unused;
	int fd = -1, rc, on = 1;

	if (!info)
		info = &unused;
	while (!(rc = take(q, info, &fd, cloexec)) &&
	       waited_too_long(q, info->handoff_ns))
		close(fd);
	if (rc)
		return rc;
	if (flags & SOCK_NONBLOCK && ioctl(fd, FIONBIO, &on)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	*c = (struct ktls_conn){.fd = fd, .mode = info->mode};
	return 0;
}
