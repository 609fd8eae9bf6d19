/* SPDX-License-Identifier: MIT */
#include "tests/config_case.h"

TestSuite(agent_config_ocsp, .timeout = 10);

#define OCSP(keys) REST "ocsp: {" keys "}\n"

Test(agent_config_ocsp, checks_the_range_of_each_duration)
{
	static const struct config_case cases[] = {
		{ OCSP("timeout: 0ms"),
		  "etc/f:4:17: timeout: expected a duration from 1ms to 10m, "
		  "found \"0ms\"\n" },
		{ OCSP("timeout: 601s"),
		  "etc/f:4:17: timeout: expected a duration from 1ms to 10m, "
		  "found \"601s\"\n" },
		{ OCSP("timeout: 10"),
		  "etc/f:4:17: timeout: expected a duration such as 500ms, "
		  "10s, 2m or 1h, found \"10\"\n" },
		{ OCSP("start_wait: 61m"),
		  "etc/f:4:20: start_wait: expected a duration from 0ms to 1h, "
		  "found \"61m\"\n" },
		{ OCSP("max_interval: 0s"),
		  "etc/f:4:22: max_interval: expected a duration from 1s to "
		  "168h, found \"0s\"\n" },
		{ OCSP("max_interval: 169h"),
		  "etc/f:4:22: max_interval: expected a duration from 1s to "
		  "168h, found \"169h\"\n" },
		{ OCSP("min_interval: 500ms"),
		  "etc/f:4:22: min_interval: expected a duration from 1s to "
		  "168h, found \"500ms\"\n" },
		{ OCSP("min_interval: 169h"),
		  "etc/f:4:22: min_interval: expected a duration from 1s to "
		  "168h, found \"169h\"\n" },
		{ OCSP("min_interval: 1500ms, max_interval: 2500ms"),
		  "etc/f:4:22: min_interval: expected a duration of whole "
		  "seconds, found \"1500ms\"\n"
		  "etc/f:4:44: max_interval: expected a duration of whole "
		  "seconds, found \"2500ms\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_ocsp, fits_the_default_of_one_interval_to_the_other)
{
	static const struct {
		const char *text;
		unsigned int min, max;
	} cases[] = {
		{ OCSP("max_interval: 1s"), 1, 1 },
		{ OCSP("max_interval: 301s"), 300, 301 },
		{ OCSP("min_interval: 24h"), 86400, 86400 },
		{ OCSP("min_interval: 2000ms, max_interval: 2s"), 2, 2 },
		{ OCSP("max_interval: 168h, min_interval: 168h"),
		  604800, 604800 },
	};
	struct config *config;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		config = case_good(cases[i].text);
		cr_expect_eq(config->ocsp.min_interval_s, cases[i].min,
			     "%s", cases[i].text);
		cr_expect_eq(config->ocsp.max_interval_s, cases[i].max,
			     "%s", cases[i].text);
		config_free(config);
	}
}

Test(agent_config_ocsp, refuses_a_min_interval_above_max_interval)
{
	static const struct config_case cases[] = {
		{ OCSP("min_interval: 25h"),
		  "etc/f:4:22: min_interval: expected no more than "
		  "max_interval, which is 86400s, found \"25h\"\n" },
		{ OCSP("min_interval: 2m, max_interval: 1m"),
		  "etc/f:4:22: min_interval: expected no more than "
		  "max_interval, which is 60s, found \"2m\"\n" },
		/* One error is enough. */
		{ OCSP("min_interval: 2m, max_interval: soon"),
		  "etc/f:4:40: max_interval: expected a duration such as "
		  "500ms, 10s, 2m or 1h, found \"soon\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_ocsp, refuses_other_words_and_numbers)
{
	static const struct config_case cases[] = {
		{ OCSP("per_host: 0"),
		  "etc/f:4:18: per_host: expected a number from 1 to 256, "
		  "found \"0\"\n" },
		{ OCSP("per_host: 257"),
		  "etc/f:4:18: per_host: expected a number from 1 to 256, "
		  "found \"257\"\n" },
		{ OCSP("hash: sha512"),
		  "etc/f:4:14: hash: expected sha1 or sha256, found "
		  "\"sha512\"\n" },
		{ OCSP("missing: yes"),
		  "etc/f:4:17: missing: expected serve or refuse, found "
		  "\"yes\"\n" },
		{ OCSP("revoked: []"),
		  "etc/f:4:17: revoked: expected keep or staple, found a "
		  "list\n" },
		{ OCSP("ca: ''"),
		  "etc/f:4:12: ca: expected a path, found \"\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_ocsp, refuses_a_host_that_has_a_responder)
{
	static const struct config_case cases[] = {
		{ REST "ocsp:\n  responders:\n"
		  "  - {host: a.example, url: http://b}\n"
		  "  - {host: b.example, url: http://b}\n"
		  "  - {host: A.Example, url: https://c}\n",
		  "etc/f:8:12: host: expected another host than on line 6, "
		  "found \"A.Example\"\n" },
		{ OCSP("responders: [{host: a}]"),
		  "etc/f:4:21: url: expected this key here, found none\n" },
		{ OCSP("responders: {a: http://b}"),
		  "etc/f:4:20: responders: expected a list, found a "
		  "mapping\n" },
	};

	CASE_ALL_BAD(cases);
}

/* As many responders as @n. */
static char *responders(unsigned int n)
{
	char *text = malloc(n * 40 + sizeof(REST) + 40);
	size_t len;

	len = sprintf(text, REST "ocsp:\n  responders:\n");
	while (n--)
		len += sprintf(text + len, "  - {host: h%u, url: http://a}\n",
			       n);
	return text;
}

Test(agent_config_ocsp, takes_1000_responders_and_no_more)
{
	struct config_case c = { .errors =
		"etc/f:1006:5: responders: expected at most 1000, found "
		"1001\n" };
	char *text = responders(1000);
	struct config *config = case_good(text);

	cr_expect_eq(config->ocsp.n_responders, 1000);
	config_free(config);
	free(text);
	c.text = text = responders(1001);
	case_bad(&c);
	free(text);
}
