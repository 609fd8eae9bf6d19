// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <string.h>

#include "tools/static/http.h"

TestSuite(http, .timeout = 10);

#define HOST "Host: x\r\n"

static const struct {
	const char *what, *text;
	int status;
	bool is_last;
} headers[] = {
	{ "GET", "GET / HTTP/1.1\r\n" HOST "\r\n", 0, false },
	{ "HEAD", "HEAD / HTTP/1.1\r\n" HOST "\r\n", 0, false },
	{ "a later 1.x", "GET / HTTP/1.2\r\n" HOST "\r\n", 0, false },
	{ "HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 0, true },
	{ "close", "GET / HTTP/1.1\r\n" HOST "connection: Close\r\n\r\n", 0,
	  true },
	{ "a body", "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n", 0,
	  true },
	{ "an empty body", "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
	  0, false },
	{ "a chunked body",
	  "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 0,
	  true },
	{ "POST", "POST / HTTP/1.1\r\n" HOST "\r\n", 405, true },
	{ "OPTIONS *", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 405, true },
	{ "no method known", "BREW / HTTP/1.1\r\n" HOST "\r\n", 501, true },
	{ "lower case is another method", "get / HTTP/1.1\r\n" HOST "\r\n", 501,
	  true },
	{ "HTTP/2", "GET / HTTP/2.0\r\n" HOST "\r\n", 505, true },
	{ "HTTP/0.9", "GET /\r\n\r\n", 400, true },
	{ "no version", "GET / x\r\n" HOST "\r\n", 400, true },
	{ "two blanks", "GET  / HTTP/1.1\r\n" HOST "\r\n", 400, true },
	{ "more after the version", "GET / HTTP/1.1 x\r\n" HOST "\r\n", 400,
	  true },
	{ "nothing", "\r\n\r\n", 400, true },
	{ "a leading blank", " GET / HTTP/1.1\r\n" HOST "\r\n", 400, true },
	{ "no Host", "GET / HTTP/1.1\r\n\r\n", 400, true },
	{ "two Hosts", "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, true },
	{ "two Hosts in 1.0", "GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400, true },
	{ "a field without a colon", "GET / HTTP/1.1\r\n" HOST "x\r\n\r\n", 400,
	  true },
	{ "a field without a name", "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", 400,
	  true },
	{ "a blank before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400,
	  true },
	{ "a folded field", "GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", 400,
	  true },
	{ "a bare LF", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400, true },
	{ "a bare CR", "GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n", 400, true },
	{ "an end cut off", "GET / HTTP/1.1\r\nHost: x", 400, true },
};

Test(http, judges_a_header)
{
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		struct http_request r;
		char *text = strdup(headers[i].text);

		cr_expect_eq(http_parse(&r, text, strlen(text)),
			     headers[i].status, "%s", headers[i].what);
		cr_expect_eq(r.is_last, headers[i].is_last, "%s",
			     headers[i].what);
		free(text);
	}
}

Test(http, refuses_a_nul)
{
	char text[] = "GET / HTTP/1.1\r\nHost: \0x\r\n\r\n";
	struct http_request r;

	cr_expect_eq(http_parse(&r, text, sizeof(text) - 1), 400);
}

Test(http, keeps_what_a_file_server_needs)
{
	char text[] = "HEAD /a?b HTTP/1.1\r\nhost:x\r\nRANGE: bytes=1- \t\r\n"
		      "If-Range:  \"e\"\r\nIf-Modified-Since: then\r\n\r\n";
	struct http_request r;

	cr_assert_eq(http_parse(&r, text, sizeof(text) - 1), 0);
	cr_expect(r.is_head);
	cr_expect_str_eq(r.target, "/a?b");
	cr_expect_str_eq(r.range, "bytes=1-");
	cr_expect_str_eq(r.if_range, "\"e\"");
	cr_expect_str_eq(r.if_modified_since, "then");
}

static const struct {
	const char *target, *path;
} paths[] = {
	{ "/", "" },
	{ "/a/b", "a/b" },
	{ "/a?b#c", "a" },
	{ "//a", "a" },
	{ "/a%20b%2Fc", "a b/c" },
	{ "/%e4", "\xe4" },
	{ "/../a", "../a" },	/* openat2() refuses that */
	{ "http://host/a", "a" },
	{ "HTTPS://host", "" },
	{ "http://host?q", "" },
	{ "/%00", NULL },
	{ "/%", NULL },
	{ "/%4", NULL },
	{ "/%gg", NULL },
	{ "*", NULL },
	{ "a", NULL },
	{ "", NULL },
};

Test(http, turns_a_target_into_a_path)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		char *target = strdup(paths[i].target);
		const char *path = http_path(target);

		if (!paths[i].path)
			cr_expect_null(path, "%s", paths[i].target);
		else
			cr_expect_str_eq(path, paths[i].path);
		free(target);
	}
}

/* Of a file of 100 bytes. */
static const struct {
	const char *field;
	enum http_range said;
	off_t start, end;
} ranges[] = {
	{ "bytes=0-0", HTTP_PART, 0, 1 },
	{ "bytes=10-19", HTTP_PART, 10, 20 },
	{ "bytes=10-", HTTP_PART, 10, 100 },
	{ "bytes=99-99", HTTP_PART, 99, 100 },
	{ "bytes=10-500", HTTP_PART, 10, 100 },
	{ "Bytes=-1", HTTP_PART, 99, 100 },
	{ "bytes=-500", HTTP_PART, 0, 100 },
	{ "bytes=1-99999999999999999999", HTTP_PART, 1, 100 },
	{ "bytes=100-", HTTP_UNSATISFIABLE, 0, 0 },
	{ "bytes=99999999999999999999-", HTTP_UNSATISFIABLE, 0, 0 },
	{ "bytes=-0", HTTP_UNSATISFIABLE, 0, 0 },
	{ "bytes=5-4", HTTP_WHOLE, 0, 0 },
	{ "bytes=-", HTTP_WHOLE, 0, 0 },
	{ "bytes=", HTTP_WHOLE, 0, 0 },
	{ "bytes=a-b", HTTP_WHOLE, 0, 0 },
	{ "bytes=1-2,4-5", HTTP_WHOLE, 0, 0 },
	{ "bytes=--1", HTTP_WHOLE, 0, 0 },
	{ "bytes=1 - 2", HTTP_WHOLE, 0, 0 },
	{ "lines=1-2", HTTP_WHOLE, 0, 0 },
};

Test(http, reads_one_range)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		off_t start = 0, end = 100;

		cr_expect_eq(http_range(ranges[i].field, &start, &end),
			     ranges[i].said, "%s", ranges[i].field);
		if (ranges[i].said != HTTP_PART)
			continue;
		cr_expect_eq(start, ranges[i].start, "%s", ranges[i].field);
		cr_expect_eq(end, ranges[i].end, "%s", ranges[i].field);
	}
}

Test(http, finds_no_range_in_an_empty_file)
{
	off_t start = 0, end = 0;

	cr_expect_eq(http_range("bytes=0-", &start, &end), HTTP_UNSATISFIABLE);
	cr_expect_eq(http_range("bytes=-5", &start, &end), HTTP_UNSATISFIABLE);
}

Test(http, compares_dates_to_the_second)
{
	char date[HTTP_DATE_SIZE];

	http_date(784111777, date);
	cr_expect_str_eq(date, "Sun, 06 Nov 1994 08:49:37 GMT");
	cr_expect(http_unmodified(date, 784111777));
	cr_expect(http_unmodified(date, 784111776));
	cr_expect(!http_unmodified(date, 784111778));
	cr_expect(!http_unmodified("yesterday", 0));
	cr_expect(!http_unmodified("Sun, 06 Nov 1994 08:49:37 GMT x", 0));
}

Test(http, knows_types_by_suffix)
{
	cr_expect_str_eq(http_content_type("a/b.HTML"),
			 "text/html; charset=utf-8");
	cr_expect_str_eq(http_content_type("a.png"), "image/png");
	cr_expect_str_eq(http_content_type("a"), "application/octet-stream");
	cr_expect_str_eq(http_content_type(""), "application/octet-stream");
}
