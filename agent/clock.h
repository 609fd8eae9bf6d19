/* SPDX-License-Identifier: MIT */
/* Times at which something is due, in milliseconds; UINT64_MAX is never. */
#ifndef AGENT_CLOCK_H
#define AGENT_CLOCK_H

#include <stdint.h>

static inline uint64_t clock_earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#endif
