/* SPDX-License-Identifier: MIT */
/*
 * The registration's two messages on the wire; see handoff(7).
 */
#ifndef AGENT_HELLO_H
#define AGENT_HELLO_H

#include <sys/types.h>

#include "ktls/register.h"

/*
 * hello_recv - read what a consumer says, never blocks
 * @fds:   gets an offer's descriptors, {read end, write end}, the caller's
 * @n_fds: gets 0 or 2; any other number is closed and an error
 * Returns the message's bytes, 0 at the end, -EPROTO, or -errno of recvmsg(2).
 */
ssize_t hello_recv(int fd, struct ktls_hello *hello, int fds[2], int *n_fds);

/*
 * hello_answer - answer, and give the queue's ends along
 * @flags: KTLS_REG_IPV6 or 0
 * @fds:   {read end, write end}, borrowed, or NULL
 * Never waits. Returns 0, or -errno of sendmsg(2): it heard nothing.
 */
int hello_answer(int fd, enum ktls_reg_status status, const char *text,
		 unsigned int hold_ms, uint32_t flags, const int *fds);

#endif
