/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_PROBE_TCP_BYTES_H
#define TOOLS_PROBE_TCP_BYTES_H

#include <stddef.h>
#include <stdint.h>

/*
 * tcp_bytes - what a struct tcp_info says of bytes in both directions
 * @info, @len: as the kernel gave it, perhaps longer or shorter than known here
 * @sent: that the peer has acknowledged
 */
void tcp_bytes(const void *info, size_t len, uint64_t *sent,
	       uint64_t *received);

#endif
