/* SPDX-License-Identifier: MIT */
#include "proxy_header.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Version 1: a line of text, 2.1. With its CRLF it has at most 107 bytes. */
#define V1_START "PROXY "
#define V1_START_LEN 6
#define V1_MAX 107

/* Version 2, 2.2: signature, version and command, family, length. */
#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_SIGNATURE_LEN 12
#define V2_HEAD_LEN 16
#define V2_LOCAL 0x20
#define V2_PROXY 0x21
#define V2_TCP4 0x11
#define V2_TCP6 0x21
#define V2_FAMILY_MAX 3		/* AF_UNIX, in the upper half of its byte */
#define V2_PROTOCOL_MAX 2	/* datagrams, in the lower half */

/* Is the shorter one the beginning of the other? */
static bool begins_alike(const uint8_t *data, size_t len, const char *with,
			 size_t with_len)
{
	return !memcmp(data, with, len < with_len ? len : with_len);
}

/* --- version 1 --------------------------------------------------------- */

static void *address_of(struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET ?
		(void *)&((struct sockaddr_in *)addr)->sin_addr :
		(void *)&((struct sockaddr_in6 *)addr)->sin6_addr;
}

static void set_port(struct sockaddr_storage *addr, uint16_t port)
{
	if (addr->ss_family == AF_INET)
		((struct sockaddr_in *)addr)->sin_port = port;
	else
		((struct sockaddr_in6 *)addr)->sin6_port = port;
}

static bool read_address(const char *text, int family,
			 struct sockaddr_storage *addr)
{
	addr->ss_family = (sa_family_t)family;
	return inet_pton(family, text, address_of(addr)) == 1;
}

/* Decimal, no sign, no zeros in front. */
static bool read_port(const char *text, struct sockaddr_storage *addr)
{
	size_t len = strlen(text);
	unsigned long port;

	if (!len || len > 5 || strspn(text, "0123456789") != len ||
	    (text[0] == '0' && len > 1))
		return false;
	port = strtoul(text, NULL, 10);
	set_port(addr, htons((uint16_t)port));
	return port <= UINT16_MAX;
}

/*
 * @line: "TCP4 192.0.2.1 198.51.100.2 40000 443", one space each; its spaces
 * become ends of strings
 */
static bool read_line(struct proxy_header *header, char *line)
{
	char *word[5];
	int n, family;

	/* Whatever follows is to be ignored. */
	if (!strcmp(line, "UNKNOWN") || !strncmp(line, "UNKNOWN ", 8))
		return true;
	for (n = 0; n < 5 && line; n++)
		word[n] = strsep(&line, " ");
	if (n != 5 || line)
		return false;
	if (!strcmp(word[0], "TCP4"))
		family = AF_INET;
	else if (!strcmp(word[0], "TCP6"))
		family = AF_INET6;
	else
		return false;
	return read_address(word[1], family, &header->source) &&
	       read_address(word[2], family, &header->destination) &&
	       read_port(word[3], &header->source) &&
	       read_port(word[4], &header->destination);
}

static int parse_v1(struct proxy_header *header, const uint8_t *data,
		    size_t len)
{
	size_t most = len < V1_MAX ? len : V1_MAX;
	const uint8_t *end = memchr(data, '\r', most);
	char line[V1_MAX];
	size_t n = end ? (size_t)(end - data) : most;

	/* A NUL would end the line for the functions that read it. */
	if (memchr(data, '\0', n) || memchr(data, '\n', n))
		return -EPROTO;
	if (!end || n + 1 == most)
		return most < V1_MAX ? -EAGAIN : -EPROTO;
	if (end[1] != '\n' || n < V1_START_LEN)
		return -EPROTO;
	memcpy(line, data + V1_START_LEN, n - V1_START_LEN);
	line[n - V1_START_LEN] = '\0';
	header->len = n + 2;
	return read_line(header, line) ? 0 : -EPROTO;
}

/* --- version 2 --------------------------------------------------------- */

/* @p: source, destination, ports: each address has @size bytes */
static void read_addresses(struct proxy_header *header, int family,
			   const uint8_t *p, size_t size)
{
	uint16_t port[2];

	header->source.ss_family = (sa_family_t)family;
	header->destination.ss_family = (sa_family_t)family;
	memcpy(address_of(&header->source), p, size);
	memcpy(address_of(&header->destination), p + size, size);
	memcpy(port, p + 2 * size, sizeof(port));
	set_port(&header->source, port[0]);
	set_port(&header->destination, port[1]);
}

static int parse_v2(struct proxy_header *header, const uint8_t *data,
		    size_t len)
{
	size_t body;

	if (len > 12 && data[12] != V2_LOCAL && data[12] != V2_PROXY)
		return -EPROTO;
	if (len > 13 && (data[13] >> 4 > V2_FAMILY_MAX ||
			 (data[13] & 15) > V2_PROTOCOL_MAX))
		return -EPROTO;
	if (len < V2_HEAD_LEN)
		return -EAGAIN;
	body = (size_t)data[14] << 8 | data[15];
	header->len = V2_HEAD_LEN + body;
	if (header->len > PROXY_HEADER_MAX)
		return -EMSGSIZE;
	if (len < header->len)
		return -EAGAIN;
	if (data[12] == V2_LOCAL)
		return 0;
	if ((data[13] == V2_TCP4 && body < 12) ||
	    (data[13] == V2_TCP6 && body < 36))
		return -EPROTO;
	if (data[13] == V2_TCP4)
		read_addresses(header, AF_INET, data + V2_HEAD_LEN, 4);
	else if (data[13] == V2_TCP6)
		read_addresses(header, AF_INET6, data + V2_HEAD_LEN, 16);
	return 0;
}

int proxy_header_parse(struct proxy_header *header, const uint8_t *data,
		       size_t len)
{
	memset(header, 0, sizeof(*header));
	if (!len)
		return -EAGAIN;
	if (begins_alike(data, len, V1_START, V1_START_LEN))
		return parse_v1(header, data, len);
	if (begins_alike(data, len, V2_SIGNATURE, V2_SIGNATURE_LEN))
		return parse_v2(header, data, len);
	return -EPROTO;
}
