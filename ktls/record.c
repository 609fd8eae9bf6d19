// SPDX-License-Identifier: MIT
/*
 * What arrives: application data and what comes between it, alerts and
 * handshake messages, which a kTLS socket gives only to a recvmsg() with room
 * for the record type.
 */
#include "ktls.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "control.h"
#include "end.h"
#include "install.h"
#include "rekey.h"

#define RECORD_MAX 16384

/* Handshake messages, RFC 8446 4 and RFC 5246 7.4. */
#define CLIENT_HELLO 1
#define KEY_UPDATE 24

/* A peer that sends nothing but these keeps us busy for nothing. */
#define CONTROLS_MAX 16

static bool is_tls12(const struct ktls_conn *c)
{
	enum ktls_cipher cipher;
	uint16_t version;

	return !ktls_installed(c->fd, &version, &cipher) &&
	       version == KTLS_TLS12;
}

/* RFC 5246 7.2.2: refused renegotiation, the peer may go on, or close. */
static int on_handshake12(struct ktls_conn *c, uint8_t type)
{
	if (type != CLIENT_HELLO)
		return ktls_fail(c, KTLS_UNEXPECTED_MESSAGE, -EPROTO);
	if (!c->sent_close)
		ktls_alert(c, KTLS_WARNING, KTLS_NO_RENEGOTIATION,
			   MSG_DONTWAIT);
	return 1;
}

/*
 * KeyUpdate is the peer's right (RFC 8446 4.6.3), and not to follow it a
 * failing of ours: internal_error, not unexpected_message. So is one cut in
 * several records: after its first byte the kernel decrypts nothing more.
 */
static int on_key_update(struct ktls_conn *c, const uint8_t *msg, size_t len)
{
	static const uint8_t head[] = {KEY_UPDATE, 0, 0, 1};
	const size_t n = len < sizeof(head) ? len : sizeof(head);

	if (memcmp(msg, head, n))
		return ktls_fail(c, KTLS_DECODE_ERROR, -EPROTO);
	if (len == sizeof(head) + 1 && msg[sizeof(head)] > 1)
		return ktls_fail(c, KTLS_ILLEGAL_PARAMETER, -EPROTO);
	/* RFC 8446 5.1: what changes keys stands at the end of a record. */
	if (len > sizeof(head) + 1)
		return ktls_fail(c, KTLS_UNEXPECTED_MESSAGE, -EPROTO);
	if (len <= sizeof(head) || !c->rekey)
		return ktls_fail(c, KTLS_INTERNAL_ERROR, -EKEYEXPIRED);
	return ktls_rekey_follow(c, msg[sizeof(head)]);
}

/* Returns 1 to go on, or -errno. */
static int on_handshake(struct ktls_conn *c, const uint8_t *msg, size_t len)
{
	if (!len)
		return ktls_fail(c, KTLS_UNEXPECTED_MESSAGE, -EPROTO);
	if (is_tls12(c))
		return on_handshake12(c, msg[0]);
	if (msg[0] == KEY_UPDATE)
		return on_key_update(c, msg, len);
	return ktls_fail(c, KTLS_UNEXPECTED_MESSAGE, -EPROTO);
}

/* Returns 1 to go on, 0 at close_notify, or -EPROTO. */
static int on_alert(struct ktls_conn *c, uint8_t level, uint8_t description)
{
	c->alert = description;
	if (description == KTLS_CLOSE_NOTIFY) {
		c->got_close = 1;
		return 0;
	}
	/* TLS 1.3 ignores the level: all but these two are fatal (RFC 8446 6). */
	if (description == KTLS_USER_CANCELED ||
	    (level == KTLS_WARNING && is_tls12(c)))
		return 1;
	/* Nothing may be sent after a fatal alert, close_notify neither. */
	c->sent_close = 1;
	return -EPROTO;
}

/*
 * Takes the control record that is next. Returns 1 to go on with what follows
 * it, 0 at close_notify, or -errno.
 */
static int take_control(struct ktls_conn *c)
{
	uint8_t record[RECORD_MAX];
	int rc = 1, type;
	const ssize_t len =
		ktls_control_recv(c->fd, record, sizeof(record), &type, 0);

	if (len < 0)
		return len;
	switch (type) {
	case KTLS_TYPE_ALERT:
		/* Alerts that came together are given together. */
		for (ssize_t i = 0; rc > 0 && i + 2 <= len; i += 2)
			rc = on_alert(c, record[i], record[i + 1]);
		return len < 2 ? ktls_fail(c, KTLS_DECODE_ERROR, -EPROTO) : rc;
	case KTLS_TYPE_HANDSHAKE:
		return on_handshake(c, record, len);
	default:
		return ktls_fail(c, KTLS_UNEXPECTED_MESSAGE, -EPROTO);
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
		return ktls_fail(c, KTLS_RECORD_OVERFLOW, -EBADMSG);
	if (error == EINVAL)
		return ktls_fail(c, KTLS_DECODE_ERROR, -EBADMSG);
	return ktls_fail(c, KTLS_BAD_RECORD_MAC, -EBADMSG);
}

/*
 * splice() says EINVAL at a control record, and that, as all do, at a record of
 * no version, but also when it was called wrongly.
 */
static int on_einval(struct ktls_conn *c)
{
	uint8_t first;
	int type;
	const ssize_t n =
		ktls_control_recv(c->fd, &first, sizeof(first), &type, MSG_PEEK);

	/* The kernel says once what a bad record is, then waits for another. */
	if (n == -EBADMSG || n == -EMSGSIZE || n == -EINVAL || n == -EAGAIN)
		return bad_record(c, n == -EAGAIN ? EINVAL : -n);
	if (n < 0)
		return n;
	return !n || type == KTLS_TYPE_DATA ? -EINVAL : take_control(c);
}

/* Returns 1: go on, 0: clean end, or -errno. */
static int judge_kernel(struct ktls_conn *c, int res)
{
	switch (res) {
	case 0:
		return -ECONNRESET;
	case -EIO:
		return take_control(c);
	case -EBADMSG:
	case -EINVAL:
	case -EMSGSIZE:
		return bad_record(c, -res);
	default:
		return res;
	}
}

static int judge_relay(struct ktls_conn *c, int res)
{
	if (res)
		return res;
	if (!ktls_ended_cleanly(c->fd))
		return -ECONNRESET;
	c->got_close = 1;
	return 0;
}

/* As ktls_recv_result(), with what may be read again told apart. */
static int judge(struct ktls_conn *c, int res)
{
	switch (c->mode) {
	case KTLS_KERNEL:
		return judge_kernel(c, res);
	case KTLS_RELAY:
		return judge_relay(c, res);
	default:
		/* The end of the stream says nothing about the TLS within. */
		return res;
	}
}

/*
 * Behind data there may be a KeyUpdate that the kernel has decrypted, of which
 * poll() says nothing.
 */
static void look_ahead(struct ktls_conn *c)
{
	uint8_t first;
	int type, rc = 1;
	const ssize_t n =
		ktls_control_recv(c->fd, &first, sizeof(first), &type, MSG_PEEK);

	if (n > 0 && type == KTLS_TYPE_HANDSHAKE)
		rc = take_control(c);
	else if (n < 0 && n != -EAGAIN && n != -EINTR)
		rc = judge_kernel(c, n);
	/* The data first; and the kernel says some things only once. */
	if (rc < 0)
		ktls_rekey_fail(c, rc);
	ktls_rekey_answer(c);
}

int ktls_recv_result(struct ktls_conn *c, int res)
{
	int rc;

	if (res > 0 && c->rekey)
		look_ahead(c);
	if (res > 0 || res == -EINTR)
		return 1;
	if (c->got_close)
		return 0;
	rc = ktls_rekey_failed(c);
	if (rc)
		return rc;
	rc = res == -EINVAL && c->mode == KTLS_KERNEL ? on_einval(c) :
						       judge(c, res);
	/* An answer that there is no room for goes before the next data. */
	if (rc == 1)
		ktls_rekey_answer(c);
	return rc;
}

/*
 * A read that got less than it had room for may have stopped at a KeyUpdate, and
 * of one that the kernel has decrypted poll() says nothing: so it is looked for.
 */
static ssize_t read_on(struct ktls_conn *c, uint8_t *buf, size_t n, size_t len)
{
	ssize_t more = 0;

	while (n < len) {
		more = recv(c->fd, buf + n, len - n, MSG_DONTWAIT);
		if (more <= 0)
			break;
		n += more;
	}
	if (n == len || more >= 0 || errno == EAGAIN || errno == EINTR)
		return n;
	/* An alert stays, and poll() says so. */
	if (errno == EIO)
		look_ahead(c);
	else
		ktls_rekey_fail(c, judge(c, -errno));
	return n;
}

ssize_t ktls_recv(struct ktls_conn *c, void *buf, size_t len)
{
	int rc, i = 0;
	ssize_t n;

	/* A length of 0 would make the kernel's answer look like an end. */
	if (c->got_close || !len)
		return 0;
	rc = ktls_rekey_failed(c);
	if (rc)
		return rc;
	do {
		n = recv(c->fd, buf, len, 0);
		rc = n > 0 ? 0 : judge(c, n ? -errno : 0);
	} while (rc == 1 && ++i < CONTROLS_MAX);
	if (n > 0 && c->rekey)
		n = read_on(c, buf, n, len);
	/* One answer is enough for all that came together (RFC 8446 4.6.3). */
	ktls_rekey_answer(c);
	if (n > 0)
		return n;
	if (rc <= 0)
		return rc;
	return ktls_rekey_moved(c) ? -EINTR :
				     ktls_fail(c, KTLS_UNEXPECTED_MESSAGE,
					       -EPROTO);
}
