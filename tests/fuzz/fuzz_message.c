/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a message of a queue, which another consumer can have put there.
 */
#include <stdlib.h>

#include "ktls/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int sum(struct ktls_bytes bytes)
{
	unsigned int total = 0;

	while (bytes.len)
		total += bytes.data[--bytes.len];
	return total;
}

/* Reads every byte that the decoder points to. */
static unsigned int sum_all(const struct ktls_info *info)
{
	return sum(info->alpn) + 2 * sum(info->server_name) +
	       3 * sum(info->unique_id) + 4 * sum(info->version) +
	       5 * sum(info->cipher) + 6 * sum(info->group) +
	       7 * sum(info->sig_scheme) + 8 * sum(info->key_alg) +
	       9 * sum(info->cert_sig_alg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ktls_info info, again;
	uint8_t buf[KTLS_MSG_MAX];
	ssize_t len;

	if (ktls_msg_decode(&info, data, size))
		return 0;
	/* What was understood can be said again, and means the same. */
	len = ktls_msg_encode(&info, buf, sizeof(buf));
	if (len < 0)
		return 0;
	if (ktls_msg_decode(&again, buf, (size_t)len) ||
	    again.mode != info.mode || again.handoff_ns != info.handoff_ns ||
	    sum_all(&again) != sum_all(&info))
		abort();
	return 0;
}
