/* SPDX-License-Identifier: MIT */
/* Inside of libktls: records that are not application data. */
#ifndef KTLS_CONTROL_H
#define KTLS_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "ktls.h"

/* Record types, RFC 8446 5.1. */
#define KTLS_TYPE_ALERT 21
#define KTLS_TYPE_HANDSHAKE 22
#define KTLS_TYPE_DATA 23

/* Alerts, RFC 8446 6 and RFC 5246 7.2. */
#define KTLS_WARNING 1
#define KTLS_FATAL 2
#define KTLS_CLOSE_NOTIFY 0
#define KTLS_UNEXPECTED_MESSAGE 10
#define KTLS_BAD_RECORD_MAC 20
#define KTLS_RECORD_OVERFLOW 22
#define KTLS_ILLEGAL_PARAMETER 47
#define KTLS_DECODE_ERROR 50
#define KTLS_INTERNAL_ERROR 80
#define KTLS_USER_CANCELED 90
#define KTLS_NO_RENEGOTIATION 100

/*
 * ktls_control_send - one record of another type, behind what MSG_MORE has held
 * Returns 0, or -errno, -EAGAIN among them, and nothing of it was taken. It may
 * wait without MSG_DONTWAIT in @flags.
 */
int ktls_control_send(int fd, uint8_t type, const void *data, size_t len,
		      int flags);
/*
 * ktls_control_recv - the record that is next, never waiting
 * @type:  gets its type, or -1 when the kernel does not say
 * @flags: MSG_PEEK or 0
 * Returns its length in bytes, @len at most, or -errno.
 */
ssize_t ktls_control_recv(int fd, void *buf, size_t len, int *type, int flags);

/* ktls_alert - send one now, if there is room. Returns 0 or -errno. */
int ktls_alert(const struct ktls_conn *c, uint8_t level, uint8_t description,
	       int flags);
/*
 * ktls_fail - end the connection with a fatal alert, if it can be sent
 * Nothing may be sent after it, close_notify neither. Returns @rc.
 */
int ktls_fail(struct ktls_conn *c, uint8_t description, int rc);

#endif
