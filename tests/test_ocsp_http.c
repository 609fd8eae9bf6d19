/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "ocsp/http.h"

TestSuite(ocsp_http, .timeout = 10);

#define BYTES(string) \
	{ \
		(const uint8_t *)(string), sizeof(string) - 1 \
	}

Test(ocsp_http, joins_base_and_request_by_one_slash)
{
	static const struct {
		const char *base;
		struct ocsp_bytes request;
		const char *want;	/* NULL: by POST */
	} cases[] = {
		{ "http://a", BYTES("\x30\x03"), "http://a/MAM%3D" },
		{ "http://a/", BYTES("\x30\x03"), "http://a/MAM%3D" },
		{ "http://a//", BYTES("\x30\x03"), "http://a/MAM%3D" },
		{ "http://a/ocsp", BYTES("\x30"), "http://a/ocsp/MA%3D%3D" },
		{ "http://a/ocsp/", BYTES("\x30"), "http://a/ocsp/MA%3D%3D" },
		{ "https://a:8/o/p", BYTES("\x30\x03\x0a"),
		  "https://a:8/o/p/MAMK" },
		{ "http://[::1]:80", BYTES("\x30\x03\x0a"),
		  "http://[::1]:80/MAMK" },
		{ "http://a", BYTES("\xfb\xef\xbe"),
		  "http://a/%2B%2B%2B%2B" },
		{ "http://a/", BYTES("\xff\xff\xff"),
		  "http://a/%2F%2F%2F%2F" },
		{ "http://a", BYTES(""), "http://a/" },
		{ "http://a?", BYTES("\x30"), NULL },
		{ "http://a/?ca=1", BYTES("\x30"), NULL },
		{ "http://a/#top", BYTES("\x30"), NULL },
	};
	char url[OCSP_GET_MAX + 1];
	size_t i;
	int ret;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ret = ocsp_get_url(cases[i].base, cases[i].request, url);
		cr_expect_eq(ret, cases[i].want ? 0 : -E2BIG, "%s",
			     cases[i].base);
		if (cases[i].want)
			cr_expect_str_eq(url, cases[i].want);
	}
}

/* A host of @len - 7 bytes. */
static const char *base_of(size_t len)
{
	static char base[600];

	memset(base, 'a', sizeof(base));
	memcpy(base, "http://", 7);
	base[len] = '\0';
	return base;
}

Test(ocsp_http, asks_by_get_up_to_255_bytes)
{
	static const uint8_t zeros[4096];
	struct ocsp_bytes request = { zeros, 90 };	/* 120 in base64 */
	struct {
		char url[OCSP_GET_MAX + 1];
		char guard;
	} out = { .guard = 'g' };
	size_t len;

	cr_expect_eq(ocsp_get_url(base_of(134), request, out.url), 0);
	cr_expect_eq(strlen(out.url), 255);
	for (len = 135; len < 600; len++)
		cr_expect_eq(ocsp_get_url(base_of(len), request, out.url),
			     -E2BIG, "%zu", len);
	/* An escape that does not fit is not cut. */
	request = (struct ocsp_bytes){ zeros, 1 };
	cr_expect_eq(ocsp_get_url(base_of(246), request, out.url), 0);
	cr_expect_str_eq(out.url + 246, "/AA%3D%3D");
	for (len = 247; len < 256; len++)
		cr_expect_eq(ocsp_get_url(base_of(len), request, out.url),
			     -E2BIG);
	for (len = 0; len < sizeof(zeros); len++) {
		request.len = len;
		cr_expect_eq(ocsp_get_url("http://a", request, out.url) == 0,
			     9 + (len + 2) / 3 * 4 + (3 - len % 3) % 3 * 2 <=
				     255,
			     "%zu", len);
	}
	cr_expect_eq(out.guard, 'g');
}

#define NOW INT64_C(784111777)	/* Sun, 06 Nov 1994 08:49:37 GMT */

static struct ocsp_http read_head(const char *head, int64_t now)
{
	struct ocsp_http http = { 0 };
	const char *end;

	for (; *head; head = end) {
		end = strchr(head, '\n');
		end = end ? end + 1 : head + strlen(head);
		ocsp_http_line(&http, head, (size_t)(end - head), now);
	}
	return http;
}

#define OK "HTTP/1.1 200 OK\r\n"

Test(ocsp_http, reads_the_status_and_starts_over_with_each)
{
	static const struct {
		const char *head;
		unsigned int status;
		bool is_ocsp;
		int64_t retry_after;
	} cases[] = {
		{ OK, 200, false, -1 },
		{ "HTTP/2 200 \r\n", 200, false, -1 },
		{ "HTTP/1.0 404\n", 404, false, -1 },
		{ "HTTP/1.1 503 Service Unavailable", 503, false, -1 },
		{ "HTTP/1.1  200 OK\r\n", 0, false, -1 },
		{ "HTTP/1.1 99 OK\r\n", 0, false, -1 },
		{ "HTTP/1.1 1000 OK\r\n", 0, false, -1 },
		{ "HTTP/1.1 -200 OK\r\n", 0, false, -1 },
		{ "HTTP/1.1 20x OK\r\n", 0, false, -1 },
		{ "HTTP/1.1 99999999999999999999\r\n", 0, false, -1 },
		{ "HTTP/\r\n", 0, false, -1 },
		{ "HTTP/1.1 302 Found\r\n"
		  "Content-Type: application/ocsp-response\r\n"
		  "Retry-After: 9\r\n\r\n" OK "Age: 1\r\n\r\n",
		  200, false, -1 },
		{ "HTTP/1.1 100 Continue\r\n\r\n" OK
		  "Content-Type: application/ocsp-response\r\n\r\n",
		  200, true, -1 },
		/* A trailer. */
		{ OK "\r\nContent-Type: application/ocsp-response\r\n"
		  "Retry-After: 9\r\n",
		  200, false, -1 },
	};
	struct ocsp_http http;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		http = read_head(cases[i].head, NOW);
		cr_expect_eq(http.status, cases[i].status, "%s",
			     cases[i].head);
		cr_expect_eq(http.is_ocsp, cases[i].is_ocsp, "%s",
			     cases[i].head);
		cr_expect_eq(http.retry_after, cases[i].retry_after, "%s",
			     cases[i].head);
	}
	http = read_head("Content-Type: application/ocsp-response\r\n", NOW);
	cr_expect_not(http.is_ocsp, "without a status line");
}

Test(ocsp_http, knows_the_media_type)
{
	static const struct {
		const char *head;
		bool want;
	} cases[] = {
		{ "Content-Type: application/ocsp-response\r\n", true },
		{ "content-type:application/ocsp-response\n", true },
		{ "CONTENT-TYPE: \t Application/OCSP-Response \t\r\n", true },
		{ "Content-Type: application/ocsp-response;charset=x\r\n",
		  true },
		{ "Content-Type: application/ocsp-response ; q=\"a;b\"\r\n",
		  true },
		{ "Content-Type: application/ocsp-response", true },
		{ "Content-Type: application/ocsp-responses\r\n", false },
		{ "Content-Type: application/ocsp-request\r\n", false },
		{ "Content-Type: application/ocsp-response, text/html\r\n",
		  false },
		{ "Content-Type: text/html; application/ocsp-response\r\n",
		  false },
		{ "Content-Type:\r\n", false },
		{ "Content-Type application/ocsp-response\r\n", false },
		{ "Content-Type : application/ocsp-response\r\n", false },
		{ " Content-Type: application/ocsp-response\r\n", false },
		{ "X-Content-Type: application/ocsp-response\r\n", false },
		{ "Content-Type: text/html\r\n"
		  "\tapplication/ocsp-response\r\n", false },
		{ ": application/ocsp-response\r\n", false },
	};
	char head[256];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(head, sizeof(head), OK "%s", cases[i].head);
		cr_expect_eq(read_head(head, NOW).is_ocsp, cases[i].want,
			     "%s", cases[i].head);
	}
}

struct seconds_case {
	const char *head;
	int64_t want;
};

#define GREATEST (INT64_C(1) << 31)

Test(ocsp_http, tells_how_long_an_answer_is_fresh)
{
	static const struct seconds_case cases[] = {
		{ "", -1 },
		{ "Cache-Control: max-age=60\r\n", 60 },
		{ "cache-control:MAX-AGE=60\r\n", 60 },
		{ "Cache-Control: max-age=\"60\"\r\n", 60 },
		{ "Cache-Control: public , max-age = 60 ,no-transform\r\n",
		  60 },
		{ "Cache-Control: max-age=345600,public,no-transform,"
		  "must-revalidate\r\n", 345600 },
		{ "Cache-Control: private=\"max-age=5, x\", max-age=60\r\n",
		  60 },
		{ "Cache-Control: a=\"\\\", max-age=5\", max-age=60\r\n", 60 },
		{ "Cache-Control: a=\"max-age=5\r\n", -1 },
		{ "Cache-Control: xmax-age=5, s-maxage=6, max-ages=7\r\n",
		  -1 },
		{ "Cache-Control: \r\n", -1 },
		{ "Cache-Control: ,,,=,\r\n", -1 },
		{ "Cache-Control: max-age=0\r\n", 0 },
		{ "Cache-Control: max-age=-1\r\n", 0 },
		{ "Cache-Control: max-age=1.5\r\n", 0 },
		{ "Cache-Control: max-age=\r\n", 0 },
		{ "Cache-Control: max-age\r\n", 0 },
		{ "Cache-Control: max-age=0x10\r\n", 0 },
		{ "Cache-Control: max-age=2147483647\r\n", GREATEST - 1 },
		{ "Cache-Control: max-age=2147483649\r\n", GREATEST },
		{ "Cache-Control: max-age=99999999999999999999999\r\n",
		  GREATEST },
		{ "Cache-Control: max-age=60, max-age=50\r\n", 50 },
		{ "Cache-Control: max-age=50\r\nCache-Control: max-age=60\r\n",
		  50 },
		{ "Cache-Control: no-store, max-age=60\r\n", 0 },
		{ "Cache-Control: max-age=60, No-Cache\r\n", 0 },
		{ "Cache-Control: max-age=60\r\nCache-Control: no-store\r\n",
		  0 },
		{ "Cache-Control: no-cache=\"Age\", max-age=60\r\n", 0 },
		{ "Cache-Control: public\r\n", -1 },
		/* Age */
		{ "Cache-Control: max-age=60\r\nAge: 20\r\n", 40 },
		{ "Age: 20\r\nCache-Control: max-age=60\r\n", 40 },
		{ "Cache-Control: max-age=60\r\nAge: 60\r\n", 0 },
		{ "Cache-Control: max-age=60\r\nAge: 9999999999999\r\n", 0 },
		{ "Cache-Control: max-age=60\r\nAge: -20\r\n", 60 },
		{ "Cache-Control: max-age=60\r\nAge: x\r\n", 60 },
		{ "Cache-Control: max-age=60\r\nAge: 20, 30\r\n", 40 },
		{ "Age: 20\r\n", -1 },
		/* Expires */
		{ "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n", 60 },
		{ "Expires: Sunday, 06-Nov-94 08:50:37 GMT\r\n", 60 },
		{ "Expires: Sun Nov  6 08:50:37 1994\r\n", 60 },
		{ "Expires: Tue Nov 15 08:49:37 1994\r\n", 9 * 86400 },
		{ "Expires: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 0 },
		{ "Expires: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 0 },
		{ "Expires: Tuesday, 06-Nov-68 08:50:37 GMT\r\n", 0 },
		{ "Expires: Fri, 31 Dec 9999 23:59:59 GMT\r\n",
		  INT64_C(253402300799) - NOW },
		{ "Expires: Sun, 06 Nov 1994 08:50:37 CET\r\n", 0 },
		{ "Expires: Sun, 06 Nov 1994 08:50:37 GMT, x\r\n", 0 },
		{ "Expires: Sun, 06 Nov 1994 08:50:37 GMT"
		  "                                        x\r\n", 0 },
		{ "Expires: 0\r\n", 0 },
		{ "Expires: -1\r\n", 0 },
		{ "Expires: 60\r\n", 0 },
		{ "Expires:\r\n", 0 },
		{ "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\nAge: 5\r\n", 60 },
		{ "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n"
		  "Cache-Control: max-age=5\r\n", 5 },
		{ "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n"
		  "Cache-Control: public\r\n", 60 },
		{ "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n"
		  "Cache-Control: no-store\r\n", 0 },
		/* What is folded is passed over. */
		{ "X-Junk: a\r\n Cache-Control: max-age=5\r\n", -1 },
		{ "X-Junk: a\r\n\tExpires: 0\r\n", -1 },
		{ "\x01\x02\xff\r\nno colon\r\n", -1 },
	};
	char head[512];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(head, sizeof(head), OK "%s", cases[i].head);
		cr_expect_eq(read_head(head, NOW).fresh, cases[i].want,
			     "%s: %ld", cases[i].head,
			     (long)read_head(head, NOW).fresh);
	}
}

Test(ocsp_http, honours_retry_after_in_both_forms)
{
	static const struct seconds_case cases[] = {
		{ "", -1 },
		{ "Retry-After: 120\r\n", 120 },
		{ "retry-after:0\r\n", 0 },
		{ "Retry-After: 99999999999999999999\r\n", GREATEST },
		{ "Retry-After: Sun, 06 Nov 1994 08:51:37 GMT\r\n", 120 },
		{ "Retry-After: Sunday, 06-Nov-94 08:51:37 GMT\r\n", 120 },
		{ "Retry-After: Sun Nov  6 08:51:37 1994\r\n", 120 },
		{ "Retry-After: Sun, 06 Nov 1994 08:00:00 GMT\r\n", 0 },
		{ "Retry-After: -5\r\n", -1 },
		{ "Retry-After: soon\r\n", -1 },
		{ "Retry-After:\r\n", -1 },
		{ "Retry-After: 12 s\r\n", -1 },
	};
	char head[256];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(head, sizeof(head),
			 "HTTP/1.1 503 Service Unavailable\r\n%s",
			 cases[i].head);
		cr_expect_eq(read_head(head, NOW).retry_after, cases[i].want,
			     "%s", cases[i].head);
	}
}

Test(ocsp_http, stands_any_now)
{
	static const char head[] =
		OK "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n"
		   "Retry-After: Sunday, 06-Nov-94 08:50:37 GMT\r\n";
	struct ocsp_http http = read_head(head, INT64_MAX);

	cr_expect_eq(http.fresh, 0);
	cr_expect_eq(http.retry_after, 0);
	http = read_head(head, INT64_MIN);
	cr_expect_eq(http.fresh, INT64_MAX);
	cr_expect_eq(http.retry_after, INT64_MAX);
}

Test(ocsp_http, needs_no_end_of_string)
{
	static const char line[] = "Cache-Control: max-age=12345";
	char exact[sizeof(line) - 1];
	struct ocsp_http http = { 0 };
	size_t len;

	memcpy(exact, line, sizeof(exact));
	for (len = 0; len <= sizeof(exact); len++) {
		ocsp_http_line(&http, OK, sizeof(OK) - 1, NOW);
		/* What is behind @len must not be looked at. */
		memset(exact, '9', sizeof(exact));
		memcpy(exact, line, len);
		ocsp_http_line(&http, exact, len, NOW);
		cr_expect_leq(http.max_age, 12345);
	}
	cr_expect_eq(http.fresh, 12345);
}
