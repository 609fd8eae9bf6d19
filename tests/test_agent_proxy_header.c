// SPDX-License-Identifier: MIT
#include "agent/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "agent_case.h"

TestSuite(proxy_header, .timeout = 20);

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define FOUR "\xc0\x00\x02\x07\xc6\x33\x64\x02\x9c\x40\x01\xbb"
#define SIX "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" \
	    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x9c\x40\x01\xbb"
#define BYTES(text) text, sizeof(text) - 1
#define SOURCE4 "192.0.2.7 40000"
#define DEST4 "198.51.100.2 443"
#define SOURCE6 "2001:db8::1 40000"
#define DEST6 "2001:db8::2 443"

static struct proxy_header header;

static const char *text_of(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in *in = (const void *)addr;
	const struct sockaddr_in6 *in6 = (const void *)addr;
	static char text[INET6_ADDRSTRLEN + 8];
	char host[INET6_ADDRSTRLEN];

	if (addr->ss_family == AF_UNSPEC)
		return "";
	if (addr->ss_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
	else
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	snprintf(text, sizeof(text), "%s %u", host,
		 ntohs(addr->ss_family == AF_INET ? in->sin_port :
						    in6->sin6_port));
	return text;
}

/* From memory of just this size, so that a byte read beyond it shows. */
static int parse(const char *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	int err;

	cr_assert(copy);
	memcpy(copy, data, len);
	err = proxy_header_parse(&header, copy, len);
	free(copy);
	return err;
}

static const struct {
	const char *data;
	size_t len;
	const char *source, *destination;
} good[] = {
	{ BYTES("PROXY TCP4 192.0.2.7 198.51.100.2 40000 443\r\n"), SOURCE4,
	  DEST4 },
	{ BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 40000 443\r\n"), SOURCE6,
	  DEST6 },
	{ BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535\r\n"),
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535",
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535" },
	{ BYTES("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n"),
	  "0.0.0.0 0", "255.255.255.255 65535" },
	{ BYTES("PROXY UNKNOWN\r\n"), "", "" },
	{ BYTES("PROXY UNKNOWN 1.2.3.4 anything at all\r\n"), "", "" },
	{ BYTES("PROXY UNKNOWN ffff:f...f:ffff ffff:ffff:ffff:ffff:ffff:ffff:"
		"ffff:ffff ffff:ffff:ffff:ffff 65535 65535\r\n"), "", "" },
	{ BYTES(SIGNATURE "\x21\x11\0\x0c" FOUR), SOURCE4, DEST4 },
	{ BYTES(SIGNATURE "\x21\x21\0\x24" SIX), SOURCE6, DEST6 },
	{ BYTES(SIGNATURE "\x21\x11\0\x13" FOUR "\x03\0\4abcd"), SOURCE4,
	  DEST4 },
	/* A TLV that is cut short is nobody's but its reader's problem. */
	{ BYTES(SIGNATURE "\x21\x11\0\x0d" FOUR "\x03"), SOURCE4, DEST4 },
	{ BYTES(SIGNATURE "\x20\x00\0\0"), "", "" },
	{ BYTES(SIGNATURE "\x20\x11\0\x0c" FOUR), "", "" },
	{ BYTES(SIGNATURE "\x20\x11\0\0"), "", "" },
	{ BYTES(SIGNATURE "\x21\x00\0\0"), "", "" },
	{ BYTES(SIGNATURE "\x21\x00\0\x03" "abc"), "", "" },
	{ BYTES(SIGNATURE "\x21\x12\0\x0c" FOUR), "", "" },
	{ BYTES(SIGNATURE "\x21\x31\0\x02" "ab"), "", "" },
};

Test(proxy_header, is_read)
{
	size_t i;

	for (i = 0; i < COUNT(good); i++) {
		cr_assert_eq(parse(good[i].data, good[i].len), 0, "case %zu",
			     i);
		cr_expect_eq(header.len, good[i].len, "case %zu", i);
		cr_expect_str_eq(text_of(&header.source), good[i].source,
				 "case %zu", i);
		cr_expect_str_eq(text_of(&header.destination),
				 good[i].destination, "case %zu", i);
	}
}

Test(proxy_header, waits_for_each_byte_that_is_missing)
{
	size_t i, len;

	for (i = 0; i < COUNT(good); i++)
		for (len = 0; len < good[i].len; len++)
			cr_expect_eq(parse(good[i].data, len), -EAGAIN,
				     "case %zu, %zu bytes", i, len);
}

Test(proxy_header, leaves_what_follows_to_the_client)
{
	char data[256];
	size_t i;

	for (i = 0; i < COUNT(good); i++) {
		memcpy(data, good[i].data, good[i].len);
		memcpy(data + good[i].len, "\x16\x03\x01\r\n", 5);
		cr_expect_eq(parse(data, good[i].len + 5), 0, "case %zu", i);
		cr_expect_eq(header.len, good[i].len, "case %zu", i);
	}
}

#define X10 "xxxxxxxxxx"

static const struct {
	const char *data;
	size_t len;
} bad[] = {
	{ BYTES("\x16\x03\x01") },	/* a ClientHello */
	{ BYTES("G") },
	{ BYTES("POST / HTTP/1.1\r\n") },
	{ BYTES("proxy TCP4") },
	{ BYTES("\r\n\r\n\0\r\nQUIT\r") },
	{ BYTES("\r\n\r\nx") },
	{ BYTES("PROXY \r\n") },
	{ BYTES("PROXY TCP4\r\n") },
	{ BYTES("PROXY TCP5 192.0.2.7 198.51.100.2 40000 443\r\n") },
	{ BYTES("PROXY UNKNOWNS 192.0.2.7\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.7 198.51.100.2 40000\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.7 198.51.100.2 40000 443 \r\n") },
	{ BYTES("PROXY TCP4 192.0.2.7 198.51.100.2 40000 443 1\r\n") },
	{ BYTES("PROXY TCP4  192.0.2.7 198.51.100.2 40000 443\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.07 198.51.100.2 40000 443\r\n") },
	{ BYTES("PROXY TCP4 192.0.2 198.51.100.2 40000 443\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.7 2001:db8::2 40000 443\r\n") },
	{ BYTES("PROXY TCP6 2001:db8::1 198.51.100.2 40000 443\r\n") },
	{ BYTES("PROXY TCP6 2001:db8::1%lo 2001:db8::2 40000 443\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.7 198.51.100.2 65536 443\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.7 198.51.100.2 040000 443\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.7 198.51.100.2 -1 443\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.7 198.51.100.2 +1 443\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.7 198.51.100.2 00 443\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.7 198.51.100.2 40000 \r\n") },
	{ BYTES("PROXY TCP4 192.0.2.7 198.51.100.2 40000 443\n") },
	{ BYTES("PROXY TCP4 192.0.2.7 198.51.100.2 40000 443\rx") },
	{ BYTES("PROXY TCP4 192.0.2.7\0 198.51.100.2 40000 443\r\n") },
	{ BYTES("PROXY UNKNOWN\0") },
	/* 108 bytes, and 107 without an end. */
	{ BYTES("PROXY UNKNOWN " X10 X10 X10 X10 X10 X10 X10 X10 X10
		"xx\r\n") },
	{ BYTES("PROXY UNKNOWN " X10 X10 X10 X10 X10 X10 X10 X10 X10 "xxx") },
	{ BYTES(SIGNATURE "\x11") },
	{ BYTES(SIGNATURE "\x22") },
	{ BYTES(SIGNATURE "\x31") },
	{ BYTES(SIGNATURE "\x21\x41") },
	{ BYTES(SIGNATURE "\x21\x13") },
	{ BYTES(SIGNATURE "\x21\x11\0\x0b" "12345678901") },
	{ BYTES(SIGNATURE "\x21\x21\0\x0c" FOUR) },
};

Test(proxy_header, refuses_what_is_none)
{
	size_t i;

	for (i = 0; i < COUNT(bad); i++)
		cr_expect_eq(parse(bad[i].data, bad[i].len), -EPROTO,
			     "case %zu", i);
}

Test(proxy_header, of_version_1_may_have_107_bytes)
{
	static const char longest[] = "PROXY UNKNOWN " X10 X10 X10 X10 X10 X10
		X10 X10 X10 "x\r\n";

	cr_assert_eq(sizeof(longest) - 1, 107);
	cr_assert_eq(parse(BYTES(longest)), 0);
	cr_assert_eq(header.len, 107);
}

Test(proxy_header, of_version_2_may_have_4096_bytes)
{
	static char data[5000] = SIGNATURE "\x21\x11\x0f\xf0" FOUR;

	cr_assert_eq(parse(data, PROXY_HEADER_MAX - 1), -EAGAIN);
	cr_assert_eq(parse(data, sizeof(data)), 0);
	cr_assert_eq(header.len, PROXY_HEADER_MAX);
	data[15]++;
	cr_assert_eq(parse(data, 16), -EMSGSIZE);
}
