/* SPDX-License-Identifier: MIT */
/* Every result, with the sentence for it. */
#include "tests/fetch_rig.h"

TestSuite(fetch_outcome, .timeout = 60, .init = rig_init, .fini = rig_fini);

static const struct {
	const char *what;
	struct reply reply;
	enum fetch_result result;
	const char *said; /* behind the address */
} cases[] = {
	{ "204", { .text = "HTTP/1.1 204 No Content\r\n\r\n" }, FETCH_STATUS,
	  " answered POST with HTTP status 204" },
	{ "304", { .text = "HTTP/1.1 304 Not Modified\r\n\r\n" }, FETCH_STATUS,
	  " answered POST with HTTP status 304" },
	{ "500 with a page", { .text = "HTTP/1.1 500 O\r\n\r\n", .flood = 100000 },
	  FETCH_STATUS, " answered POST with HTTP status 500" },
	{ "500 that hangs up early",
	  { .text = "HTTP/1.1 500 O\r\nContent-Length: 9\r\n\r\n" }, FETCH_STATUS,
	  " answered POST with HTTP status 500" },
	{ "503", { .text = "HTTP/1.1 503 Busy\r\nRetry-After: 30\r\n\r\n" },
	  FETCH_STATUS,
	  " answered GET with HTTP status 503, to be tried again in 30 s" },
	{ "a redirect without a place", { .text = "HTTP/1.1 302 Found\r\n\r\n" },
	  FETCH_STATUS, " answered POST with HTTP status 302" },
	{ "HTML", { .text = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>" },
	  FETCH_TYPE,
	  " answered POST with the media type text/html, not "
	  "application/ocsp-response" },
	{ "much HTML",
	  { .text = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>",
	    .flood = 100000 }, FETCH_TYPE, "text/html" },
	{ "a bad type",
	  { .text = "HTTP/1.1 200 OK\r\nContent-Type: a\x1b[2J\xc3\r\n\r\n" },
	  FETCH_TYPE, " a\\x1b[2J\\xc3," },
	{ "no type", { .text = "HTTP/1.1 200 OK\r\n\r\n" }, FETCH_TYPE,
	  " answered POST without a media type" },
	{ "too much", { .text = OCSP_HEAD, .flood = 70000 }, FETCH_TOO_LONG,
	  " answered POST with more than 64 KiB" },
	{ "nothing", { .text = "" }, FETCH_BROKEN, " broke off: Empty reply" },
	{ "half a head", { .text = "HTTP/1.1 200 OK\r\nContent-" }, FETCH_BROKEN,
	  " broke off: no end of its head" },
	{ "half a body", { .text = "HTTP/1.1 200 OK\r\n" OCSP_TYPE
			   "Content-Length: 9\r\n\r\n0" },
	  FETCH_BROKEN, " broke off: transfer closed with 8 bytes" },
	{ "bad chunks", { .text = "HTTP/1.1 200 OK\r\n" OCSP_TYPE
			  "Transfer-Encoding: chunked\r\n\r\nzzz\r\n" },
	  FETCH_BROKEN, " broke off: " },
	{ "no HTTP", { .text = "SSH-2.0-OpenSSH\r\n" }, FETCH_BROKEN, " broke off: " },
	{ "a redirect to itself",
	  { .text = "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:%d/\r\n\r\n" },
	  FETCH_REDIRECTS, " is not followed: Maximum (3) redirects" },
	{ "a redirect to a file",
	  { .text = "HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\n\r\n" },
	  FETCH_REDIRECTS, " is not followed: " },
	{ "a redirect with a user",
	  { .text = "HTTP/1.1 302 F\r\nLocation: http://u:p@127.0.0.1:%d/\r\n\r\n" },
	  FETCH_REDIRECTS, " is not followed: " },
	{ "garbage", { .text = OCSP_HEAD "garbage" }, FETCH_ANSWER,
	  " answered POST with a response that is not to be stapled: it is not "
	  "a well-formed OCSP response in DER" },
	{ "type in capitals, with parameters",
	  { .text = "HTTP/1.1 200 OK\r\nContent-Type: Application/OCSP-Response; a=b"
	    "\r\n\r\n" }, FETCH_ANSWER, "well-formed" },
	{ "100 first",
	  { .text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\n\r\n" },
	  FETCH_STATUS, " HTTP status 404" },
};

Test(fetch_outcome, says_what_came)
{
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_attempt_one(cases[i].reply);
		cr_expect_eq(rig.outcome->result, cases[i].result, "%s: %s",
			     cases[i].what, rig.outcome->error);
		cr_expect(said(cases[i].said), "%s: %s", cases[i].what,
			  rig.outcome->error);
		cr_expect(said(rig.outcome->address), "%s: %s", cases[i].what,
			  rig.outcome->error);
		cr_expect(!said("/ocsp "), "%s", rig.outcome->error);
	}
}

Test(fetch_outcome, takes_a_type_with_parameters)
{
	rig_attempt_one((struct reply){
		.text = "HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response; "
		"charset=binary\r\nCache-Control: max-age=60\r\n\r\n",
		.der = rig.good });
	cr_expect(got_good(), "%s", rig.outcome->error);
	cr_expect_eq(rig.outcome->http.fresh, 60);
}

/* The good response, with certificates that somebody added. */
static struct ocsp_bytes inflated(void)
{
	const uint8_t *p = rig.good.data;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p,
						    (long)rig.good.len);
	OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
	uint8_t *der = NULL;
	int i, len;

	for (i = 0; i < 100; i++)
		MUST(OCSP_basic_add1_cert(basic, rig.pki.leaf));
	OCSP_RESPONSE_free(response);
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(response, &der);
	MUST(len > 0);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	return (struct ocsp_bytes){ der, (size_t)len };
}

Test(fetch_outcome, leaves_out_certificates_that_vouch_for_nothing)
{
	struct ocsp_bytes der = inflated();

	cr_assert_gt(der.len, 20000);
	rig_attempt_one((struct reply){ .text = OCSP_HEAD, .der = der });
	cr_assert(got_good(), "%zu bytes", rig.outcome->der.len);
	cr_expect_arr_eq(rig.outcome->der.data, rig.good.data, rig.good.len);
	OPENSSL_free((void *)der.data);
}

Test(fetch_outcome, names_address_and_time_when_nothing_comes)
{
	char text[100];

	rig.options.timeout_ms = SOON_MS;
	rig_attempt_one((struct reply){ .text = "", .hang = true });
	cr_expect_eq(rig.outcome->result, FETCH_TIMEOUT);
	sprintf(text, " from 127.0.0.1:%d in time: ", rig.server.port);
	cr_expect(said(text), "%s", rig.outcome->error);
	cr_expect(said("milliseconds"), "%s", rig.outcome->error);
	cr_expect_eq(rig.outcome->http.retry_after, -1);
}

Test(fetch_outcome, names_the_addresses_that_refuse)
{
	rig.resolve = curl_slist_append(NULL,
					"responder.test:1:127.0.0.1,127.0.0.2");
	strcpy(rig.url, "http://responder.test:1/");
	rig_attempt_one((struct reply){ .text = "" });
	cr_expect_eq(rig.outcome->result, FETCH_NO_CONNECTION);
	cr_expect_str_eq(rig.outcome->address, "");
	cr_expect_str_eq(rig.outcome->error,
			 "cannot connect to 127.0.0.1:1, 127.0.0.2:1: "
			 "Connection refused");
}

Test(fetch_outcome, names_what_cannot_be_resolved)
{
	/* An empty label: no resolver is asked. */
	strcpy(rig.url, "http://a..invalid/");
	rig_attempt_one((struct reply){ .text = "" });
	cr_expect_eq(rig.outcome->result, FETCH_NO_ADDRESS);
	cr_expect(said("Could not resolve host: a..invalid"), "%s",
		  rig.outcome->error);
}

Test(fetch_outcome, names_the_address_after_a_redirect)
{
	rig_attempt_one((struct reply){
		.text = "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:1/\r\n\r\n" });
	cr_expect_eq(rig.outcome->result, FETCH_NO_CONNECTION);
	cr_expect_str_eq(rig.outcome->error,
			 "cannot connect to 127.0.0.1:1: Connection refused");
}

Test(fetch_outcome, says_why_tls_failed)
{
	sprintf(rig.url, "https://127.0.0.1:%d/", rig.server.port);
	rig_attempt_one((struct reply){ .text = "" });
	cr_expect_eq(rig.outcome->result, FETCH_TLS, "%s", rig.outcome->error);
	cr_expect(said("TLS with 127.0.0.1:"), "%s", rig.outcome->error);
	rig.options.ca_file = "/nowhere/ca.pem";
	rig_attempt_one((struct reply){ .text = "" });
	cr_expect_eq(rig.outcome->result, FETCH_TLS, "%s", rig.outcome->error);
	cr_expect(said("/nowhere/ca.pem"), "%s", rig.outcome->error);
}

Test(fetch_outcome, blames_the_proxy)
{
	char proxy[60];

	sprintf(proxy, "http://127.0.0.1:%d", rig.server.port);
	rig.options.proxy = proxy;
	strcpy(rig.url, "http://responder.invalid/");
	rig_attempt_one((struct reply){ .text = "HTTP/1.1 407 Who?\r\n\r\n" });
	cr_expect_eq(rig.outcome->result, FETCH_PROXY);
	cr_expect(said("answered with HTTP status 407"), "%s",
		  rig.outcome->error);
	strcpy(rig.url, "https://responder.invalid/");
	rig_attempt_one((struct reply){ .text = "HTTP/1.1 403 No\r\n\r\n" });
	cr_expect_eq(rig.outcome->result, FETCH_PROXY);
	cr_expect(said("answered with HTTP status 403"), "%s",
		  rig.outcome->error);
	/* Once there is a tunnel, it is the responder's TLS that fails. */
	rig_attempt_one((struct reply){ .text = "HTTP/1.1 200 OK\r\n\r\n" });
	cr_expect_eq(rig.outcome->result, FETCH_TLS, "%s", rig.outcome->error);
	rig.options.proxy = "http://127.0.0.1:1";
	rig_attempt_one((struct reply){ .text = "" });
	cr_expect_eq(rig.outcome->result, FETCH_PROXY);
	cr_expect(said("cannot be reached: 127.0.0.1:1: Connection refused"),
		  "%s", rig.outcome->error);
	rig.options.proxy = "http://a..invalid:1";
	rig_attempt_one((struct reply){ .text = "" });
	cr_expect_eq(rig.outcome->result, FETCH_PROXY);
}

Test(fetch_outcome, has_a_word_for_every_result)
{
	int a, b;

	for (a = 0; a < FETCH_RESULTS; a++)
		for (b = 0; b <= a; b++)
			cr_expect_eq(!strcmp(fetch_result_word(a),
					     fetch_result_word(b)), a == b);
}
