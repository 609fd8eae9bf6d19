/* SPDX-License-Identifier: MIT */
#include "intro.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktls/message.h"

/* The longest header of version 1, with its end, and a NUL. */
#define V1_MAX 108

static bool is_mapped(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in6 *in6 = (const void *)addr;

	return addr->ss_family == AF_INET6 &&
	       IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
}

/* Returns the port, in host order. */
static unsigned int print(const struct sockaddr_storage *addr, bool mapped,
			  char text[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in6 *in6 = (const void *)addr;
	const struct sockaddr_in *in = (const void *)addr;

	if (addr->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, text, INET6_ADDRSTRLEN);
		return ntohs(in->sin_port);
	}
	if (mapped)
		inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, text,
			  INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &in6->sin6_addr, text, INET6_ADDRSTRLEN);
	return ntohs(in6->sin6_port);
}

static ssize_t make_v1(const struct ktls_info *info, char *text)
{
	bool mapped = is_mapped(&info->peer) && is_mapped(&info->local);
	int family = info->peer.ss_family;
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	unsigned int from_port, to_port;

	if (family != info->local.ss_family ||
	    (family != AF_INET && family != AF_INET6))
		return sprintf(text, "PROXY UNKNOWN\r\n");
	from_port = print(&info->peer, mapped, from);
	to_port = print(&info->local, mapped, to);
	return snprintf(text, V1_MAX, "PROXY TCP%c %s %s %u %u\r\n",
			family == AF_INET || mapped ? '4' : '6', from, to,
			from_port, to_port);
}

ssize_t intro_make(enum proxy_header version, const struct ktls_info *info,
		    uint8_t **header)
{
	uint8_t buf[KTLS_MSG_MAX];
	ssize_t n;

	*header = NULL;
	if (version == PROXY_HEADER_NONE)
		return 0;
	n = version == PROXY_HEADER_V1 ? make_v1(info, (char *)buf) :
	    ktls_msg_encode_public(info, buf, sizeof(buf));
	if (n < 0)
		return n;
	*header = malloc((size_t)n);
	if (!*header)
		return -ENOMEM;
	memcpy(*header, buf, (size_t)n);
	return n;
}
