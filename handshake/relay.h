/* SPDX-License-Identifier: MIT */
/* The relay's record layer, after HS_DONE and instead of hs_keys(). */
#ifndef HANDSHAKE_RELAY_H
#define HANDSHAKE_RELAY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct hs;

/*
 * hs_read - decrypt
 * Takes records from @in (*@used bytes of it) and writes at most @len bytes of
 * application data to @buf. Returns bytes; -EAGAIN: more input is needed;
 * 0: the peer's close_notify; -EPROTO: a fatal alert or a broken record.
 * Output may be pending after it (an alert, a KeyUpdate's answer).
 */
ssize_t hs_read(struct hs *hs, const uint8_t *in, size_t in_len, size_t *used,
		uint8_t *buf, size_t len);
/*
 * hs_write - encrypt all of @data into the output
 * Returns 0, -EPIPE after hs_close(), -EPROTO after a failure, or -ENOMEM.
 */
int hs_write(struct hs *hs, const uint8_t *data, size_t len);
/* hs_close - put a close_notify into the output, once; reading goes on. */
void hs_close(struct hs *hs);

#endif
