/* SPDX-License-Identifier: MIT */
#include "agent/proxy/intro.h"

#include <arpa/inet.h>

#include "ktls/message.h"
#include "agent_case.h"

TestSuite(agent_proxy_intro, .timeout = 10);

static struct ktls_info info;
static uint8_t *header;

static void start(void)
{
	struct sockaddr_in *peer = (void *)&info.peer;
	struct sockaddr_in *local = (void *)&info.local;

	info = (struct ktls_info){ .mode = KTLS_KERNEL };
	peer->sin_family = local->sin_family = AF_INET;
	inet_pton(AF_INET, "192.0.2.1", &peer->sin_addr);
	inet_pton(AF_INET, "198.51.100.2", &local->sin_addr);
	peer->sin_port = htons(40000);
	local->sin_port = htons(443);
}

static void set6(const char *from, const char *to)
{
	struct sockaddr_in6 *peer = (void *)&info.peer;
	struct sockaddr_in6 *local = (void *)&info.local;

	peer->sin6_family = local->sin6_family = AF_INET6;
	inet_pton(AF_INET6, from, &peer->sin6_addr);
	inet_pton(AF_INET6, to, &local->sin6_addr);
}

static void expect_v1(const char *text)
{
	ssize_t n = intro_make(PROXY_HEADER_V1, &info, &header);

	cr_assert_eq(n, strlen(text), "%zd", n);
	cr_expect_eq(memcmp(header, text, (size_t)n), 0, "%.*s", (int)n,
		     header);
	free(header);
}

Test(agent_proxy_intro, is_nothing_where_none_is_wanted, .init = start)
{
	cr_expect_eq(intro_make(PROXY_HEADER_NONE, &info, &header), 0);
	cr_expect_null(header);
}

Test(agent_proxy_intro, has_both_addresses_in_version_1, .init = start)
{
	expect_v1("PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n");
	set6("2001:db8::1", "2001:db8::2");
	expect_v1("PROXY TCP6 2001:db8::1 2001:db8::2 40000 443\r\n");
	set6("::ffff:192.0.2.1", "::ffff:198.51.100.2");
	expect_v1("PROXY TCP4 192.0.2.1 198.51.100.2 40000 443\r\n");
	info.local.ss_family = AF_UNIX;
	expect_v1("PROXY UNKNOWN\r\n");
}

/* Is there a TLV of this type at the top level? */
static bool has_tlv(const uint8_t *p, size_t len, uint8_t type)
{
	size_t at = 16 + 12;

	for (; at + 3 <= len; at += 3 + (size_t)(p[at + 1] << 8 | p[at + 2]))
		if (p[at] == type)
			return true;
	return false;
}

Test(agent_proxy_intro, tells_in_version_2_only_what_may_leave, .init = start)
{
	static const uint8_t secret[32] = "not for anybody else";
	ssize_t n;

	info.server_name = (struct ktls_bytes){ (const uint8_t *)"a.b", 3 };
	info.unique_id = (struct ktls_bytes){ (const uint8_t *)"id", 2 };
	info.alpn = (struct ktls_bytes){ (const uint8_t *)"h2", 2 };
	info.exporter = (struct ktls_bytes){ secret, sizeof(secret) };
	info.handoff_ns = 1;
	n = intro_make(PROXY_HEADER_V2, &info, &header);
	cr_assert_gt(n, 28);
	cr_expect(has_tlv(header, (size_t)n, 0x01));
	cr_expect(has_tlv(header, (size_t)n, 0x02));
	cr_expect(has_tlv(header, (size_t)n, 0x05));
	cr_expect(has_tlv(header, (size_t)n, 0x20));
	cr_expect_not(has_tlv(header, (size_t)n, KTLS_TLV));
	cr_expect_null(memmem(header, (size_t)n, secret, 8));
	cr_expect_eq(header[14] << 8 | header[15], n - 16);
	free(header);
}

Test(agent_proxy_intro, refuses_what_is_too_long, .init = start)
{
	static const uint8_t big[KTLS_MSG_MAX];

	info.server_name = (struct ktls_bytes){ big, sizeof(big) };
	cr_expect_eq(intro_make(PROXY_HEADER_V2, &info, &header), -EMSGSIZE);
	cr_expect_null(header);
}
