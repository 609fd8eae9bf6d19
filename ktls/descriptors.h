/* SPDX-License-Identifier: MIT */
/* Descriptors in messages of a Unix socket (SCM_RIGHTS, unix(7)). */
#ifndef KTLS_DESCRIPTORS_H
#define KTLS_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "ktls.h"

/* A message never has more: the kernel's SCM_MAX_FD. */
#define KTLS_FDS_MAX 253

/*
 * Those of a message, for which KTLS_CONTROL_MAX bytes are room enough, with
 * what SO_PASSCRED and its like add.
 * @truncated: the message, its descriptors or both came in part only
 * @controls:  something came beside the data, descriptors or not
 */
struct ktls_fds {
	size_t n;
	bool truncated, controls;
	int fd[KTLS_FDS_MAX];
};

/*
 * ktls_recv_fds - receive one message, never blocks
 * @fds:   gets every descriptor that came, expected or not; the caller closes
 * @flags: MSG_CMSG_CLOEXEC or 0
 * Returns the message's length, or -errno and no descriptor.
 */
ssize_t ktls_recv_fds(int sock, void *buf, size_t len, struct ktls_fds *fds,
		      int flags);

/* ktls_collect_fds - the same out of what another's recvmsg(2) has left */
void ktls_collect_fds(struct msghdr *msg, struct ktls_fds *fds);

/*
 * ktls_send_fds - send one message, never blocks
 * @n: how many descriptors of @fd go with it, 2 at most; they stay open here
 * Returns 0 or -errno.
 */
int ktls_send_fds(int sock, const void *buf, size_t len, const int *fd,
		  size_t n);

/*
 * ktls_close_fds - close them all, without waiting
 * Whoever sent a TCP socket may have set SO_LINGER, with which the last close()
 * waits for the peer: it is switched off.
 */
void ktls_close_fds(struct ktls_fds *fds);
/*
 * The same for what came with another's recvmsg(2), that had KTLS_CONTROL_MAX
 * bytes of room and did not fail.
 */
void ktls_close_control(struct msghdr *msg);

#endif
