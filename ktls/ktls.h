/* SPDX-License-Identifier: MIT */
/*
 * libktls - take TLS connections from ktlsd and use them
 *
 * ktlsd performs the handshake; this library receives the connected socket,
 * whose records the kernel encrypts (or which ktlsd relays; both behave alike
 * here). Protocol and threat model: handoff(7).
 *
 * A server's main process registers (ktls_register) and keeps the registration;
 * every process of it that serves takes connections (ktls_queue, ktls_accept).
 * No function logs, exits, or starts a thread. None may be used on one object
 * by two threads at once; different objects are independent. Functions that
 * return int give 0 or -errno, unless they say otherwise.
 */
#ifndef KTLS_H
#define KTLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define KTLS_API __attribute__((visibility("default")))

enum ktls_mode { KTLS_RELAY, KTLS_KERNEL };

/* Bytes, not a C string: no NUL at the end, and may be empty. */
struct ktls_bytes {
	const uint8_t *data;
	size_t len;
};

/*
 * struct ktls_info - what ktlsd tells about a connection
 * The bytes point into the queue object and stay until its next ktls_accept().
 */
struct ktls_info {
	struct sockaddr_storage peer;	/* the TLS client */
	struct sockaddr_storage local;	/* the address it connected to */
	enum ktls_mode mode;
	int resumed;			/* 1: abbreviated handshake */
	uint64_t handoff_ns;		/* CLOCK_MONOTONIC at the hand-off */
	struct ktls_bytes alpn;		/* "h2"; empty: none agreed */
	struct ktls_bytes server_name;	/* the SNI host name */
	struct ktls_bytes unique_id;
	struct ktls_bytes version;	/* "TLSv1.3" */
	struct ktls_bytes cipher;	/* "TLS_AES_128_GCM_SHA256" */
	struct ktls_bytes group;	/* "x25519" */
	struct ktls_bytes key_alg;	/* of our certificate: "EC256" */
	struct ktls_bytes cert_sig_alg;	/* that it is signed with: "SHA256" */
	struct ktls_bytes sig_scheme;	/* "ecdsa_secp256r1_sha256" */
};

/* A connection; the fields are for reading. */
struct ktls_conn {
	int fd;			/* blocking unless SOCK_NONBLOCK was asked for */
	enum ktls_mode mode;
	unsigned int alert;	/* last alert's description, RFC 8446 6 */
	unsigned int sent_close : 1, got_close : 1;
};

struct ktls_registration;
struct ktls_queue;

/*
 * ktls_register - connect to a route's socket and get its accept queue
 * @path: the route's `handoff` socket
 * @error, @error_len: gets a sentence when it fails, ktlsd's own if it refused
 * Waits for ktlsd's answer, for 5 s at most.
 * Returns 0 and *@reg, to be freed; -ENOENT, -ECONNREFUSED: no ktlsd there;
 * -EACCES: ktlsd refuses this user; -EPROTO: not ktlsd's, or another version;
 * -ETIMEDOUT; or -errno from socket(2), connect(2), recvmsg(2).
 */
KTLS_API int ktls_register(const char *path, struct ktls_registration **reg,
			   char *error, size_t error_len);
/* The queue's read end: poll it as a listening socket; owned by @reg. */
KTLS_API int ktls_registration_queue_fd(const struct ktls_registration *reg);
/*
 * An epoll descriptor, readable when ktls_registration_step() has work: ktlsd
 * went away or came back. Step never blocks; it registers again (every
 * 100 ms while ktlsd is away) and offers the same queue, so that queue_fd
 * never changes. Returns 0; -ENOTCONN while there is no ktlsd; or -errno.
 */
KTLS_API int ktls_registration_fd(const struct ktls_registration *reg);
KTLS_API int ktls_registration_step(struct ktls_registration *reg);
KTLS_API void ktls_registration_free(struct ktls_registration *reg);

/*
 * ktls_queue_new - an end of a queue to take connections from
 * @fd: its read end; borrowed, its flags are never changed
 * Returns NULL with errno set when out of memory or descriptors (it holds one
 * descriptor in reserve, so that a full table destroys no connection).
 */
KTLS_API struct ktls_queue *ktls_queue_new(int fd);
KTLS_API void ktls_queue_free(struct ktls_queue *q);
/*
 * ktls_accept - take one connection, never blocks
 * @flags: SOCK_NONBLOCK, SOCK_CLOEXEC, or 0
 * @info:  may be NULL
 * Returns 0; -EAGAIN: none waiting; -EMFILE, -ENFILE: no descriptor free,
 * nothing was taken; -EPROTO: a message that is not ktlsd's was dropped;
 * -ECONNABORTED: its descriptor was lost; -EPIPE: the queue was shut down.
 */
KTLS_API int ktls_accept(struct ktls_queue *q, struct ktls_conn *conn,
			 struct ktls_info *info, int flags);

/*
 * ktls_recv - receive application data
 * Returns bytes; 0: clean end (close_notify); -ECONNRESET: the stream was
 * cut off without one; -EPROTO: fatal alert, see @conn->alert; -EKEYEXPIRED:
 * the peer changed its key, which this connection cannot follow; -EBADMSG: a
 * record that does not decrypt; -EAGAIN, -EINTR and others from recvmsg(2).
 */
KTLS_API ssize_t ktls_recv(struct ktls_conn *conn, void *buf, size_t len);
/* As send(2) with MSG_NOSIGNAL, and sendfile(2): bytes sent or -errno. */
KTLS_API ssize_t ktls_send(struct ktls_conn *conn, const void *buf, size_t len,
			   int flags);
KTLS_API ssize_t ktls_sendfile(struct ktls_conn *conn, int fd, off_t *offset,
			       size_t count);
/*
 * ktls_shutdown - say close_notify and end our direction
 * Returns 0 or -EAGAIN on a full socket: call again when it is writable.
 */
KTLS_API int ktls_shutdown(struct ktls_conn *conn);
/* Sends close_notify if not yet sent (does not wait for room), then closes. */
KTLS_API void ktls_close(struct ktls_conn *conn);

#endif
