// SPDX-License-Identifier: MIT
#include "tools/probe/report.h"

#include "agent_case.h"

TestSuite(probe_tool_report, .timeout = 20);

static char *text;
static size_t text_len;

static int finish(bool json, enum report_state worst)
{
	FILE *out = open_memstream(&text, &text_len);
	struct report r;
	int status;

	cr_assert_eq(report_begin(&r, json, out), 0);
	report_add(&r, "one", "a", json_integer(5), REPORT_OK, "%d", 5);
	report_add(&r, "one", "b", json_true(), worst, "b's text");
	report_add(&r, "two", "c", json_null(), REPORT_NOTE, "c's text");
	status = report_end(&r);
	fclose(out);
	return status;
}

Test(probe_tool_report, ends_with_a_status_for_scripts)
{
	static const int statuses[] = { 0, 0, 1, 2 };

	for (int json = 0; json < 2; json++)
		for (int i = REPORT_OK; i <= REPORT_FATAL; i++) {
			cr_expect_eq(finish(json, (enum report_state)i),
				     statuses[i]);
			free(text);
		}
}

Test(probe_tool_report, is_a_table)
{
	finish(false, REPORT_LACKS);
	cr_expect_str_eq(text,
			 "one\n"
			 "  ok     a                           5\n"
			 "  lacks  b                           b's text\n"
			 "\ntwo\n"
			 "  note   c                           c's text\n"
			 "\nktlsd runs here, but not with all of kTLS; first: "
			 "one b: b's text\n");
	free(text);
}

Test(probe_tool_report, is_json)
{
	json_t *root, *notes;

	finish(true, REPORT_FATAL);
	root = json_loads(text, 0, NULL);
	cr_assert(root);
	cr_expect_eq(json_integer_value(json_object_get(json_object_get(
			     root, "one"), "a")), 5);
	cr_expect_eq(json_integer_value(json_object_get(root, "status")), 2);
	notes = json_object_get(root, "notes");
	cr_expect_eq(json_array_size(notes), 2);
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(
				 notes, 0), "state")), "fatal");
	json_decref(root);
	free(text);
}

Test(probe_tool_report, escapes_what_others_have_chosen)
{
	char out[256];

	cr_expect_str_eq(report_escape("a\033[2J\xff\"", out),
			 "a\\x1b[2J\\xff\\x22");
}

Test(probe_tool_report, says_that_it_cannot_be_written)
{
	FILE *full = fopen("/dev/full", "w");
	struct report r;

	cr_assert(full);
	for (int json = 0; json < 2; json++) {
		cr_assert_eq(report_begin(&r, json, full), 0);
		report_add(&r, "one", "a", json_true(), REPORT_OK, "yes");
		/* What is lost on the way is, too. */
		fflush(full);
		cr_expect_eq(report_end(&r), PROBE_FAILED);
		clearerr(full);
	}
	fclose(full);
}
