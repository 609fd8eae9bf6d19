/* SPDX-License-Identifier: MIT */
/*
 * Pipes to splice through. A direction has one only while there are bytes in
 * it, so that a few serve thousands of connections; for the kernel allows an
 * account 1,024 of full size (pipe-user-pages-soft).
 */
#ifndef AGENT_PROXY_PIPES_H
#define AGENT_PROXY_PIPES_H

#include <stddef.h>

/* What one holds, in bytes, if each page is full. */
#define PIPE_BYTES (64 * 1024)

/* struct pipe - @in: where bytes go in; @len: how many there are */
struct pipe {
	struct pipe *next;
	int in, out;
	size_t len;
};

/* struct pipes - zeroed but for @max, how many there may be at a time */
struct pipes {
	struct pipe *idle;
	unsigned int n, n_idle, max;
};

/* pipes_get - an empty one; NULL: there are too many, or no descriptors */
struct pipe *pipes_get(struct pipes *pipes);
/* pipes_put - takes NULL; one that is not empty is closed */
void pipes_put(struct pipes *pipes, struct pipe *pipe);
void pipes_fini(struct pipes *pipes);

#endif
