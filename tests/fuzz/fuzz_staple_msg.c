/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a message between master and the stapler, which reads what
 * strangers sent and could have been taken over.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/staple_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t buf[STAPLE_MSG_MAX];
static int ends[2];

static int receive(struct staple_msg *msg)
{
	return staple_msg_recv(ends[1], msg, buf);
}

/* What was understood can be said again, and is understood. */
static void repeat(const struct staple_msg *msg)
{
	static uint8_t copy[STAPLE_MSG_MAX];
	struct staple_msg again = *msg;
	size_t i, at = 0;

	for (i = 0; i < STAPLE_MSG_PARTS; i++) {
		memcpy(copy + at, msg->part[i].data, msg->part[i].len);
		again.part[i].data = copy + at;
		at += msg->part[i].len;
	}
	if (staple_msg_send(ends[0], &again, MSG_DONTWAIT) ||
	    receive(&again) != 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct staple_msg msg;

	if (!ends[0] && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
		abort();
	if (!size || send(ends[0], data, size, MSG_DONTWAIT) < 0)
		return 0;
	if (receive(&msg) == 1)
		repeat(&msg);
	return 0;
}
