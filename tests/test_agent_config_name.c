/* SPDX-License-Identifier: MIT */
#include "agent/config/value.h"
#include "tests/config_case.h"

TestSuite(agent_config_name, .timeout = 10);

#define LABEL_63 "a2345678901234567890123456789012345678901234567890" \
	"1234567890123"

Test(agent_config_name, knows_names_of_hosts)
{
	static const struct {
		const char *name;
		bool is;
	} cases[] = {
		{ "www.example.com", true },
		{ "WWW.Example.COM", true },
		{ "localhost", true },
		{ "a", true },
		{ "xn--bcher-kva.example", true },
		{ "1.2.3.4.example", true },
		{ "a_b.example", true },
		{ LABEL_63 ".example", true },
		{ LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63, false },
		{ LABEL_63 "." LABEL_63 "." LABEL_63 ".a23456789012345678901234"
		  "5678901234567890123456789012345678901", true },
		{ LABEL_63 "." LABEL_63 "." LABEL_63 ".a23456789012345678901234"
		  "56789012345678901234567890123456789012", false },
		{ LABEL_63 "4.example", false },
		{ "", false },
		{ ".", false },
		{ "example.com.", false },
		{ ".example.com", false },
		{ "a..b", false },
		{ "-a.example", false },
		{ "a-.example", false },
		{ "a b.example", false },
		{ "b\303\274cher.example", false },
		{ "192.0.2.1", false },
		{ "1", false },
		{ "::1", false },
		{ "example.com:443", false },
		{ "*.example.com", false },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(config_is_host_name(cases[i].name), cases[i].is,
			     "%s", cases[i].name);
}

Test(agent_config_name, takes_a_wildcard_as_the_whole_first_label_only)
{
	static const struct {
		const char *name;
		bool is;
	} cases[] = {
		{ "*.example.com", true },
		{ "*.com", true },
		{ "www.example.com", true },
		{ "*", false },
		{ "*.", false },
		{ "*.*.example.com", false },
		{ "www.*.com", false },
		{ "w*.example.com", false },
		{ "*w.example.com", false },
		{ "*.192.0.2.1", false },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(config_is_name_pattern(cases[i].name), cases[i].is,
			     "%s", cases[i].name);
}

Test(agent_config_name, refuses_other_names_in_rules)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES ROUTES "listeners: [{bind: '*:1', rules: "
		  "[{route: web, sni: [a.example, 192.0.2.1, '*']}]}]\n",
		  "etc/f:3:65: sni: expected a host name such as "
		  "www.example.com or \"*.example.com\", found \"192.0.2.1\""
		  "\n"
		  "etc/f:3:76: sni: expected a host name such as "
		  "www.example.com or \"*.example.com\", found \"*\"\n" },
	};

	CASE_ALL_BAD(cases);
}
