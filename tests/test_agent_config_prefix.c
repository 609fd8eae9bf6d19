/* SPDX-License-Identifier: MIT */
#include "tests/config_case.h"

TestSuite(agent_config_prefix, .timeout = 10);

#define RULE CERTIFICATES ROUTES \
	"listeners: [{bind: '*:1', rules: [{route: web, from: ['%s']}]}]\n"

Test(agent_config_prefix, takes_networks_and_addresses)
{
	static const struct {
		const char *text;
		uint8_t addr[16];
		unsigned int bits;
	} cases[] = {
#define V4(...) { [10] = 0xff, 0xff, __VA_ARGS__ }
		{ "192.0.2.0/24", V4(192, 0, 2, 0), 120 },
		{ "192.0.2.7", V4(192, 0, 2, 7), 128 },
		{ "192.0.2.7/32", V4(192, 0, 2, 7), 128 },
		{ "192.0.2.128/25", V4(192, 0, 2, 128), 121 },
		{ "0.0.0.0/0", V4(0), 96 },
		{ "2001:db8::/32", { 0x20, 1, 0xd, 0xb8 }, 32 },
		{ "2001:db8::", { 0x20, 1, 0xd, 0xb8 }, 128 },
		{ "::ffff:10.0.0.0/104", V4(10), 104 },
		{ "fe80::/10", { 0xfe, 0x80 }, 10 },
		{ "::1/128", { [15] = 1 }, 128 },
		{ "::/0", { 0 }, 0 },
	};
	struct config_prefix *prefix;
	struct config *config;
	char text[256];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), RULE, cases[i].text);
		config = case_good(text);
		prefix = &config->listeners[0].rules[0].from.prefix[0];
		cr_expect_eq(prefix->bits, cases[i].bits, "%s", cases[i].text);
		cr_expect_arr_eq(prefix->addr, cases[i].addr, 16, "%s",
				 cases[i].text);
		config_free(config);
	}
}

static void expect_refused(const char *prefix, const char *expected)
{
	char text[256], errors[256];
	struct config_case c = { text, errors };

	snprintf(text, sizeof(text), RULE, prefix);
	snprintf(errors, sizeof(errors), "etc/f:3:55: from: expected %s, found "
		 "\"%s\"\n", expected, prefix);
	case_bad(&c);
}

Test(agent_config_prefix, refuses_what_is_no_network)
{
	static const char *const cases[] = {
		"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
		"10.0.0.0/8/8", "10.0.0.0/08x", "10.0.0/24", "10/8",
		"localhost", "::/129", "::/", "[::]/0", "2001:db8::/32 ",
		"fe80::%lo/10",
		"10.0.0.0/255.0.0.0", "10.0.0.0/4294967296",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8",
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refused(cases[i], "an address or a network such as "
			       "192.0.2.0/24 or \"2001:db8::/32\"");
}

Test(agent_config_prefix, says_which_network_was_meant)
{
	static const struct {
		const char *text, *meant;
	} cases[] = {
		{ "192.0.2.7/24", "192.0.2.0/24" },
		{ "192.0.2.1/31", "192.0.2.0/31" },
		{ "10.1.2.3/0", "0.0.0.0/0" },
		{ "2001:db8:0:1::/63", "2001:db8::/63" },
		{ "::1/0", "::/0" },
		{ "::ffff:192.0.2.7/120", "::ffff:192.0.2.0/120" },
	};
	char expected[128];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(expected, sizeof(expected), "no bits behind the "
			 "prefix, as in %s", cases[i].meant);
		expect_refused(cases[i].text, expected);
	}
}
