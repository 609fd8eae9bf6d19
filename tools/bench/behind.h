/* SPDX-License-Identifier: MIT */
/*
 * What stands behind servers, and servers that are part of this program:
 * processes, a function each for group_fork(), that do not return.
 */
#ifndef BENCH_BEHIND_H
#define BENCH_BEHIND_H

#include <stdbool.h>
#include <stdint.h>

#include "scratch.h"
#include "talk.h"
#include "tls_server.h"

/*
 * struct behind_seen - @taken: of them @relayed are not in kTLS, of ktlsd's
 * @taken_ns: when the last one was, CLOCK_MONOTONIC
 */
struct behind_seen {
	unsigned long taken, relayed;
	uint64_t taken_ns;
};

/*
 * struct behind
 * @path:  a route's handoff socket, to register at
 * @port:  where @path is NULL, to listen at, on 127.0.0.1
 * @fd:    of behind_fd(): a socket that descriptors come by
 * @keep:  connections, until the client ends them, and answer what they ask:
 *         see serve_run(). Without, each is closed at once
 * @tls, @key: for those that listen
 * @seen:  how many connections came; shared with whoever measures
 */
struct behind {
	const char *path;
	uint16_t port;
	int fd;
	bool keep;
	enum own_tls tls;
	enum bench_key key;
	volatile struct behind_seen *seen;
};

/*
 * serve_run - take connections, out of ktlsd's queue by libktls or at a port
 * One process, one epoll. Waits until ktlsd is there. Of HTTP/1.1 it knows, one
 * request for a connection:
 *   GET /bytes-N        the file of that name in scratch("www"), by sendfile(2);
 *                       with TLS_USER by SSL_write(3), 16 KiB each
 *   GET /write-R/bytes-N  the same by write(2), R bytes each
 *   PUT /put-N          takes N bytes, then answers
 */
void serve_run(void *behind);
/* behind_fd - of bare_loop's: take out of .fd, and close */
void behind_fd(void *behind);

/*
 * struct bare - a server that has nothing to do
 * @listener: of its clients
 * @out:      where it hands off to
 */
struct bare {
	int listener, out;
	struct flights flights;
};

/*
 * bare_loop - accept, recv and send as many bytes as a handshake has, hand off,
 * close: what no server that hands off can do without
 */
void bare_loop(void *bare);

/* A listening socket at 127.0.0.1, or die(). */
int behind_listen(uint16_t port);

#endif
