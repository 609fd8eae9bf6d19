/* SPDX-License-Identifier: MIT */
/* What a connection to a server begins with, if it is to: who the client is. */
#ifndef AGENT_PROXY_INTRO_H
#define AGENT_PROXY_INTRO_H

#include "agent/proxy_msg.h"
#include "ktls/ktls.h"

/*
 * intro_make - a header of the PROXY protocol (HAProxy's proxy-protocol.txt)
 * @header: gets its bytes, to be freed; NULL for PROXY_HEADER_NONE
 * Version 1 has the two addresses, or UNKNOWN where they are not both of IPv4
 * or of IPv6; version 2 has what ktls_msg_encode_public() writes.
 * Returns its length, or -ENOMEM or -EMSGSIZE.
 */
ssize_t intro_make(enum proxy_header version, const struct ktls_info *info,
		    uint8_t **header);

#endif
