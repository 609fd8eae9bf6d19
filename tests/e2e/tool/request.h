/* SPDX-License-Identifier: MIT */
/* An OCSP request over HTTP (RFC 6960 A.1), as a server reads it. */
#ifndef REQUEST_H
#define REQUEST_H

#include <stddef.h>
#include <stdint.h>

#define REQUEST_HEAD_MAX 8192
#define REQUEST_DER_MAX 4096
#define SERIAL_HEX 64

/*
 * struct request
 * @head:   as it came, NUL-terminated
 * @path:   of the URL, or all of it when the client takes us for a proxy
 * @host:   the header; "-" without
 * @type:   Content-Type of a POST; "-" without
 * @der:    the OCSPRequest
 * @serial: that it asks for, upper-case hexadecimal
 */
struct request {
	char head[REQUEST_HEAD_MAX];
	size_t head_len, body_len;
	char method[16], path[REQUEST_HEAD_MAX], host[256], type[64];
	uint8_t der[REQUEST_DER_MAX];
	size_t der_len;
	char serial[SERIAL_HEX];
};

/*
 * request_read - from a socket
 * Returns 200, the status to refuse it with, or 0: the client went away.
 */
int request_read(struct request *r, int fd);

#endif
