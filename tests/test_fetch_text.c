/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <criterion/criterion.h>

#include "fetch/text.h"

TestSuite(fetch_text, .timeout = 10);

static const struct {
	const char *text;
	size_t room;
	const char *escaped;
} cases[] = {
	{ "", 40, "" },
	{ "text/html; charset=x", 40, "text/html; charset=x" },
	{ "x\" event=y", 40, "x\\x22 event=y" },
	{ "a\r\nb\t\x1b[31m\x7f", 40, "a\\x0d\\x0ab\\x09\\x1b[31m\\x7f" },
	{ "\xc3\xa4", 40, "\\xc3\\xa4" },
	{ "\\x0a", 40, "\\x5cx0a" },
	{ "abcdef", 4, "abc" },
	{ "ab\ncd", 6, "ab" },
	{ "ab\ncd", 7, "ab\\x0a" },
	{ "abc", 1, "" },
};

Test(fetch_text, escapes_what_is_not_printable_and_never_cuts_an_escape)
{
	char out[41];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(out, 'x', sizeof(out));
		cr_expect_str_eq(fetch_escape(cases[i].text,
					      strlen(cases[i].text), out,
					      cases[i].room),
				 cases[i].escaped);
		cr_expect_eq(out[cases[i].room], 'x');
	}
}

Test(fetch_text, appends_as_far_as_there_is_room)
{
	char out[8] = "ab";

	fetch_append(out, sizeof(out), "%d", 123);
	cr_expect_str_eq(out, "ab123");
	fetch_append(out, sizeof(out), "%s", "cdefg");
	cr_expect_str_eq(out, "ab123cd");
	fetch_append(out, sizeof(out), "more");
	cr_expect_str_eq(out, "ab123cd");
}
