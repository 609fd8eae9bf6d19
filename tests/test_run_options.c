// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/run/options.h"

TestSuite(run_options, .timeout = 10);

static char error[300];
static struct run_options o;

/* Words, a space between each. */
static int parse(const char *line)
{
	static char words[1024];
	static char *argv[64];
	int argc = 0;

	snprintf(words, sizeof(words), "ktls-run %s", line);
	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	error[0] = 0;
	return run_parse_options(&o, argc, argv, error, sizeof(error));
}

Test(run_options, options_belong_to_the_queue_before_them)
{
	cr_assert_eq(parse("--queue a --fd 9 --queue b --preload --port 80 -- "
			   "srv -x --fd 4"),
		     0, "%s", error);
	cr_assert_eq(o.n, 2);
	cr_assert_str_eq(o.queues[0].path, "a");
	cr_assert_eq(o.queues[0].fd, 9);
	cr_assert_not(o.queues[0].preload);
	cr_assert_str_eq(o.queues[1].path, "b");
	cr_assert_eq(o.queues[1].port, 80);
	cr_assert(run_wants_preload(&o));
	cr_assert_str_eq(o.command[0], "srv");
	cr_assert_str_eq(o.command[3], "4");
}

Test(run_options, queues_without_a_number_take_the_first_that_is_free)
{
	cr_assert_eq(parse("--queue a --queue b --fd 4 --queue c -- x"), 0);
	cr_assert_eq(o.queues[0].fd, 3);
	cr_assert_eq(o.queues[1].fd, 4);
	cr_assert_eq(o.queues[2].fd, 5);
	cr_assert_not(run_wants_preload(&o));
}

Test(run_options, a_command_needs_no_dashes_before_it)
{
	cr_assert_eq(parse("--queue a srv --queue b"), 0);
	cr_assert_eq(o.n, 1);
	cr_assert_str_eq(o.command[1], "--queue");
}

Test(run_options, refuses_what_makes_no_sense)
{
	static const char *const lines[] = {
		"",
		"-- x",
		"--queue a",
		"--queue a --",
		"--queue",
		"--fd 3 --queue a -- x",
		"--port 3 --queue a -- x",
		"--preload --queue a -- x",
		"--queue a --fd 2 -- x",
		"--queue a --fd 256 -- x",
		"--queue a --fd +3 -- x",
		"--queue a --fd 3,4 -- x",
		"--queue a --fd 3 --fd 4 -- x",
		"--queue a --fd 3 --queue b --fd 3 -- x",
		"--queue a --port 80 -- x",
		"--queue a --preload --port 0 -- x",
		"--queue a --preload --port 65536 -- x",
		"--queue a --preload --queue b --preload -- x",
		"--queue a --preload --port 8 --queue b --preload --port 8 x",
		"--queue a -x -- x",
		"--queue a --nothing -- x",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		cr_expect_eq(parse(lines[i]), -EINVAL, "taken: %s", lines[i]);
		cr_expect(error[0], "no word about: %s", lines[i]);
	}
}
