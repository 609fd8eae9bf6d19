/* SPDX-License-Identifier: MIT */
#include "tests/config_case.h"

TestSuite(agent_config_error, .timeout = 10);

Test(agent_config_error, prints_errors_in_the_order_of_the_file)
{
	static const struct config_case all = {
		"listeners: [{bind: here, route: nowhere}]\n"
		"routes: [{name: web, handoff: a, queue: 0}]\n"
		"certificates: []\n"
		"workers: 0\n",
		"etc/f:1:20: bind: expected a numeric address and port such as "
		"\"[::]:443\", \"192.0.2.1:443\" or \"*:443\", or "
		"\"unix:PATH\", in quotes, found \"here\"\n"
		"etc/f:1:33: route: expected the name of a route, or deny, "
		"found \"nowhere\"\n"
		"etc/f:2:41: queue: expected a number from 1 to 65536, found "
		"\"0\"\n"
		"etc/f:3:15: certificates: expected at least 1, found 0\n"
		"etc/f:4:10: workers: expected auto or a number from 1 to "
		"1024, found \"0\"\n",
	};

	case_bad(&all);
}

Test(agent_config_error, shows_values_so_that_they_fit_a_line)
{
	static const struct config_case cases[] = {
		{ "workers: \"a\\nb\\e\\x7f\"\n" REST,
		  "etc/f:1:10: workers: expected auto or a number from 1 to "
		  "1024, found \"a?b??\"\n" },
		{ "workers: ''\n" REST,
		  "etc/f:1:10: workers: expected auto or a number from 1 to "
		  "1024, found \"\"\n" },
		{ "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIPgDFus/\n",
		  "etc/f:1:1: YAML: expected a mapping of keys, found the "
		  "text of a PEM file\n" },
		{ "workers: 8n7zZb0bFhJ3q4mE/0q1bV7oT3d+5yWk2cXhLr9sAuI=\n"
		  REST,
		  "etc/f:1:10: workers: expected auto or a number from 1 to "
		  "1024, found a text that may be a key\n" },
		{ "workers:\n  8n7zZb0bFhJ3q4mE/0q1bV\n"
		  "  7oT3d+5yWk2cXhLr9sAuIA\n" REST,
		  "etc/f:2:3: workers: expected auto or a number from 1 to "
		  "1024, found a text that may be a key\n" },
		{ "8n7zZb0bFhJ3q4mE/0q1bV7oT3d+5yWk2cXhLr9sAuI=\n",
		  "etc/f:1:1: YAML: expected a mapping of keys, found a text "
		  "that may be a key\n" },
		/* 42, as no key is. */
		{ "workers: 8n7zZb0bFhJ3q4mE/0q1bV7oT3d+5yWk2cXhLr9sAu\n"
		  REST,
		  "etc/f:1:10: workers: expected auto or a number from 1 to "
		  "1024, found \"8n7zZb0bFhJ3q4mE/0q1bV7oT3d+5yWk2cXhLr9sAu"
		  "\"\n" },
		/* 63 bytes, and a character of two that would be cut. */
		{ "workers: 0123456789012345678901234567890123456789"
		  "01234567890123456789012\303\244\303\244\n" REST,
		  "etc/f:1:10: workers: expected auto or a number from 1 to "
		  "1024, found \"0123456789012345678901234567890123456789"
		  "01234567890123456789012\"...\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_error, stops_after_many_errors)
{
	char text[2000] = "", *errors, *line;
	size_t i, lines = 0;

	for (i = 0; i < 100; i++)
		strcat(text, "x: 1\n");
	cr_expect_null(case_parse(text, strlen(text), &errors));
	for (line = errors; (line = strchr(line, '\n')); line++)
		lines++;
	cr_expect_eq(lines, CONFIG_MAX_ERRORS + 1, "%s", errors);
	cr_expect(strstr(errors, "\netc/f: too many errors, stopped here\n"));
	free(errors);
}
