/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the beginning of a connection from a load balancer. What is a
 * header stays one however many bytes follow, and none of its beginnings is
 * one, or is refused: the same bytes in pieces come out the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static const char v1[] = "PROXY TCP4 192.0.2.7 198.51.100.2 40000 443\r\n";
static const char v2[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
			 "\xc0\x00\x02\x07\xc6\x33\x64\x02\x9c\x40\x01\xbb";

/* No random bytes begin with a signature: start from a header now and then. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	const char *good = seed % 2 ? v1 : v2;
	size_t len = seed % 2 ? sizeof(v1) - 1 : sizeof(v2) - 1;

	if ((size < 2 || seed % 64 < 2) && len <= max) {
		memcpy(data, good, len);
		size = len;
	}
	return LLVMFuzzerMutate(data, size, max);
}

/* In memory of just this size. */
static int parse(struct proxy_header *header, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	int err;

	if (!copy)
		abort();
	if (len)
		memcpy(copy, data, len);
	err = proxy_header_parse(header, copy, len);
	free(copy);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	int err = parse(&whole, data, size), piece;
	size_t len;

	if (err && err != -EAGAIN && err != -EPROTO && err != -EMSGSIZE)
		abort();
	if (!err && (whole.len > size || whole.len > PROXY_HEADER_MAX ||
		     whole.source.ss_family != whole.destination.ss_family))
		abort();
	for (len = 0; len < size && len < 300; len++) {
		piece = parse(&part, data, len);
		if (piece != -EAGAIN && piece != err)
			abort();
		if (err == -EAGAIN && piece != -EAGAIN)
			abort();
		if (!piece && (len < whole.len ||
			       memcmp(&part, &whole, sizeof(part))))
			abort();
	}
	return 0;
}
