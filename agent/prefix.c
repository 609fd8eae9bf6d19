/* SPDX-License-Identifier: MIT */
#include "prefix.h"

#include <netinet/in.h>
#include <string.h>

static const uint8_t v4[PREFIX_V4_BITS / 8] = { [10] = 0xff, [11] = 0xff };

bool prefix_address(const struct sockaddr_storage *addr,
		    uint8_t bytes[static PREFIX_LEN])
{
	const struct sockaddr_in *in = (const void *)addr;
	const struct sockaddr_in6 *in6 = (const void *)addr;

	if (addr->ss_family == AF_INET6) {
		memcpy(bytes, &in6->sin6_addr, PREFIX_LEN);
		return true;
	}
	memcpy(bytes, v4, sizeof(v4));
	memcpy(bytes + sizeof(v4), &in->sin_addr, PREFIX_LEN - sizeof(v4));
	return addr->ss_family == AF_INET;
}

bool prefix_is_v4(const uint8_t bytes[static PREFIX_LEN])
{
	return !memcmp(bytes, v4, sizeof(v4));
}

void prefix_mask(uint8_t bytes[static PREFIX_LEN], unsigned int bits)
{
	unsigned int i = bits / 8;

	if (i < PREFIX_LEN && bits % 8)
		bytes[i++] &= (uint8_t)(0xff00 >> bits % 8);
	if (i < PREFIX_LEN)
		memset(bytes + i, 0, PREFIX_LEN - i);
}

static bool covers(const struct config_prefix *prefix,
		   const uint8_t bytes[static PREFIX_LEN])
{
	uint8_t a[PREFIX_LEN], b[PREFIX_LEN];

	memcpy(a, prefix->addr, PREFIX_LEN);
	memcpy(b, bytes, PREFIX_LEN);
	prefix_mask(a, prefix->bits);
	prefix_mask(b, prefix->bits);
	return !memcmp(a, b, PREFIX_LEN);
}

bool prefix_among(const struct config_prefixes *prefixes,
		  const struct sockaddr_storage *addr)
{
	uint8_t bytes[PREFIX_LEN];
	size_t i;

	if (!prefix_address(addr, bytes))
		return false;
	for (i = 0; i < prefixes->n; i++)
		if (covers(&prefixes->prefix[i], bytes))
			return true;
	return false;
}
