// SPDX-License-Identifier: MIT
#include "tools/probe/options.h"

#include "agent_case.h"

TestSuite(probe_tool_options, .timeout = 20);

static struct probe_options options;
static char error[128];

/* @line: arguments apart by spaces */
static int parse(const char *line)
{
	char copy[128], *argv[8] = { "ktls-probe" }, *rest = NULL;
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	for (argv[argc] = strtok_r(copy, " ", &rest); argv[argc];
	     argv[argc] = strtok_r(NULL, " ", &rest))
		argc++;
	error[0] = '\0';
	return probe_parse_options(&options, argc, argv, error, sizeof(error));
}

Test(probe_tool_options, takes_what_there_is)
{
	cr_expect_eq(parse(""), 0);
	cr_expect(!options.json && !options.socks && !options.watch_s);
	cr_expect_eq(parse("--json"), 0);
	cr_expect(options.json && !options.socks);
	cr_expect_eq(parse("--socks --watch"), 0);
	cr_expect(options.socks && options.watch_s == 2);
	cr_expect_eq(parse("--watch 7 --socks --json"), 0);
	cr_expect(options.socks && options.json && options.watch_s == 7);
	cr_expect_eq(parse("--socks --watch=3600"), 0);
	cr_expect_eq(options.watch_s, 3600);
}

Test(probe_tool_options, says_what_is_wrong)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{ "--frob", "--frob: no such option" },
		{ "--json=1", "--json=1: no such option, or it takes no value" },
		{ "file", "what is 'file' for?" },
		{ "--socks file", "what is 'file' for?" },
		{ "--socks --watch 5 6", "what is '6' for?" },
		{ "--socks --watch=5 6", "what is '6' for?" },
		{ "-xy", "-x: no such option" },
		{ "--json -j", "-j: no such option" },
		{ "--socks --watch x", "--watch: 'x' is no number" },
		{ "--socks --watch=", "--watch: '' is no number" },
		{ "--socks --watch=0", "--watch: '0' is no number from 1" },
		{ "--socks --watch=3601", "is no number from 1 to 3600" },
		{ "--socks --watch=-1", "--watch: '-1' is no number" },
		{ "--watch", "--watch is nothing without --socks" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		cr_expect_eq(parse(cases[i].line), -EINVAL, "%s", cases[i].line);
		cr_expect(strstr(error, cases[i].error), "%s: %s",
			  cases[i].line, error);
	}
}
