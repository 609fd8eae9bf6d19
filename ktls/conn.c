// SPDX-License-Identifier: MIT
/* What is sent, and the end of it. */
#include "ktls.h"

#include <errno.h>
#include <unistd.h>

#include <sys/sendfile.h>

#include "control.h"
#include "end.h"
#include "rekey.h"

/* Of sendfile(2): those that the kernel makes are longer, never shorter. */
#define PAGE 4096
#define RECORD 16384

ssize_t ktls_send(struct ktls_conn *c, const void *buf, size_t len, int flags)
{
	ssize_t n = ktls_rekey_before(c, flags);

	if (n)
		return n;
	n = send(c->fd, buf, len, flags | MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	ktls_rekey_count(c, n, RECORD);
	return n;
}

ssize_t ktls_writev(struct ktls_conn *c, const struct iovec *iov, int n_iov)
{
	const struct msghdr msg = {
		.msg_iov = (struct iovec *)iov,
		.msg_iovlen = n_iov,
	};
	ssize_t n;

	if (n_iov < 0)
		return -EINVAL;
	n = ktls_rekey_before(c, 0);
	if (n)
		return n;
	n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	ktls_rekey_count(c, n, RECORD);
	return n;
}

ssize_t ktls_sendfile(struct ktls_conn *c, int fd, off_t *offset, size_t count)
{
	ssize_t n = ktls_rekey_before(c, 0);

	if (n)
		return n;
	n = sendfile(c->fd, fd, offset, count);
	if (n < 0)
		return -errno;
	ktls_rekey_count(c, n, PAGE);
	return n;
}

static int close_direction(struct ktls_conn *c, int flags)
{
	int rc = 0;

	if (c->sent_close)
		return 0;
	if (c->mode == KTLS_RELAY) {
		rc = ktls_end_cleanly(c->fd);
	} else {
		if (c->mode == KTLS_KERNEL)
			rc = ktls_alert(c, KTLS_WARNING, KTLS_CLOSE_NOTIFY,
					flags);
		if (!rc && shutdown(c->fd, SHUT_WR))
			rc = -errno;
	}
	if (!rc)
		c->sent_close = 1;
	return rc;
}

int ktls_shutdown(struct ktls_conn *c)
{
	return close_direction(c, 0);
}

int ktls_release(struct ktls_conn *c)
{
	const int fd = c->fd;

	ktls_rekey_free(c->rekey);
	c->rekey = NULL;
	c->fd = -1;
	return fd;
}

void ktls_close(struct ktls_conn *c)
{
	close_direction(c, MSG_DONTWAIT);
	close(ktls_release(c));
}
