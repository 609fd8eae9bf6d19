/* SPDX-License-Identifier: MIT */
#include "relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "handshake/relay.h"
#include "ktls/descriptors.h"
#include "ktls/end.h"
#include "local.h"
#include "log.h"
#include "worker.h"

/* The longest record with its header, in bytes (RFC 5246 6.2.3). */
#define RECORD_MAX (5 + 16384 + 2048)
#define PAYLOAD_MAX 16384

/*
 * How long a client whose consumer is gone may take nothing of what was sent,
 * in ms. Before, it is the consumer that runs out of patience.
 */
#define STUCK_MS 30000

/*
 * struct relay - both directions of one connection
 * Up is client to consumer: cipher -> plain. Down is consumer to client:
 * reply -> output. The output is copied out of the handshake object, whose
 * own may move while a send is in flight.
 */
struct relay {
	struct conn *conn;
	int fd;			/* our end of the consumer's socketpair */
	unsigned int in_flight;
	struct ring_op up;	/* receive from the client, send up */
	struct ring_op down;	/* receive from the consumer */
	struct ring_op out;	/* send to the client */
	struct ring_op end;	/* the consumer sends no more, or is gone */
	bool down_armed, out_armed;
	bool up_done, down_done;
	bool down_ended;	/* and nothing of the consumer's is left */
	bool up_waits;		/* for the output to be sent */
	bool deaf;		/* what the client sends is of no use any more */
	bool closing;		/* nothing follows what is in the output */
	bool hung_up;		/* the consumer reads no more either */
	struct msghdr msg;	/* from the consumer */
	struct iovec iov;
	size_t cipher_len, cipher_off;
	uint8_t cipher[RECORD_MAX];
	uint8_t plain[PAYLOAD_MAX];
	uint8_t reply[PAYLOAD_MAX];
	uint8_t output[RECORD_MAX];
	_Alignas(struct cmsghdr) uint8_t control[KTLS_CONTROL_MAX];
};

_Static_assert(sizeof(struct relay) <= RELAY_SIZE, "RELAY_SIZE is too small");

static void on_up_received(struct ring_op *op, int result);
static void on_down_received(struct ring_op *op, int result);
static void pump_up(struct relay *r);
static void flush(struct relay *r);

static struct io_uring_sqe *prepare(struct relay *r, struct ring_op *op,
				    void (*done)(struct ring_op *, int))
{
	op->done = done;
	r->in_flight++;
	return ring_prepare(&r->conn->worker->ring, op);
}

int relay_new(struct relay *r, struct conn *c, int *far)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	memset(r, 0, offsetof(struct relay, cipher));
	r->conn = c;
	r->fd = pair[0];
	*far = pair[1];
	return 0;
}

/* Both directions are over: leave once nothing is in flight any more. */
static void maybe_free(struct relay *r)
{
	struct conn *c = r->conn;

	if (!r->up_done || !r->down_done)
		return;
	if (r->in_flight) {
		shutdown(r->fd, SHUT_RDWR);
		shutdown(c->fd, SHUT_RDWR);
		return;
	}
	explicit_bzero(r->plain, sizeof(r->plain));
	explicit_bzero(r->reply, sizeof(r->reply));
	if (r->down_ended)
		ring_close(&c->worker->ring, r->fd);
	else
		local_close(r->fd);
	ring_close(&c->worker->ring, c->fd);
	c->fd = -1;
	conn_free(c);
}

void relay_cut(struct relay *r)
{
	r->up_done = r->down_done = true;
	maybe_free(r);
}

/* The client's direction has ended. */
static void end_up(struct relay *r, bool clean)
{
	if (clean)
		ktls_end_cleanly(r->fd);
	else
		shutdown(r->fd, SHUT_WR);
	r->up_done = true;
}

static void watch_end(struct relay *r)
{
	deadline_set(&r->conn->worker->closing, &r->conn->deadline,
		     r->conn->worker->now_ms);
}

/*
 * Nobody wants what the client sends, but it is read: closing a socket with
 * input unread makes a reset, which destroys what is on its way to the client.
 */
static void read_client(struct relay *r)
{
	io_uring_prep_recv(prepare(r, &r->up, on_up_received), r->conn->fd,
			   r->cipher, sizeof(r->cipher), 0);
}

static void on_up_sent(struct ring_op *op, int result)
{
	struct relay *r = container_of(op, struct relay, up);

	r->in_flight--;
	if (r->up_done) {
		maybe_free(r);
	} else if (result < 0) {
		r->deaf = true;		/* the consumer reads no more */
		read_client(r);
	} else {
		pump_up(r);
	}
}

static void on_up_received(struct ring_op *op, int result)
{
	struct relay *r = container_of(op, struct relay, up);

	r->in_flight--;
	if (result < 0) {
		relay_cut(r);
		return;
	}
	if (!result && !r->up_done)
		end_up(r, false);
	if (r->up_done) {
		maybe_free(r);
		return;
	}
	if (r->deaf) {
		read_client(r);
		return;
	}
	r->cipher_off = 0;
	r->cipher_len = (size_t)result;
	pump_up(r);
}

/* Our alert is in the output; the consumer hears a hang-up. */
static void fail_up(struct relay *r)
{
	shutdown(r->fd, SHUT_RDWR);
	r->deaf = r->closing = true;
	read_client(r);
}

static void pump_up(struct relay *r)
{
	struct hs *hs = r->conn->hs;
	size_t used = 0;
	ssize_t n;

	n = hs_read(hs, r->cipher + r->cipher_off,
		    r->cipher_len - r->cipher_off, &used, r->plain,
		    sizeof(r->plain));
	r->cipher_off += used;
	if (n > 0)
		io_uring_prep_send(prepare(r, &r->up, on_up_sent), r->fd,
				   r->plain, (size_t)n,
				   MSG_NOSIGNAL | MSG_WAITALL);
	else if (!n)
		end_up(r, true);
	else if (n != -EAGAIN)
		fail_up(r);
	else if (hs_output(hs).len > RECORD_MAX)
		/* It asks for answers (KeyUpdate) and does not read them. */
		r->up_waits = true;
	else
		read_client(r);
	/* Reading may have made us say something: an alert, a KeyUpdate. */
	if (r->down_done)
		maybe_free(r);
	else
		flush(r);
}

/*
 * To the ring a half-close is a hang-up too (it always adds POLLRDHUP), so
 * from here on it is time that finds out when the consumer closes altogether.
 */
static void on_end(struct ring_op *op, int result)
{
	struct relay *r = container_of(op, struct relay, end);

	(void)result;
	r->in_flight--;
	if (r->up_done && r->down_done)
		maybe_free(r);
	else
		watch_end(r);
}

static bool is_hung_up(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

void relay_due(struct relay *r)
{
	int ms = STUCK_MS;

	if (r->hung_up && r->down_done) {
		relay_cut(r);
		return;
	}
	if (!r->hung_up && is_hung_up(r->fd)) {
		r->hung_up = true;
		setsockopt(r->conn->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms,
			   sizeof(ms));
	}
	watch_end(r);
}

/* Everything to the client is sent: end that direction. */
static void end_down(struct relay *r)
{
	if (r->down_done)
		return;
	r->down_done = true;
	/* Otherwise it is closed, now or by maybe_free() a little later. */
	if (!r->up_done)
		shutdown(r->conn->fd, SHUT_WR);
	watch_end(r);
	maybe_free(r);
}

static void on_out_sent(struct ring_op *op, int result)
{
	struct relay *r = container_of(op, struct relay, out);

	r->in_flight--;
	r->out_armed = false;
	if (result < 0 || r->down_done) {
		relay_cut(r);
	} else if (r->up_waits) {
		r->up_waits = false;
		pump_up(r);
	} else {
		flush(r);
	}
}

/*
 * A consumer may send descriptors along, of which no use is made. Were they left
 * to the kernel, it would close them here, and wait for those that linger.
 */
static void receive_down(struct relay *r)
{
	r->iov = (struct iovec){ r->reply, sizeof(r->reply) };
	r->msg = (struct msghdr){
		.msg_iov = &r->iov,
		.msg_iovlen = 1,
		.msg_control = r->control,
		.msg_controllen = sizeof(r->control),
	};
	r->down_armed = true;
	io_uring_prep_recvmsg(prepare(r, &r->down, on_down_received), r->fd,
			      &r->msg, MSG_CMSG_CLOEXEC);
}

static void on_down_received(struct ring_op *op, int result)
{
	struct relay *r = container_of(op, struct relay, down);
	struct hs *hs = r->conn->hs;

	r->in_flight--;
	r->down_armed = false;
	if (result >= 0)
		ktls_close_control(&r->msg);
	r->down_ended = !result;
	if (r->down_done) {
		maybe_free(r);
		return;
	}
	if (result > 0 && !r->closing &&
	    hs_write(hs, r->reply, (size_t)result)) {
		relay_cut(r);
		return;
	}
	if (result <= 0 && !r->closing) {
		/* A killed consumer's answer must not look whole. */
		if (ktls_ended_cleanly(r->fd))
			hs_close(hs);
		r->closing = true;
	}
	flush(r);
}

/* One send at a time, and no more from the consumer until it is through. */
static void flush(struct relay *r)
{
	struct ocsp_bytes out;

	if (r->out_armed || r->down_done)
		return;
	out = hs_output(r->conn->hs);
	if (out.len > sizeof(r->output))
		out.len = sizeof(r->output);
	if (out.len) {
		memcpy(r->output, out.data, out.len);
		hs_output_sent(r->conn->hs, out.len);
		r->out_armed = true;
		io_uring_prep_send(prepare(r, &r->out, on_out_sent),
				   r->conn->fd, r->output, out.len,
				   MSG_NOSIGNAL | MSG_WAITALL);
	} else if (r->closing) {
		end_down(r);
	} else if (!r->down_armed) {
		receive_down(r);
	}
}

void relay_start(struct relay *r)
{
	struct conn *c = r->conn;

	c->state = CONN_RELAY;
	/* Only the consumer holds its end now, so that its close is seen. */
	close(c->handoff.fd);
	c->handoff.fd = -1;
	io_uring_prep_poll_add(prepare(r, &r->end, on_end), r->fd, POLLRDHUP);
	pump_up(r);
}
