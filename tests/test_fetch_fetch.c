/* SPDX-License-Identifier: MIT */
/* When an attempt asks again, and by what; what its outcome is. */
#include "tests/fetch_rig.h"

TestSuite(fetch_fetch, .timeout = 60, .init = rig_init, .fini = rig_fini);

static struct ocsp_bytes made(const struct response_order *order)
{
	return make_response(&rig.pki, order);
}

static struct ocsp_bytes status_only(const char *der)
{
	return (struct ocsp_bytes){ (const uint8_t *)der, 5 };
}

#define TRY_LATER status_only("\x30\x03\x0a\x01\x03")
#define UNAUTHORIZED status_only("\x30\x03\x0a\x01\x06")

Test(fetch_fetch, takes_a_good_response_by_get)
{
	cr_expect_eq(rig_attempt_one((struct reply){ .text = OCSP_HEAD, .der = rig.good }), 1);
	cr_expect_eq(rig.outcome->result, FETCH_ANSWER);
	cr_expect(got_good(), "%s", rig.outcome->error);
	cr_expect_eq(rig.outcome->times.this_update, NOW - HOUR);
	cr_expect_eq(rig.outcome->times.next_update, NOW + HOUR);
	cr_expect_eq(rig.outcome->der.len, rig.good.len);
	cr_expect_eq(memcmp(rig.outcome->der.data, rig.good.data,
			    rig.good.len), 0);
	cr_expect_eq(rig.outcome->http.status, 200);
	cr_expect_eq(rig.outcome->http.fresh, -1);
	cr_expect_eq(rig.outcome->http.retry_after, -1);
	cr_expect(asked(0, "GET /ocsp/"));
}

/* The first reply is bad, the second one good. */
static const struct {
	const char *what;
	struct reply first;
} worth[] = {
	{ "a status", { .text = "HTTP/1.1 500 Oops\r\n\r\n" } },
	{ "method not allowed", { .text = "HTTP/1.1 405 No\r\n\r\n" } },
	{ "a type", { .text = "HTTP/1.1 200 OK\r\n\r\n<html>" } },
	{ "an endless body", { .text = OCSP_HEAD, .flood = 100000 } },
	{ "nothing", { .text = "" } },
	{ "a body cut off", { .text = "HTTP/1.1 200 OK\r\n" OCSP_TYPE
			      "Content-Length: 9\r\n\r\n0" } },
	{ "garbage", { .text = OCSP_HEAD "garbage" } },
	{ "a redirect to nowhere",
	  { .text = "HTTP/1.1 302 F\r\nLocation: ftp://h/\r\n\r\n" } },
};

Test(fetch_fetch, asks_by_post_when_get_failed)
{
	size_t i;

	for (i = 0; i < sizeof(worth) / sizeof(worth[0]); i++) {
		const struct reply replies[] = {
			worth[i].first, { .text = OCSP_HEAD, .der = rig.good }
		};

		cr_expect_eq(rig_attempt(replies, 2), 2, "%s", worth[i].what);
		cr_expect(got_good(), "%s: %s",
			     worth[i].what, rig.outcome->error);
		cr_expect(asked(0, "GET "));
		cr_expect(asked(1, "POST /ocsp HTTP"));
	}
}

Test(fetch_fetch, asks_by_post_when_get_is_met_with_silence)
{
	const struct reply replies[] = {
		{ .text = "", .hang = true }, { .text = OCSP_HEAD, .der = rig.good }
	};

	rig.options.timeout_ms = 2000;
	cr_expect_eq(rig_attempt(replies, 2), 2);
	cr_expect(got_good(), "%s", rig.outcome->error);
}

Test(fetch_fetch, asks_by_post_when_a_cache_had_an_old_response)
{
	const struct response_order old = {
		.answers = { { MINE, .from = -2 * HOUR, .to = -HOUR } },
	};
	const struct reply replies[] = {
		{ .text = OCSP_HEAD, .der = made(&old) }, { .text = OCSP_HEAD, .der = rig.good }
	};

	cr_expect_eq(rig_attempt(replies, 2), 2);
	cr_expect(got_good(), "%s", rig.outcome->error);
	OPENSSL_free((void *)replies[0].der.data);
}

Test(fetch_fetch, does_not_ask_again_when_that_is_pointless)
{
	const struct response_order revoked = {
		.answers = { { MINE, .status = V_OCSP_CERTSTATUS_REVOKED } },
	};
	const struct reply replies[] = {
		{ .text = OCSP_HEAD, .der = made(&revoked) },
		{ .text = OCSP_HEAD, .der = TRY_LATER },
		{ .text = "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\n\r\n" },
		{ .text = "HTTP/1.1 429 Slow down\r\n\r\n" },
	};
	size_t i;

	for (i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
		cr_expect_eq(rig_attempt_one(replies[i]), 1, "%zu", i);
	rig_attempt_one(replies[0]);
	cr_expect_eq(rig.outcome->verdict, OCSP_REVOKED);
	cr_expect_eq(rig.outcome->times.next_update, NOW + HOUR);
	cr_expect(said("it says that the certificate is revoked"));
	rig_attempt_one(replies[2]);
	cr_expect_eq(rig.outcome->http.retry_after, 120);
	OPENSSL_free((void *)replies[0].der.data);
}

/* The caller knows better than an outcome that is right in itself. */
Test(fetch_fetch, asks_by_post_when_the_caller_refuses_what_came_by_get)
{
	const struct response_order revoked = {
		.answers = { { MINE, .status = V_OCSP_CERTSTATUS_REVOKED } },
	};
	const struct ocsp_bytes by_get[] = { rig.good, made(&revoked) };
	size_t i;

	for (i = 0; i < sizeof(by_get) / sizeof(by_get[0]); i++) {
		const struct reply replies[] = {
			{ .text = OCSP_HEAD, .der = by_get[i] },
			{ .text = OCSP_HEAD, .der = rig.good },
		};

		rig_new(replies, 2);
		rig_transfer(fetch_next(rig.fetch));
		fetch_refuse(rig.fetch);
		rig_transfer(fetch_next(rig.fetch));
		cr_expect(asked(1, "POST /ocsp HTTP"));
		cr_expect(got_good(), "%s", rig.outcome->error);
		fetch_refuse(rig.fetch);
		cr_expect_null(fetch_next(rig.fetch), "there is no third way");
	}
	OPENSSL_free((void *)by_get[1].data);
}

Test(fetch_fetch, respects_a_wish_to_wait_whatever_the_caller_refuses)
{
	const struct reply replies[] = {
		{ .text = "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\n\r\n" },
		{ .text = OCSP_HEAD, .der = TRY_LATER },
	};
	size_t i;

	for (i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		rig_new(&replies[i], 1);
		rig_transfer(fetch_next(rig.fetch));
		fetch_refuse(rig.fetch);
		cr_expect_null(fetch_next(rig.fetch), "%zu", i);
	}
}

Test(fetch_fetch, does_not_ask_again_whom_it_cannot_reach)
{
	int port = rig.server.port;

	sprintf(rig.url, "http://127.0.0.1:1/");
	cr_expect_eq(rig_attempt_one((struct reply){ .text = "" }), 1);
	sprintf(rig.url, "https://127.0.0.1:%d/", port);
	cr_expect_eq(rig_attempt_one((struct reply){ .text = "" }), 1);
}

Test(fetch_fetch, asks_by_post_alone_when_the_url_would_be_too_long)
{
	memset(rig.url + strlen(rig.url), 'x', 200);
	cr_expect_eq(rig_attempt_one((struct reply){ .text = OCSP_HEAD, .der = rig.good }), 1);
	cr_expect(got_good(), "%s", rig.outcome->error);
	cr_expect(asked(0, "POST /ocspxxx"));
	cr_expect_eq(rig_attempt_one((struct reply){ .text = "" }), 1);
	cr_expect_eq(rig.outcome->result, FETCH_BROKEN);
}

Test(fetch_fetch, reports_what_post_came_to)
{
	const struct reply replies[] = {
		{ .text = "HTTP/1.1 404 No\r\n\r\n" },
		{ .text = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n" },
	};

	cr_expect_eq(rig_attempt(replies, 2), 2);
	cr_expect_eq(rig.outcome->http.status, 503);
	cr_expect_eq(rig.outcome->http.retry_after, 7);
	cr_expect(said("answered POST with HTTP status 503"));
}

Test(fetch_fetch, reports_the_response_of_a_server_that_knows_only_get)
{
	const struct reply replies[] = {
		{ .text = OCSP_HEAD, .der = UNAUTHORIZED },
		{ .text = "HTTP/1.1 405 No\r\nRetry-After: 60\r\n\r\n" },
	};

	cr_expect_eq(rig_attempt(replies, 2), 2);
	cr_expect_eq(rig.outcome->result, FETCH_ANSWER);
	cr_expect_eq(rig.outcome->verdict, OCSP_UNAUTHORIZED);
	cr_expect(said("answered GET with a response"));
	cr_expect_eq(rig.outcome->der.len, 5);
	cr_expect_eq(rig.outcome->http.retry_after, 60);
}

Test(fetch_fetch, refuses_what_it_cannot_ask)
{
	static const char *const urls[] = {
		"ftp://127.0.0.1/", "file:///etc/passwd", "", "/", "127.0.0.1",
		"http://", "http://user@127.0.0.1/", "http://a b/",
		"http://127.0.0.1:99999/",
	};
	char error[200];
	size_t i;

	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		error[0] = '\0';
		cr_expect_null(fetch_new(&rig.options, rig.leaf, rig.issuer,
					 urls[i], error, sizeof(error)),
			       "%s", urls[i]);
		cr_expect(strstr(error, "http or https"), "%s", error);
	}
	cr_expect_null(fetch_new(&rig.options, rig.good, rig.issuer, rig.url,
				 error, sizeof(error)));
	cr_expect(strstr(error, "cannot be parsed"), "%s", error);
	fetch_free(NULL);
}

Test(fetch_fetch, tells_its_steps_only_when_asked_to)
{
	rig_attempt_one((struct reply){ .text = OCSP_HEAD, .der = rig.good });
	cr_expect(strstr(rig.steps, "GET http://127.0.0.1:"), "%s", rig.steps);
	cr_expect(strstr(rig.steps, "trying 127.0.0.1:"), "%s", rig.steps);
	cr_expect(strstr(rig.steps, "answer: HTTP/1.1 200 OK\n"), "%s",
		  rig.steps);
	rig.options.debug = NULL;
	rig_attempt_one((struct reply){ .text = OCSP_HEAD, .der = rig.good });
	cr_expect_str_eq(rig.steps, "");
}
