/* SPDX-License-Identifier: MIT */
/*
 * The header of the PROXY protocol, versions 1 and 2, that a load balancer
 * sends before its client's own bytes (HAProxy's proxy-protocol.txt, 2.1 and
 * 2.2). Bytes in, addresses out: no sockets.
 */
#ifndef AGENT_PROXY_HEADER_H
#define AGENT_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Longest header, TLVs included, in bytes; version 1 ends before 107. */
#define PROXY_HEADER_MAX 4096

/*
 * struct proxy_header - what a header says
 * @source, @destination: of the client's connection, both IPv4 or both IPv6;
 *     both AF_UNSPEC where it is about the connection that carries it (LOCAL,
 *     a health check), or says nothing that TCP has (UNKNOWN, datagrams, Unix
 *     sockets): then the connection's own addresses stay
 * @len: bytes of the header; what follows is the client's
 */
struct proxy_header {
	struct sockaddr_storage source, destination;
	size_t len;
};

/*
 * proxy_header_parse - read the header that a connection begins with
 * @data: what has arrived, from the first byte on
 * TLVs are passed over. Returns 0; -EAGAIN: all @len bytes are part of a header
 * that goes on; -EPROTO: this is none; -EMSGSIZE: it is longer than
 * PROXY_HEADER_MAX. Only after 0 is there anything in @header.
 */
int proxy_header_parse(struct proxy_header *header, const uint8_t *data,
		       size_t len);

#endif
