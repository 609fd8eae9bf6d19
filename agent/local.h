/* SPDX-License-Identifier: MIT */
/*
 * Unix sockets: listening at a path, who connects, and which socket is the
 * other end of which.
 */
#ifndef AGENT_LOCAL_H
#define AGENT_LOCAL_H

#include <stddef.h>
#include <sys/types.h>

/*
 * struct local_access - owner and mode of a socket's file
 * @user, @group: -1: as files that are made there have them
 */
struct local_access {
	uid_t user;
	gid_t group;
	mode_t mode;
};

/*
 * local_bind - a Unix socket at @path, which does not listen yet
 * @type:  SOCK_STREAM or SOCK_SEQPACKET, perhaps with SOCK_NONBLOCK
 * @error: gets a sentence about @path on failure
 * A file that a dead process left is replaced; one that somebody listens at
 * is not (-EADDRINUSE), nor is a file that is no socket. A missing last folder
 * is made. Nobody but @access can connect, at no moment.
 * Returns the descriptor (CLOEXEC) or -errno.
 */
int local_bind(const char *path, int type, const struct local_access *access,
	       char *error, size_t error_len);

/* local_listen - the same, listening and non-blocking */
int local_listen(const char *path, int type, const struct local_access *access,
		 char *error, size_t error_len);

/*
 * local_admit - another owner and mode for the socket at @path
 * Returns 0 or -errno of lchown(2) or chmod(2).
 */
int local_admit(const char *path, const struct local_access *access);

/*
 * local_accept - accept a connection, never waiting
 * Out of descriptors it hangs up on the next client instead: one that stayed in
 * the backlog would wake an event loop for ever, and clients try again.
 * Returns the descriptor (CLOEXEC, non-blocking) or -errno of accept4(2).
 */
int local_accept(int listener);

/*
 * local_close - close an end of a connection, without waiting
 * What its peer has sent and nobody read may hold descriptors whose last copy
 * this is, and of these close(2) closes even those that linger.
 */
void local_close(int fd);

/*
 * local_check_pair - are these the ends of a queue?
 * @a, @b: its read end, its write end
 * @error: gets why not
 * Returns 0 when they are SEQPACKET sockets, connected to each other, neither
 * is shut down (both not known when the kernel has no unix_diag to ask), and
 * nothing waits to be read at @b; or -EINVAL.
 */
int local_check_pair(int a, int b, char *error, size_t error_len);

#endif
