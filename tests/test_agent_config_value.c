/* SPDX-License-Identifier: MIT */
#include "agent/config/value.h"
#include "tests/config_case.h"

TestSuite(agent_config_value, .timeout = 10);

#define ROUTE(keys) CERTIFICATES LISTENERS \
	"routes: [{name: web, handoff: a, " keys "}]\n"

static struct config *good_route(const char *keys)
{
	struct config *config;
	char text[512];

	snprintf(text, sizeof(text), ROUTE("%s"), keys);
	config = case_good(text);
	return config;
}

Test(agent_config_value, refuses_numbers_that_are_none_or_out_of_range)
{
	static const struct config_case cases[] = {
		{ "workers: 0\n" REST,
		  "etc/f:1:10: workers: expected auto or a number from 1 to "
		  "1024, found \"0\"\n" },
		{ "workers: [1]\n" REST,
		  "etc/f:1:10: workers: expected auto or a number from 1 to "
		  "1024, found a list\n" },
		{ "workers: autos\n" REST,
		  "etc/f:1:10: workers: expected auto or a number from 1 to "
		  "1024, found \"autos\"\n" },
		{ "workers: \"auto\\0\"\n" REST,
		  "etc/f:1:10: workers: expected auto or a number from 1 to "
		  "1024, found a NUL character\n" },
		{ ROUTE("queue: 65537"),
		  "etc/f:3:41: queue: expected a number from 1 to 65536, "
		  "found \"65537\"\n" },
		{ ROUTE("queue: 18446744073709551617"),
		  "etc/f:3:41: queue: expected a number from 1 to 65536, "
		  "found \"18446744073709551617\"\n" },
		{ ROUTE("queue: -1"),
		  "etc/f:3:41: queue: expected a number from 1 to 65536, "
		  "found \"-1\"\n" },
		{ ROUTE("queue: 0x10"),
		  "etc/f:3:41: queue: expected a number from 1 to 65536, "
		  "found \"0x10\"\n" },
		{ ROUTE("queue: 1e3"),
		  "etc/f:3:41: queue: expected a number from 1 to 65536, "
		  "found \"1e3\"\n" },
		{ ROUTE("queue: "),
		  "etc/f:3:41: queue: expected a number from 1 to 65536, "
		  "found nothing\n" },
		{ ROUTE("queue: {}"),
		  "etc/f:3:41: queue: expected a number from 1 to 65536, "
		  "found a mapping\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_value, takes_durations_in_each_unit)
{
	static const struct {
		const char *text;
		unsigned int ms;
	} cases[] = {
		{ "drain_timeout: 0s\n" REST, 0 },
		{ "drain_timeout: 1ms\n" REST, 1 },
		{ "drain_timeout: 10s\n" REST, 10000 },
		{ "drain_timeout: '2m'\n" REST, 120000 },
		{ "drain_timeout: 24h\n" REST, 86400000 },
	};
	struct config *config;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		config = case_good(cases[i].text);
		cr_expect_eq(config->drain_timeout_ms, cases[i].ms);
		config_free(config);
	}
}

#define DURATION "expected a duration such as 500ms, 10s, 2m or 1h, found "

Test(agent_config_value, refuses_durations_without_unit_or_out_of_range)
{
	static const struct config_case cases[] = {
		{ "drain_timeout: 10\n" REST,
		  "etc/f:1:16: drain_timeout: " DURATION "\"10\"\n" },
		{ "drain_timeout: s\n" REST,
		  "etc/f:1:16: drain_timeout: " DURATION "\"s\"\n" },
		{ "drain_timeout: 1.5s\n" REST,
		  "etc/f:1:16: drain_timeout: " DURATION "\"1.5s\"\n" },
		{ "drain_timeout: 10 s\n" REST,
		  "etc/f:1:16: drain_timeout: " DURATION "\"10 s\"\n" },
		{ "drain_timeout: 1d\n" REST,
		  "etc/f:1:16: drain_timeout: " DURATION "\"1d\"\n" },
		{ "drain_timeout: -1s\n" REST,
		  "etc/f:1:16: drain_timeout: " DURATION "\"-1s\"\n" },
		{ "drain_timeout:\n" REST,
		  "etc/f:1:15: drain_timeout: " DURATION "nothing\n" },
		{ "drain_timeout: 25h\n" REST,
		  "etc/f:1:16: drain_timeout: expected a duration from 0ms to "
		  "24h, found \"25h\"\n" },
		{ "handshake_timeout: 0s\n" REST,
		  "etc/f:1:20: handshake_timeout: expected a duration from 1ms "
		  "to 1h, found \"0s\"\n" },
		{ "handshake_timeout: 4294967297ms\n" REST,
		  "etc/f:1:20: handshake_timeout: expected a duration from 1ms "
		  "to 1h, found \"4294967297ms\"\n" },
		{ "handshake_timeout: 3600001ms\n" REST,
		  "etc/f:1:20: handshake_timeout: expected a duration from 1ms "
		  "to 1h, found \"3600001ms\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_value, takes_each_word)
{
	static const char *const files[] = {
		[CONFIG_KTLS_PREFER] = "ktls: prefer\n" REST,
		[CONFIG_KTLS_REQUIRE] = "ktls: 'require'\n" REST,
		[CONFIG_KTLS_OFF] = "ktls: off\n" REST,
	};
	struct config *config;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		config = case_good(files[i]);
		cr_expect_eq(config->ktls, i);
		config_free(config);
	}
}

Test(agent_config_value, refuses_other_words)
{
	static const struct config_case cases[] = {
		{ "ktls: on\n" REST, "etc/f:1:7: ktls: expected prefer, "
				     "require or off, found \"on\"\n" },
		{ "ktls: {}\n" REST, "etc/f:1:7: ktls: expected prefer, "
				     "require or off, found a mapping\n" },
		{ "ktls: OFF\n" REST, "etc/f:1:7: ktls: expected prefer, "
				      "require or off, found \"OFF\"\n" },
		{ ROUTE("no_consumer: wait"),
		  "etc/f:3:47: no_consumer: expected hold or refuse, found "
		  "\"wait\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_value, resolves_paths_beside_a_file_without_folder)
{
	static const char text[] = REST;
	struct config *config;

	config = config_parse("f", text, strlen(text), &case_env, stderr);
	cr_assert(config);
	cr_expect_str_eq(config->certs[0].chain, "a.pem");
	cr_expect_str_eq(config->routes[0].handoff, "web.sock");
	config_free(config);
}

/* A key in the place of its path is not to get into the log. */
#define PEM                                                               \
	"-----BEGIN EC PRIVATE KEY----- MHcCAQEEIPgDFus/M7nJZrkLrPr2lbNQ" \
	"-----END EC PRIVATE KEY-----"

Test(agent_config_value, refuses_what_is_no_path)
{
	static const struct config_case cases[] = {
		{ "certificates: [{chain: [a], key: '', staple: , issuer: "
		  "\"a\\0b\"}]\n" ROUTES LISTENERS,
		  "etc/f:1:24: chain: expected a path, found a list\n"
		  "etc/f:1:34: key: expected a path, found \"\"\n"
		  "etc/f:1:46: staple: expected auto, must, off or the path of "
		  "a file, found nothing\n"
		  "etc/f:1:56: issuer: expected a path, found a NUL "
		  "character\n" },
		{ "certificates: [{chain: a, key: '" PEM "', staple: '" PEM
		  "'}]\nkeylog: |\n  " PEM "\n" ROUTES LISTENERS,
		  "etc/f:1:32: key: expected a path, found the text of a PEM "
		  "file\n"
		  "etc/f:1:135: staple: expected auto, must, off or the path "
		  "of a file, found the text of a PEM file\n"
		  "etc/f:2:9: keylog: expected a path, found the text of a "
		  "PEM file\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_value, takes_modes_in_octal)
{
	static const struct {
		const char *keys;
		mode_t mode;
	} cases[] = {
		{ "mode: 0600", 0600 }, { "mode: '0777'", 0777 },
		{ "mode: 666", 0666 }, { "mode: 000", 0 },
	};
	struct config *config;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		config = good_route(cases[i].keys);
		cr_expect_eq(config->routes[0].mode, cases[i].mode);
		config_free(config);
	}
}

#define MODE "etc/f:3:40: mode: expected an octal file mode from 0000 to " \
	"0777, found "

Test(agent_config_value, refuses_other_modes)
{
	static const struct config_case cases[] = {
		{ ROUTE("mode: 0888"), MODE "\"0888\"\n" },
		{ ROUTE("mode: 1777"), MODE "\"1777\"\n" },
		{ ROUTE("mode: 66"), MODE "\"66\"\n" },
		{ ROUTE("mode: 00660"), MODE "\"00660\"\n" },
		{ ROUTE("mode: u=rw"), MODE "\"u=rw\"\n" },
		{ ROUTE("mode: []"), MODE "a list\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_value, takes_accounts_by_name_and_number)
{
	struct config *config = good_route("user: www, group: 4294967294");

	cr_expect_eq(config->routes[0].user, 33);
	cr_expect_eq(config->routes[0].group, 4294967294);
	config_free(config);
	config = good_route("user: 0, group: ktlsd");
	cr_expect_eq(config->routes[0].user, 0);
	cr_expect_eq(config->routes[0].group, 991);
	config_free(config);
}

Test(agent_config_value, refuses_accounts_that_do_not_exist)
{
	static const struct config_case cases[] = {
		{ ROUTE("user: eve"),
		  "etc/f:3:40: user: expected an account that exists or its "
		  "number, found \"eve\"\n" },
		{ ROUTE("user: 4294967295"),
		  "etc/f:3:40: user: expected an account that exists or its "
		  "number, found \"4294967295\"\n" },
		{ ROUTE("user: broken"),
		  "etc/f:3:40: user: expected an account that exists "
		  "(Input/output error), found \"broken\"\n" },
		{ ROUTE("user: []"),
		  "etc/f:3:40: user: expected an account that exists, found a "
		  "list\n" },
		{ ROUTE("group: eve"),
		  "etc/f:3:41: group: expected a group that exists or its "
		  "number, found \"eve\"\n" },
		{ ROUTE("group: broken"),
		  "etc/f:3:41: group: expected a group that exists "
		  "(Input/output error), found \"broken\"\n" },
		{ ROUTE("group: "),
		  "etc/f:3:41: group: expected a group that exists, found "
		  "nothing\n" },
	};

	CASE_ALL_BAD(cases);
}
