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
#include "rekey.h"

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

static bool waited_too_long(uint64_t handoff_ns, unsigned int hold_ms)
{
	struct timespec now;
	uint64_t now_ns;

	if (!hold_ms)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
	return now_ns > handoff_ns &&
	       now_ns - handoff_ns > hold_ms * UINT64_C(1000000);
}

static int set_flags(int fd, int flags)
{
	int on = 1;

	if (flags & SOCK_NONBLOCK && ioctl(fd, FIONBIO, &on))
		return -errno;
	if (flags & SOCK_CLOEXEC && fcntl(fd, F_SETFD, FD_CLOEXEC))
		return -errno;
	return 0;
}

/* Copies the secrets, for nobody else: the message keeps none. */
static int take_secrets(struct ktls_conn *c, struct ktls_msg_secrets *secrets)
{
	if (!secrets->rx.len)
		return 0;
	c->rekey = ktls_rekey_new(secrets->rx, secrets->tx);
	explicit_bzero((void *)secrets->rx.data, secrets->rx.len);
	explicit_bzero((void *)secrets->tx.data, secrets->tx.len);
	return c->rekey ? 0 : -ENOMEM;
}

/* Makes a connection of one descriptor; on failure it is still open. */
static int make_conn(struct ktls_conn *c, int fd, struct ktls_info *info,
		     uint8_t *msg, size_t len, unsigned int hold_ms, int flags)
{
	struct ktls_msg_secrets secrets;
	int rc = ktls_msg_decode(info, &secrets, msg, len);

	if (rc) {
		explicit_bzero(msg, len);
		return rc;
	}
	*c = (struct ktls_conn){.fd = fd, .mode = info->mode};
	rc = take_secrets(c, &secrets);
	if (!rc && waited_too_long(info->handoff_ns, hold_ms))
		rc = -ETIMEDOUT;
	if (!rc)
		rc = set_flags(fd, flags);
	if (rc) {
		ktls_rekey_free(c->rekey);
		c->rekey = NULL;
	}
	return rc;
}

/* What came with a message of @len bytes is a connection, or closed. */
static int judge(struct ktls_fds *fds, uint8_t *msg, ssize_t len,
		 unsigned int hold_ms, struct ktls_conn *c,
		 struct ktls_info *info, int flags)
{
	struct ktls_info unused;
	int rc = -EPROTO;

	if (!len && !fds->n)
		return -EPIPE;
	if (!fds->n && fds->truncated)
		rc = -ECONNABORTED;
	else if (fds->n == 1 && !fds->truncated)
		rc = make_conn(c, fds->fd[0], info ? info : &unused, msg, len,
			       hold_ms, flags);
	if (!rc)
		return 0;
	if (rc != -ETIMEDOUT)
		explicit_bzero(msg, len);
	ktls_close_fds(fds);
	return rc;
}

int ktls_accept_msg(struct msghdr *msg, ssize_t res, unsigned int hold_ms,
		    struct ktls_conn *c, struct ktls_info *info, int flags)
{
	struct ktls_fds fds;

	if (res < 0)
		return res;
	ktls_collect_fds(msg, &fds);
	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) {
		ktls_close_fds(&fds);
		return -EINVAL;
	}
	/* With MSG_TRUNC it is how long the message was. */
	if ((size_t)res > msg->msg_iov->iov_len)
		res = msg->msg_iov->iov_len;
	return judge(&fds, msg->msg_iov->iov_base, res, hold_ms, c, info,
		     flags);
}

int ktls_accept(struct ktls_queue *q, struct ktls_conn *c,
		struct ktls_info *info, int flags)
{
	const int cloexec = flags & SOCK_CLOEXEC ? MSG_CMSG_CLOEXEC : 0;
	struct ktls_fds fds;
	ssize_t len;
	int rc;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	do {
		len = receive(q, &fds, cloexec);
		if (len < 0)
			return len;
		rc = judge(&fds, q->msg, len, q->hold_ms, c, info,
			   flags & SOCK_NONBLOCK);
	} while (rc == -ETIMEDOUT);
	return rc;
}
