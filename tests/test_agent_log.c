// SPDX-License-Identifier: MIT
#include "agent/log.h"

#include <signal.h>

#include "agent_case.h"

TestSuite(log, .timeout = 10);

static int out[2], old_stderr;

static void start(void)
{
	cr_assert_eq(pipe(out), 0);
	old_stderr = dup(STDERR_FILENO);
	cr_assert_eq(dup2(out[1], STDERR_FILENO), STDERR_FILENO);
}

/* What was logged since start(); stderr is as before again. */
static const char *logged(void)
{
	static char text[8192];
	ssize_t n;

	dup2(old_stderr, STDERR_FILENO);
	close(out[1]);
	n = read(out[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

Test(log, writes_time_level_and_event_on_a_line)
{
	unsigned int y, mon, d, h, min, s, ms;
	char rest[64];

	start();
	log_warn("event=test n=%d", 7);
	cr_assert_eq(sscanf(logged(), "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ %63[^\n]",
			    &y, &mon, &d, &h, &min, &s, &ms, rest), 8);
	cr_assert_geq(y, 2024);
	cr_assert_str_eq(rest, "warn event=test n=7");
}

Test(log, leaves_out_what_is_above_the_level)
{
	const char *text;

	start();
	log_debug("event=hidden");
	log_level = LOG_L_DEBUG;
	log_debug("event=shown");
	log_level = LOG_L_ERROR;
	log_warn("event=hidden");
	text = logged();
	cr_assert(strstr(text, "event=shown"));
	cr_assert_not(strstr(text, "event=hidden"));
}

static int evaluated(void)
{
	cr_assert_fail("an argument of a silent log_debug() was evaluated");
	return 0;
}

Test(log, evaluates_no_arguments_below_debug)
{
	log_debug("event=test n=%d", evaluated());
}

Test(log, cannot_be_given_a_second_line)
{
	const char *text;

	start();
	log_error("event=test error=\"%s\"", "a\nevent=forged\x1b[0m\xff");
	text = logged();
	cr_assert(strstr(text, "error=\"a?event=forged?[0m?\"\n"));
	cr_assert_eq(strchr(text, '\n'), text + strlen(text) - 1);
}

Test(log, cuts_a_long_line_and_ends_it)
{
	char value[4096];
	const char *text;

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	start();
	log_error("event=test value=%s", value);
	text = logged();
	cr_assert_eq(strlen(text), 1024);
	cr_assert_eq(text[1023], '\n');
}

Test(log, keeps_errno)
{
	start();
	close(STDERR_FILENO);
	errno = ENOLCK;
	log_error("event=test");
	cr_assert_eq(errno, ENOLCK);
	logged();
}

/* Fills standard error's pipe: nobody reads it, as after a stopped pager. */
static void fill_pipe(void)
{
	static const char block[4096];

	fcntl(out[1], F_SETFL, O_NONBLOCK);
	while (write(out[1], block, sizeof(block)) > 0)
		;
	while (write(out[1], block, 1) > 0)
		;
	fcntl(out[1], F_SETFL, 0);
}

Test(log, goes_on_when_nobody_reads_it, .timeout = 3)
{
	start();
	fill_pipe();
	log_error("event=test");
	dup2(old_stderr, STDERR_FILENO);
}

Test(log, copies_errors_without_time_and_level)
{
	char text[256];
	FILE *to = fmemopen(text, sizeof(text), "w");

	start();
	log_copy(to);
	log_error("event=one");
	log_warn("event=two");
	log_error("event=three error=\"a\nb\"");
	log_copy(NULL);
	log_error("event=four");
	fclose(to);
	cr_expect(strstr(logged(), "event=four"));
	cr_expect_str_eq(text, "event=one\nevent=three error=\"a?b\"\n");
}
