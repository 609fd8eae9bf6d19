/* SPDX-License-Identifier: MIT */
/* An HTTP answer, proper or not, on a blocking socket. */
#ifndef REPLY_H
#define REPLY_H

#include "mode.h"

/*
 * struct reply
 * @status:    of the answer; redirects have their own
 * @host:      the request's Host, for redirects
 * @hop:       how often this request was redirected
 * @path:      of the request, without the hops
 * @last:      called before the client has all that it waits for
 */
struct reply {
	int fd, status;
	const struct mode *mode;
	const uint8_t *body;
	size_t body_len;
	const char *host, *path;
	int hop;
	void (*last)(void *arg);
	void *arg;
};

/* Returns when the answer is out, or the client is gone. Does not close. */
void reply_send(const struct reply *r);
/*
 * A redirected path has "/WORD/HOP" in front: takes it off, sets @hop and the
 * shape. Returns the rest.
 */
const char *reply_path(const char *path, enum shape *shape, int *hop);
/* Close in a way that lets the client read everything. */
void reply_close(int fd);

#endif
