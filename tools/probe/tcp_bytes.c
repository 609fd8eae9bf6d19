// SPDX-License-Identifier: MIT
/*
 * Apart from the rest: libnl brings libc's <netinet/tcp.h>, whose struct tcp_info
 * ends before the bytes, and which the kernel's header cannot stand beside.
 */
#include "tools/probe/tcp_bytes.h"

#include <linux/tcp.h>
#include <string.h>

void tcp_bytes(const void *info, size_t len, uint64_t *sent, uint64_t *received)
{
	struct tcp_info known = { .tcpi_state = 0 };

	memcpy(&known, info, len < sizeof(known) ? len : sizeof(known));
	*sent = known.tcpi_bytes_acked;
	*received = known.tcpi_bytes_received;
}
