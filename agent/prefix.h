/* SPDX-License-Identifier: MIT */
/*
 * Addresses and ranges of them. All have 16 bytes: IPv4 is ::ffff:a.b.c.d, the
 * same on a socket for both families as on its own.
 */
#ifndef AGENT_PREFIX_H
#define AGENT_PREFIX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config/config.h"

#define PREFIX_LEN 16
#define PREFIX_V4_BITS 96	/* that all of IPv4 has in common */

/* prefix_address - an address's bytes; false: neither IPv4 nor IPv6 */
bool prefix_address(const struct sockaddr_storage *addr,
		    uint8_t bytes[static PREFIX_LEN]);

/* prefix_is_v4 - also for one that came as IPv6 */
bool prefix_is_v4(const uint8_t bytes[static PREFIX_LEN]);

/* prefix_mask - keep the first @bits, 0 to 128 */
void prefix_mask(uint8_t bytes[static PREFIX_LEN], unsigned int bits);

/* prefix_among - is it within one of these? What is no IP address never is. */
bool prefix_among(const struct config_prefixes *prefixes,
		  const struct sockaddr_storage *addr);

#endif
