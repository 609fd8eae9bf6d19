// SPDX-License-Identifier: MIT
#include "agent/prefix.h"

#include <arpa/inet.h>

#include "agent_case.h"

TestSuite(prefix, .timeout = 10);

static struct sockaddr_storage of_text(const char *text)
{
	struct sockaddr_storage addr = { .ss_family = AF_INET };

	if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&addr)->sin_addr))
		return addr;
	addr.ss_family = AF_INET6;
	cr_assert(inet_pton(AF_INET6, text,
			    &((struct sockaddr_in6 *)&addr)->sin6_addr));
	return addr;
}

static const struct {
	const char *addr;
	unsigned int bits;
	const char *masked;
} masks[] = {
	{ "2001:db8:1:2:ff:ff:ff:ff", 128, "2001:db8:1:2:ff:ff:ff:ff" },
	{ "2001:db8:1:2:ff:ff:ff:ff", 64, "2001:db8:1:2::" },
	{ "2001:db8:1:ffff::", 52, "2001:db8:1:f000::" },
	{ "2001:db8:1:ffff::", 55, "2001:db8:1:fe00::" },
	{ "ffff::1", 1, "8000::" },
	{ "ffff::1", 0, "::" },
	{ "::1", 127, "::" },
	{ "192.0.2.255", PREFIX_V4_BITS + 32, "192.0.2.255" },
	{ "192.0.2.255", PREFIX_V4_BITS + 25, "192.0.2.128" },
	{ "192.0.2.255", PREFIX_V4_BITS, "0.0.0.0" },
};

Test(prefix, keeps_the_first_bits)
{
	uint8_t got[PREFIX_LEN], want[PREFIX_LEN];
	struct sockaddr_storage addr;
	size_t i;

	for (i = 0; i < COUNT(masks); i++) {
		addr = of_text(masks[i].addr);
		cr_assert(prefix_address(&addr, got));
		prefix_mask(got, masks[i].bits);
		addr = of_text(masks[i].masked);
		cr_assert(prefix_address(&addr, want));
		cr_expect_arr_eq(got, want, PREFIX_LEN, "case %zu", i);
	}
}

Test(prefix, ipv4_is_the_same_on_a_socket_for_both)
{
	struct sockaddr_storage plain = of_text("192.0.2.1");
	struct sockaddr_storage mapped = of_text("::ffff:192.0.2.1");
	struct sockaddr_storage other = of_text("::192.0.2.1");
	uint8_t a[PREFIX_LEN], b[PREFIX_LEN];

	cr_assert(prefix_address(&plain, a));
	cr_assert(prefix_address(&mapped, b));
	cr_assert_arr_eq(a, b, PREFIX_LEN);
	cr_assert(prefix_is_v4(a));
	prefix_address(&other, b);
	cr_assert_not(prefix_is_v4(b));
}

static struct config_prefix range(const char *text, unsigned int bits)
{
	struct sockaddr_storage addr = of_text(text);
	struct config_prefix prefix = { .bits = bits };

	prefix_address(&addr, prefix.addr);
	return prefix;
}

static const struct {
	const char *addr;
	bool in;
} addresses[] = {
	{ "10.1.2.3", true },
	{ "::ffff:10.1.2.3", true },
	{ "11.1.2.3", false },
	{ "192.0.2.7", true },
	{ "192.0.2.8", false },
	{ "2001:db8::7", true },
	{ "2001:db9::7", false },
	{ "::1", false },
};

Test(prefix, is_found_among_ranges)
{
	struct config_prefix list[] = {
		range("10.0.0.0", PREFIX_V4_BITS + 8),
		range("192.0.2.7", PREFIX_V4_BITS + 32),
		range("2001:db8:ffff::", 32),	/* written carelessly */
	};
	struct config_prefixes ranges = { list, COUNT(list) };
	struct config_prefix everybody[] = { range("::", 0) };
	struct config_prefixes all = { everybody, 1 };
	struct config_prefixes none = { NULL, 0 };
	struct sockaddr_storage addr;
	size_t i;

	for (i = 0; i < COUNT(addresses); i++) {
		addr = of_text(addresses[i].addr);
		cr_expect_eq(prefix_among(&ranges, &addr), addresses[i].in,
			     "%s", addresses[i].addr);
		cr_expect(prefix_among(&all, &addr));
		cr_expect_not(prefix_among(&none, &addr));
	}
	addr.ss_family = AF_UNIX;
	cr_assert_not(prefix_among(&all, &addr));
}
