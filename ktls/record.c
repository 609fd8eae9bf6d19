// SPDX-License-Identifier: MIT
/*
 * Application data and what comes between it: alerts and handshake messages,
 * which a kTLS socket gives only to a recvmsg() with room for the record type.
 */
#include "ktls.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <linux/tls.h>
#include <sys/sendfile.h>

#include "end.h"
#include "keys.h"

#define RECORD_MAX 16384

/* Record types, RFC 8446 5.1. */
#define TYPE_ALERT 21
#define TYPE_HANDSHAKE 22

/* Handshake messages, RFC 8446 4 and RFC 5246 7.4. */
#define CLIENT_HELLO 1
#define KEY_UPDATE 24

/* Alerts, RFC 8446 6 and RFC 5246 7.2. */
#define WARNING 1
#define FATAL 2
#define CLOSE_NOTIFY 0
#define UNEXPECTED_MESSAGE 10
#define BAD_RECORD_MAC 20
#define RECORD_OVERFLOW 22
#define DECODE_ERROR 50
#define INTERNAL_ERROR 80
#define USER_CANCELED 90
#define NO_RENEGOTIATION 100

/* A peer that sends nothing but these keeps us busy for nothing. */
#define CONTROLS_MAX 16

/* Returns 0 or -errno; without MSG_DONTWAIT in @flags it may wait. */
static int send_alert(const struct ktls_conn *c, uint8_t level,
		      uint8_t description, int flags)
{
	uint8_t alert[2] = {level, description};
	union {
		char buf[CMSG_SPACE(1)];
		struct cmsghdr head;
	} control = {
		.head =
			{
				.cmsg_len = CMSG_LEN(1),
				.cmsg_level = SOL_TLS,
				.cmsg_type = TLS_SET_RECORD_TYPE,
			},
	};
	struct iovec iov = {.iov_base = alert, .iov_len = sizeof(alert)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};

	*CMSG_DATA(&control.head) = TYPE_ALERT;
	return sendmsg(c->fd, &msg, flags | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Ends the connection with an alert, if it can be sent. Returns @rc. */
static int fail(struct ktls_conn *c, uint8_t description, int rc)
{
	if (!c->sent_close)
		send_alert(c, FATAL, description, MSG_DONTWAIT);
	c->sent_close = 1;
	return rc;
}

static bool is_tls12(const struct ktls_conn *c)
{
	/* With room for no more than this the kernel gives no key. */
	struct tls_crypto_info info;
	socklen_t len = sizeof(info);

	return !getsockopt(c->fd, SOL_TLS, TLS_TX, &info, &len) &&
	       info.version == KTLS_TLS12;
}

/*
 * A handshake message. KeyUpdate is the peer's right (RFC 8446 4.6.3), and not
 * to follow it a failing of ours: internal_error, not unexpected_message.
 */
static int on_handshake(struct ktls_conn *c, uint8_t type)
{
	if (is_tls12(c)) {
		if (type != CLIENT_HELLO)
			return fail(c, UNEXPECTED_MESSAGE, -EPROTO);
		/* RFC 5246 7.2.2: the peer may go on, or close. */
		if (!c->sent_close)
			send_alert(c, WARNING, NO_RENEGOTIATION, MSG_DONTWAIT);
		return 0;
	}
	if (type == KEY_UPDATE)
		return fail(c, INTERNAL_ERROR, -EKEYEXPIRED);
	return fail(c, UNEXPECTED_MESSAGE, -EPROTO);
}

/* Returns 1 to go on, 0 at close_notify, or -EPROTO. */
static int on_alert(struct ktls_conn *c, uint8_t level, uint8_t description)
{
	c->alert = description;
	if (description == CLOSE_NOTIFY) {
		c->got_close = 1;
		return 0;
	}
	/* TLS 1.3 ignores the level: all but these two are fatal (RFC 8446 6). */
	if (description == USER_CANCELED || (level == WARNING && is_tls12(c)))
		return 1;
	/* Nothing may be sent after a fatal alert, close_notify neither. */
	c->sent_close = 1;
	return -EPROTO;
}

/* Reads the record's type from what recvmsg() left; -1: not said. */
static int record_type(struct msghdr *msg)
{
	const struct cmsghdr *head = CMSG_FIRSTHDR(msg);

	if (!head || head->cmsg_level != SOL_TLS ||
	    head->cmsg_type != TLS_GET_RECORD_TYPE)
		return -1;
	return *CMSG_DATA(head);
}

/*
 * Takes the control record that is next. Returns 1 to go on with what follows
 * it, 0 at close_notify, or -errno.
 */
static int take_control(struct ktls_conn *c)
{
	uint8_t record[RECORD_MAX];
	union {
		char buf[CMSG_SPACE(1)];
		struct cmsghdr head;
	} control;
	struct iovec iov = {.iov_base = record, .iov_len = sizeof(record)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	const ssize_t len = recvmsg(c->fd, &msg, MSG_DONTWAIT);
	int rc = 1;

	if (len < 0)
		return -errno;
	switch (record_type(&msg)) {
	case TYPE_ALERT:
		/* Alerts that came together are given together. */
		for (ssize_t i = 0; rc > 0 && i + 2 <= len; i += 2)
			rc = on_alert(c, record[i], record[i + 1]);
		return len < 2 ? fail(c, DECODE_ERROR, -EPROTO) : rc;
	case TYPE_HANDSHAKE:
		rc = len ? on_handshake(c, record[0]) :
			   fail(c, UNEXPECTED_MESSAGE, -EPROTO);
		return rc ? rc : 1;
	default:
		return fail(c, UNEXPECTED_MESSAGE, -EPROTO);
	}
}

/* What the kernel could not take apart (see tls_sw.c's tls_rx_msg_size()). */
static int bad_record(struct ktls_conn *c, int error)
{
	socklen_t len = sizeof(int);
	int pending;

	/* Until the error is fetched, sending the alert would fail with it. */
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &pending, &len);
	if (error == EMSGSIZE)
		return fail(c, RECORD_OVERFLOW, -EBADMSG);
	if (error == EINVAL)
		return fail(c, DECODE_ERROR, -EBADMSG);
	return fail(c, BAD_RECORD_MAC, -EBADMSG);
}

static ssize_t recv_kernel(struct ktls_conn *c, void *buf, size_t len)
{
	ssize_t n;
	int rc;

	for (int i = 0; i < CONTROLS_MAX; i++) {
		n = recv(c->fd, buf, len, 0);
		if (n > 0)
			return n;
		if (!n)
			return -ECONNRESET;
		if (errno == EBADMSG || errno == EMSGSIZE || errno == EINVAL)
			return bad_record(c, errno);
		if (errno != EIO)
			return -errno;
		rc = take_control(c);
		if (rc <= 0)
			return rc;
	}
	return fail(c, UNEXPECTED_MESSAGE, -EPROTO);
}

static ssize_t recv_relay(struct ktls_conn *c, void *buf, size_t len)
{
	const ssize_t n = recv(c->fd, buf, len, 0);

	if (n)
		return n < 0 ? -errno : n;
	if (!ktls_ended_cleanly(c->fd))
		return -ECONNRESET;
	c->got_close = 1;
	return 0;
}

/* The end of the stream says nothing about the TLS within. */
static ssize_t recv_plain(struct ktls_conn *c, void *buf, size_t len)
{
	const ssize_t n = recv(c->fd, buf, len, 0);

	return n < 0 ? -errno : n;
}

ssize_t ktls_recv(struct ktls_conn *c, void *buf, size_t len)
{
	/* A length of 0 would make the kernel's answer look like an end. */
	if (c->got_close || !len)
		return 0;
	if (c->mode == KTLS_PLAIN)
		return recv_plain(c, buf, len);
	return c->mode == KTLS_KERNEL ? recv_kernel(c, buf, len) :
					recv_relay(c, buf, len);
}

ssize_t ktls_send(struct ktls_conn *c, const void *buf, size_t len, int flags)
{
	const ssize_t n = send(c->fd, buf, len, flags | MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

ssize_t ktls_sendfile(struct ktls_conn *c, int fd, off_t *offset, size_t count)
{
	const ssize_t n = sendfile(c->fd, fd, offset, count);

	return n < 0 ? -errno : n;
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
			rc = send_alert(c, WARNING, CLOSE_NOTIFY, flags);
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

void ktls_close(struct ktls_conn *c)
{
	close_direction(c, MSG_DONTWAIT);
	close(c->fd);
	c->fd = -1;
}
