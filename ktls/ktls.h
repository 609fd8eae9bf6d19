/* SPDX-License-Identifier: MIT */
/*
 * libktls - take TLS connections from ktlsd and use them
 *
 * ktlsd performs the handshake; this library receives the connected socket,
 * whose records the kernel encrypts (or which ktlsd relays; both behave alike
 * here). Protocol and threat model: handoff(7). A server's main process
 * registers and keeps the registration; each of its processes that serves takes
 * connections. Nothing here logs, exits, or starts a thread. No object may be
 * used by two threads at once; different objects are independent. What returns
 * int gives 0 or -errno, unless it says else.
 */
#ifndef KTLS_H
#define KTLS_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)
/* PLAIN: of a route with tls: passthrough. The ClientHello is still unread, TLS
 * is the consumer's to speak: the calls below are recv(2), send(2), ... then. */
enum ktls_mode { KTLS_RELAY, KTLS_KERNEL, KTLS_PLAIN };
/* Bytes, not a C string: no NUL at the end, and may be empty. */
struct ktls_bytes {
	const uint8_t *data;
	size_t len;
};

/* What ktlsd tells about a connection; bytes stay until the next accept. */
struct ktls_info {
	struct sockaddr_storage peer;	/* the TLS client */
	struct sockaddr_storage local;	/* the address it connected to */
	enum ktls_mode mode;
	int resumed;			/* 1: abbreviated handshake */
	uint64_t handoff_ns;		/* CLOCK_MONOTONIC at the hand-off */
	struct ktls_bytes alpn;		/* "h2"; empty: none agreed. PLAIN: the
					 * only one that the client offers */
	struct ktls_bytes server_name;	/* the SNI host name */
	/* Where the route asks for it, see tell in ktlsd.conf(5); else empty. */
	struct ktls_bytes exporter;	/* 32 bytes, tls-exporter (RFC 9266) */
	struct ktls_bytes end_point;	/* tls-server-end-point (RFC 5929 4) */
	struct ktls_bytes ja4;		/* 36 characters, of the ClientHello */
	/* What was agreed on. */
	struct ktls_bytes unique_id, version; /* version: "TLSv1.3" */
	struct ktls_bytes cipher;	/* "TLS_AES_128_GCM_SHA256" */
	struct ktls_bytes group, sig_scheme; /* "x25519", "ed25519" */
	struct ktls_bytes key_alg;	/* our certificate's: "EC256" */
	struct ktls_bytes cert_sig_alg;	/* that it is signed with: "SHA256" */
	/* The client's certificate; without a verified one all of it is empty. */
	int client_verified;		/* 1: ktlsd has checked it, and lets it in */
	struct ktls_bytes client_cn;	/* UTF-8 */
	struct ktls_bytes client_subject; /* RFC 4514: "CN=bob,O=Example" */
	struct ktls_bytes client_sans;	/* "dns:a", "uri:b", "email:c", "ip:d",
					 * a NUL behind each */
	struct ktls_bytes client_sha256; /* 32 bytes, of the certificate */
	struct ktls_bytes client_cert;	/* DER, where the route asks for it */
};

/*
 * A connection; the fields are for reading. It may be moved to another place,
 * but has one owner, who ends it by ktls_close() or ktls_release().
 */
struct ktls_conn {
	int fd;			/* blocking unless SOCK_NONBLOCK was asked for */
	enum ktls_mode mode;
	unsigned int alert;	/* last alert's description, RFC 8446 6 */
	unsigned int sent_close : 1, got_close : 1; /* sent: or a fatal alert */
	struct ktls_rekey *rekey; /* secrets for KeyUpdate; NULL: none came */
};

/*
 * ktls_register - connect to a route's `handoff` socket and get its queue
 * @error, @error_len: gets a sentence when it fails, ktlsd's own if it refused
 * Waits 5 s at most. Returns 0 and *@reg, to be freed; -ENOENT, -ECONNREFUSED:
 * no ktlsd there; -EACCES: it refuses this user; -EPROTO: not ktlsd's, or
 * another version; -ENOBUFS: it is out of something; -ETIMEDOUT; or -errno.
 */
struct ktls_registration;
int ktls_register(const char *path, struct ktls_registration **reg, char *error,
		  size_t error_len);
/*
 * ktls_register_later - the same without waiting, and without ktlsd
 * Makes a queue of its own, which ktlsd is offered by ktls_registration_step(),
 * now or when it comes. Returns 0 and *@reg, whose queue can be used at once;
 * -ENAMETOOLONG, -ENOMEM, -EMFILE or -ENFILE.
 */
int ktls_register_later(const char *path, struct ktls_registration **reg);
/*
 * For ktls_queue_new(): the queue's read end, still @reg's, and hold_ms, which
 * is 0 until ktlsd has said it, at the first registration.
 */
int ktls_registration_queue_fd(const struct ktls_registration *reg);
unsigned int ktls_registration_hold_ms(const struct ktls_registration *reg);
/*
 * 1: a client that comes may have an IPv6 address, one that is not IPv4's
 * mapped into it: ktlsd listens on IPv6 for this route, or load balancers say
 * where clients come from. So ktlsd's configuration was when it registered us
 * last; 0: it was not, or a ktlsd that does not say it, or none has yet.
 */
int ktls_registration_ipv6(const struct ktls_registration *reg);
/* Why step failed last, a sentence, ktlsd's own if it refused; "": never. */
const char *ktls_registration_error(const struct ktls_registration *reg);
/*
 * An epoll descriptor, readable when ktls_registration_step() has work: ktlsd
 * went away or came back. Step never blocks; it registers again (every 100 ms
 * while there is no ktlsd) and offers the same queue, so that queue_fd never
 * changes. Returns 0; -ENOTCONN while there is no ktlsd; -ESTALE: the queue was
 * shut down, start anew; or why ktlsd refused, as ktls_register().
 */
int ktls_registration_fd(const struct ktls_registration *reg);
int ktls_registration_step(struct ktls_registration *reg);
/* Ends the registration and closes the queue; takes NULL. */
void ktls_registration_free(struct ktls_registration *reg);
/*
 * For each forked child, first thing: one that keeps its copy of a registration
 * hides its parent's death from ktlsd. Closes this process's copies, frees @reg
 * and returns queue_fd, open and now the caller's. The parent stays registered.
 * In the parent itself it ends the registration and leaves the queue, to be
 * emptied: handoff(7), Coming and going.
 */
int ktls_registration_detach(struct ktls_registration *reg);

/*
 * ktls_queue_new - an end of a queue to take connections from
 * @fd:      its read end; borrowed, flags never changed. Readable: accept
 * @hold_ms: ktls_accept() closes connections that waited longer; 0: none
 * Returns NULL with errno set when out of memory or descriptors: it holds one
 * in reserve, so that a full table destroys no connection.
 */
struct ktls_queue *ktls_queue_new(int fd, unsigned int hold_ms);
void ktls_queue_free(struct ktls_queue *q);
/*
 * ktls_accept - take one connection, never blocks; @info may be NULL
 * @flags: SOCK_NONBLOCK, SOCK_CLOEXEC, or 0
 * Returns 0; -EAGAIN: none waiting; -EMFILE: no descriptor free, nothing was
 * taken; -EPROTO: a message that is not ktlsd's was dropped; -ECONNABORTED:
 * its descriptor was lost; -EPIPE: the queue was shut down; -ENOMEM: it was
 * closed for want of memory; -EINVAL: @flags.
 */
int ktls_accept(struct ktls_queue *q, struct ktls_conn *c,
		struct ktls_info *info, int flags);

/*
 * ktls_accept_msg - judge a message that the caller took out of the queue
 * @msg: as recvmsg(2) or IORING_OP_RECVMSG left it: one iovec, of KTLS_MSG_MAX
 *       bytes or more, and KTLS_CONTROL_MAX bytes or more of control data,
 *       aligned as a cmsghdr; better received with MSG_CMSG_CLOEXEC than set by
 *       @flags. @info points into it; secrets in it are wiped
 * @res: what that returned: bytes or -errno
 * @hold_ms: as of ktls_queue_new()
 * Whoever receives so needs a descriptor in reserve, as ktls_queue has, or
 * loses connections when the table is full: see handoff(7).
 * Returns as ktls_accept(), or -ETIMEDOUT: it waited longer than @hold_ms.
 * After an error every descriptor that came has been closed.
 */
#define KTLS_MSG_MAX 16384
#define KTLS_CONTROL_MAX 1536
int ktls_accept_msg(struct msghdr *msg, ssize_t res, unsigned int hold_ms,
		    struct ktls_conn *c, struct ktls_info *info, int flags);

/*
 * ktls_recv - receive application data
 * Returns bytes; 0: clean end (close_notify); -ECONNRESET: cut off without one;
 * -EPROTO: fatal alert, see @c->alert, or a record out of place; -EBADMSG:
 * one that does not decrypt; -EKEYEXPIRED: the peer changed its key, which
 * this connection cannot follow; -EAGAIN; -EINTR: call again, it was a signal
 * or many key changes; and others from recvmsg(2).
 */
ssize_t ktls_recv(struct ktls_conn *c, void *buf, size_t len);
/*
 * ktls_recv_result - what the result of one's own receiving means
 * @res: bytes, 0 or -errno of read(2), recv(2), splice(2) or IORING_OP_RECV on
 *       @c->fd, called rightly, without room for control messages
 * Where it was an alert or a KeyUpdate that stood in the way, takes it. Returns
 * 1: go on receiving; 0: clean end; -EAGAIN; or -errno as ktls_recv().
 * To be called for bytes as well where @c->rekey is not NULL: of a KeyUpdate
 * right behind them, poll(2) might say nothing. ktls_recv() sees to that.
 */
int ktls_recv_result(struct ktls_conn *c, int res);
/*
 * send(2) and writev(2) with MSG_NOSIGNAL; sendfile(2), which may raise
 * SIGPIPE. -errno. All may first change the key, and fail as ktls_rekey().
 */
ssize_t ktls_send(struct ktls_conn *c, const void *buf, size_t len, int flags);
ssize_t ktls_writev(struct ktls_conn *c, const struct iovec *iov, int n);
ssize_t ktls_sendfile(struct ktls_conn *c, int fd, off_t *offset, size_t count);
/*
 * Says close_notify, ends our direction; sends what MSG_MORE held back.
 * -EAGAIN: again when writable.
 */
int ktls_shutdown(struct ktls_conn *c);
/* Says close_notify if not yet said and there is room, then closes. */
void ktls_close(struct ktls_conn *c);
/* Returns @c->fd, open, the caller's; of all else @c had nothing is left. */
int ktls_release(struct ktls_conn *c);

/*
 * Key changes (KeyUpdate, RFC 8446 4.6.3), on a route with `rekey: true` and a
 * kernel from 6.14. The peer's are followed, and answered if it asks for that,
 * by ktls_recv() and ktls_recv_result(). While one of these, or of those below,
 * is called, no write of one's own may be under way on the socket.
 */

/*
 * ktls_rekey - change the key that we send under
 * @peer_too: not 0: ask the peer to change its key, too
 * Returns 0; -EAGAIN: the socket is full: it is done before the next
 * ktls_send() or by ktls_flush(); -EOPNOTSUPP: @c->rekey is NULL; -EKEYEXPIRED:
 * the kernel took no new key, nothing can be sent any more; or -errno of
 * sendmsg(2).
 */
int ktls_rekey(struct ktls_conn *c, int peer_too);
/*
 * ktls_flush - send the KeyUpdate that is due, if one is
 * For those who write by themselves: before they do, after ktls_recv_result()
 * has returned 1. Returns 0: write; or as ktls_rekey().
 */
int ktls_flush(struct ktls_conn *c);
/*
 * ktls_set_rekey - after how many bytes of ktls_send(), ktls_writev() and
 * ktls_sendfile() the key is changed; 0: as it is at first, 2^36
 * It is changed after 2^23 records, in any case: AES-GCM's keys are good for
 * 2^24.5 (RFC 8446 5.5). Without @c->rekey nothing happens.
 */
void ktls_set_rekey(struct ktls_conn *c, uint64_t bytes);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
