/* SPDX-License-Identifier: MIT */
/*
 * The message that travels with a connection: a PROXY protocol version 2
 * header with TLVs (HAProxy's proxy-protocol.txt), and one TLV of our own.
 */
#ifndef KTLS_MESSAGE_H
#define KTLS_MESSAGE_H

#include "ktls.h"

/* Our TLV, from the range for custom use (0xE0 to 0xEF), and what it holds. */
#define KTLS_TLV 0xE7
#define KTLS_SUB_MODE 0x01	/* 1 byte: enum ktls_mode */
#define KTLS_SUB_RESUMED 0x02	/* 1 byte: 0 or 1 */
#define KTLS_SUB_TIME 0x03	/* 8 bytes, big-endian: ns, CLOCK_MONOTONIC */
/* Of the client's certificate, see struct ktls_info. */
#define KTLS_SUB_SUBJECT 0x04
#define KTLS_SUB_SANS 0x05
#define KTLS_SUB_SHA256 0x06
#define KTLS_SUB_EXPORTER 0x07	/* 32 bytes */
#define KTLS_SUB_END_POINT 0x08	/* at most 64 bytes */
#define KTLS_SUB_JA4 0x09	/* 36 characters */
/* TLS 1.3's application traffic secrets, 32 or 48 bytes, both or neither. */
#define KTLS_SUB_RX_SECRET 0x0A	/* the client's */
#define KTLS_SUB_TX_SECRET 0x0B	/* the server's */

/* They point into the message, or to whatever is to be written. */
struct ktls_msg_secrets {
	struct ktls_bytes rx, tx;
};

/*
 * ktls_msg_encode - write a message
 * Empty fields are left out, and with KTLS_PLAIN all about TLS; addresses of
 * another family than IPv4 or IPv6 give an AF_UNSPEC header. An IPv4-mapped
 * pair is written as IPv4. Without @client_verified nothing is said of a client.
 * @secrets: NULL: none; for KTLS_KERNEL only. @buf is to be wiped then
 * Returns its length in bytes, or -EMSGSIZE when @size is too small.
 */
ssize_t ktls_msg_encode(const struct ktls_info *info,
			const struct ktls_msg_secrets *secrets, uint8_t *buf,
			size_t size);

/*
 * ktls_msg_encode_public - the same for a server that is no consumer
 * Only TLVs of a list may leave: ALPN, AUTHORITY, UNIQUE_ID and SSL. Ours, with
 * what only a consumer may know, is never among them.
 */
ssize_t ktls_msg_encode_public(const struct ktls_info *info, uint8_t *buf,
			       size_t size);

/*
 * ktls_msg_decode - read a message that arrived whole
 * @info, @secrets: their bytes point into @buf; empty where absent. @secrets
 *                  may be NULL
 * TLVs it does not know are passed over, and those about a client that was not
 * verified. Returns 0, or -EPROTO for anything cut short, of another version,
 * without our TLV, with a length that does not fit, or with secrets that are
 * not a pair, or not of a connection in kTLS.
 */
int ktls_msg_decode(struct ktls_info *info, struct ktls_msg_secrets *secrets,
		    const uint8_t *buf, size_t len);

#endif
