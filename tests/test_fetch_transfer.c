/* SPDX-License-Identifier: MIT */
/* What is sent, where it goes, and where it stops. */
#include <sys/resource.h>
#include <time.h>

#include "tests/fetch_rig.h"

TestSuite(fetch_transfer, .timeout = 60, .init = rig_init, .fini = rig_fini);

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static bool has_field(int i, const char *field)
{
	return strcasestr(rig.server.requests[i].head, field);
}

Test(fetch_transfer, sends_what_responders_expect_and_no_more)
{
	char host[40];
	const struct reply replies[] = {
		{ .text = "HTTP/1.1 500 Oops\r\n\r\n" }, { .text = OCSP_HEAD, .der = rig.good }
	};
	uint8_t request[OCSP_REQUEST_MAX];
	size_t len;
	int i;

	sprintf(host, "\r\nHost: 127.0.0.1:%d\r\n", rig.server.port);
	cr_expect_eq(rig_attempt(replies, 2), 2);
	for (i = 0; i < 2; i++) {
		cr_expect(has_field(i, host));
		cr_expect(has_field(i, "\r\nAccept: application/ocsp-resp"));
		cr_expect(!has_field(i, "Expect:"));
		cr_expect(!has_field(i, "Cookie:"));
		cr_expect(!has_field(i, "Authorization:"));
		cr_expect(!has_field(i, "Accept-Encoding:"));
	}
	cr_expect(!has_field(0, "Content-Type:"));
	cr_expect_eq(rig.server.requests[0].body_len, 0);
	cr_expect(has_field(1, "\r\nContent-Type: application/ocsp-request\r"));
	cr_assert_eq(ocsp_request(rig.leaf, rig.issuer, OCSP_SHA1, request,
				  &len), 0);
	cr_expect_eq(rig.server.requests[1].body_len, len);
	cr_expect_eq(memcmp(rig.server.requests[1].body, request, len), 0);
}

Test(fetch_transfer, names_issuer_and_key_by_the_hash_it_is_told)
{
	rig.options.hash = OCSP_SHA256;
	cr_expect_eq(rig_attempt_one((struct reply){ .text = "" }), 2);
	cr_expect_gt(rig.server.requests[1].body_len, 90);
}

Test(fetch_transfer, uses_a_connection_again)
{
	const struct reply replies[] = {
		{ .text = "HTTP/1.1 500 O\r\nContent-Length: 0\r\n\r\n", .keep = true },
		{ .text = OCSP_HEAD, .der = rig.good },
	};

	cr_expect_eq(rig_attempt(replies, 2), 2);
	cr_expect(got_good(), "%s", rig.outcome->error);
	cr_expect_eq(rig.server.requests[0].connection,
		     rig.server.requests[1].connection);
	cr_expect(strstr(rig.outcome->address, "127.0.0.1:"));
}

Test(fetch_transfer, reads_chunks)
{
	static char head[200];

	sprintf(head, "HTTP/1.1 200 OK\r\n" OCSP_TYPE
		      "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
		rig.good.len);
	/* Neither the rest of a chunk nor the last one comes. */
	rig_attempt_one((struct reply){ .text = head, .der = rig.good });
	cr_expect_eq(rig.outcome->result, FETCH_BROKEN);
	cr_expect_eq(rig_attempt_one((struct reply){
			     .text = "HTTP/1.1 200 OK\r\n" OCSP_TYPE
			     "Transfer-Encoding: chunked\r\n\r\n"
			     "5\r\n\x30\x03\x0a\x01\x03\r\n0\r\n"
			     "Retry-After: 9\r\n\r\n" }), 1);
	cr_expect_eq(rig.outcome->verdict, OCSP_TRY_LATER);
	cr_expect_eq(rig.outcome->http.retry_after, -1, "from a trailer");
}

Test(fetch_transfer, takes_64_kib_and_not_a_byte_more)
{
	rig_attempt_one((struct reply){ .text = OCSP_HEAD, .flood = OCSP_MAX_LEN });
	cr_expect_eq(rig.outcome->result, FETCH_ANSWER);
	cr_expect_eq(rig.outcome->der.len, OCSP_MAX_LEN);
	rig_attempt_one((struct reply){ .text = OCSP_HEAD, .flood = OCSP_MAX_LEN + 1 });
	cr_expect_eq(rig.outcome->result, FETCH_TOO_LONG);
	rig_attempt_one((struct reply){ .text = "HTTP/1.1 200 OK\r\n" OCSP_TYPE
					"Content-Length: 99999999999\r\n\r\n",
					.flood = (size_t)1 << 40 });
	cr_expect_eq(rig.outcome->result, FETCH_TOO_LONG);
}

Test(fetch_transfer, takes_no_endless_head)
{
	static char many[3900];

	rig_attempt_one((struct reply){ .text = "HTTP/1.1 200 OK\r\nX: ",
					.flood = (size_t)1 << 40 });
	cr_expect_eq(rig.outcome->result, FETCH_TOO_LONG, "%s",
		     rig.outcome->error);
	/* Through redirects, with a head of nearly 4 KiB each, all is well. */
	strcpy(many, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\n"
		     "X: ");
	memset(many + strlen(many), 'x', 3500);
	strcat(many, "\r\n\r\n");
	rig_attempt((struct reply[]){ { .text = many }, { .text = many }, { .text = many },
				      { .text = OCSP_HEAD, .der = rig.good } }, 4);
	cr_expect(got_good(), "%s", rig.outcome->error);
}

Test(fetch_transfer, follows_three_redirects)
{
	const struct reply to = {
		.text = "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:%d/new\r\n\r\n"
	};

	cr_expect_eq(rig_attempt((struct reply[]){ to, to, to,
						   { .text = OCSP_HEAD, .der = rig.good } },
				 4), 1);
	cr_expect(got_good(), "%s", rig.outcome->error);
	cr_expect(asked(3, "GET /new "));
	cr_expect_eq(rig_attempt_one(to), 2);
	cr_expect_eq(rig.outcome->result, FETCH_REDIRECTS);
	cr_expect_eq(rig.server.n_requests, 8);
}

Test(fetch_transfer, gives_no_name_and_password_away)
{
	rig_attempt((struct reply[]){
		{ .text = "HTTP/1.1 302 F\r\n"
			  "Location: http://u:p@127.0.0.1:%d/\r\n\r\n" },
		{ .text = OCSP_HEAD, .der = rig.good } }, 2);
	cr_expect(asked(1, "POST "), "it was not followed");
	cr_expect(!has_field(1, "Authorization:"));
}

Test(fetch_transfer, posts_where_it_is_redirected_to)
{
	memset(rig.url + strlen(rig.url), 'x', 200);
	rig_attempt((struct reply[]){
			    { .text = "HTTP/1.1 302 F\r\nLocation: /new\r\n\r\n" },
			    { .text = OCSP_HEAD, .der = rig.good } }, 2);
	cr_expect(got_good(), "%s", rig.outcome->error);
	cr_expect(asked(1, "POST /new "));
	cr_expect_eq(rig.server.requests[1].body_len,
		     rig.server.requests[0].body_len);
}

Test(fetch_transfer, knows_no_proxy_from_the_environment)
{
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	cr_expect_eq(rig_attempt_one((struct reply){ .text = OCSP_HEAD, .der = rig.good }), 1);
	cr_expect(got_good(), "%s", rig.outcome->error);
}

Test(fetch_transfer, asks_the_proxy_it_is_told)
{
	char proxy[60];

	sprintf(proxy, "http://127.0.0.1:%d", rig.server.port);
	rig.options.proxy = proxy;
	setenv("no_proxy", "*", 1);
	strcpy(rig.url, "http://responder.invalid/a");
	cr_expect_eq(rig_attempt_one((struct reply){ .text = OCSP_HEAD, .der = rig.good }), 1);
	cr_expect(got_good(), "%s", rig.outcome->error);
	cr_expect(asked(0, "GET http://responder.invalid/a/"));
	cr_expect(has_field(0, "\r\nHost: responder.invalid\r\n"));
}

Test(fetch_transfer, gives_up_in_time)
{
	int64_t begun = now_ms();

	rig.options.timeout_ms = SOON_MS;
	memset(rig.url + strlen(rig.url), 'x', 200);
	cr_expect_eq(rig_attempt_one((struct reply){ .text = OCSP_HEAD, .der = rig.good,
						     .hang = true }), 1);
	cr_expect_eq(rig.outcome->result, FETCH_TIMEOUT);
	cr_expect_geq(now_ms() - begun, SOON_MS);
	cr_expect_lt(now_ms() - begun, ENOUGH_MS);
}

/* An address where SYNs are lost: its queue is full. */
static int deaf_ipv6(int port, int fds[4])
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6,
				     .sin6_addr = in6addr_loopback,
				     .sin6_port = htons((uint16_t)port) };
	int i;

	for (i = 0; i < 4; i++)
		fds[i] = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fds[0] < 0 || bind(fds[0], (void *)&addr, sizeof(addr)) ||
	    listen(fds[0], 0))
		return -1;
	for (i = 1; i < 4; i++)
		connect(fds[i], (void *)&addr, sizeof(addr));
	return 0;
}

Test(fetch_transfer, loses_only_a_moment_to_a_dead_ipv6)
{
	int port = rig.server.port, fds[4], i;
	int64_t begun;
	char line[100];

	if (deaf_ipv6(port, fds))
		cr_skip_test("no IPv6 here");
	sprintf(line, "responder.test:%d:[::1],127.0.0.1", port);
	rig.resolve = curl_slist_append(NULL, line);
	sprintf(rig.url, "http://responder.test:%d/", port);
	begun = now_ms();
	cr_expect_eq(rig_attempt_one((struct reply){ .text = OCSP_HEAD, .der = rig.good }), 1);
	cr_expect_lt(now_ms() - begun, 5000);
	cr_expect(got_good(), "%s", rig.outcome->error);
	sprintf(line, "trying [::1]:%d\ntrying 127.0.0.1:%d\n", port, port);
	cr_expect(strstr(rig.steps, line), "%s", rig.steps);
	cr_expect(strstr(rig.outcome->address, "127.0.0.1:"));
	for (i = 0; i < 4; i++)
		close(fds[i]);
}

