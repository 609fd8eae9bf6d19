// SPDX-License-Identifier: MIT
#include "preload.h"

#include <errno.h>
#include <string.h>

static void map(const struct sockaddr_in *from, struct sockaddr_in6 *to)
{
	to->sin6_port = from->sin_port;
	to->sin6_addr.s6_addr[10] = to->sin6_addr.s6_addr[11] = 0xff;
	memcpy(to->sin6_addr.s6_addr + 12, &from->sin_addr, 4);
}

static int unmap(const struct sockaddr_in6 *from, struct sockaddr_in *to)
{
	if (!IN6_IS_ADDR_V4MAPPED(&from->sin6_addr))
		return -EAFNOSUPPORT;
	to->sin_port = from->sin6_port;
	memcpy(&to->sin_addr, from->sin6_addr.s6_addr + 12, 4);
	return 0;
}

int address_as(const struct sockaddr_storage *from, int family,
	       union address *to)
{
	memset(to, 0, sizeof(*to));
	to->any.sa_family = family;
	if (from->ss_family == family)
		memcpy(to, from,
		       family == AF_INET ? sizeof(to->v4) : sizeof(to->v6));
	else if (from->ss_family == AF_INET)
		map((const struct sockaddr_in *)from, &to->v6);
	else if (from->ss_family == AF_INET6)
		return unmap((const struct sockaddr_in6 *)from, &to->v4);
	return 0;
}

void address_out(const union address *from, struct sockaddr *to, socklen_t *len)
{
	const socklen_t size = from->any.sa_family == AF_INET ?
				       sizeof(from->v4) :
				       sizeof(from->v6);

	if (!to || !len)
		return;
	memcpy(to, from, *len < size ? *len : size);
	*len = size;
}
