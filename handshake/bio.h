/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: the byte streams below libssl. */
#ifndef HANDSHAKE_BIO_H
#define HANDSHAKE_BIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/bio.h>

struct hs;

/*
 * One direction's byte stream, cut at record headers (RFC 8446 5.1). With n_head
 * set to 0 it keeps the head of the handshake message that comes next, if that
 * is in the clear and begins a record.
 */
struct hs_stream {
	uint8_t header[5];
	uint8_t have;		/* bytes of the header seen */
	uint16_t left;		/* bytes of the record's body to come */
	uint8_t head[4];	/* type and length (RFC 8446 4) */
	uint8_t n_head;		/* bytes of it seen */
	bool changed;		/* a ChangeCipherSpec was seen */
	uint64_t records;	/* since the last of them */
};

BIO_METHOD *hs_bio_method(void);
void hs_stream_scan(struct hs_stream *s, const uint8_t *p, size_t len);
/* hs_append - to the output, records only. Returns 0 or -ENOMEM. */
int hs_append(struct hs *hs, const uint8_t *p, size_t len);

#endif
