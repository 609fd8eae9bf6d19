/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "ocsp/ocsp.h"
#include "tests/ocsp_response.h"

static struct pki pki;

static void setup(void)
{
	pki = pki_make();
}

static void teardown(void)
{
	pki_free(&pki);
}

TestSuite(ocsp_parse, .init = setup, .fini = teardown, .timeout = 60);

Test(ocsp_parse, names_each_error_status_of_a_responder)
{
	static const enum ocsp_verdict want[] = {
		OCSP_NOT_BASIC,	   OCSP_MALFORMED_REQUEST, OCSP_INTERNAL_ERROR,
		OCSP_TRY_LATER,	   OCSP_UNDEFINED_STATUS,  OCSP_SIG_REQUIRED,
		OCSP_UNAUTHORIZED, OCSP_UNDEFINED_STATUS,
	};
	static const uint8_t empty[] = { 0x30, 0x02, 0x0a, 0x00 };
	static const uint8_t wide[] = { 0x30, 0x04, 0x0a, 0x02, 0x00, 0x03 };
	uint8_t der[] = { 0x30, 0x03, 0x0a, 0x01, 0 };
	struct ocsp_times times;
	uint8_t status;

	for (status = 0; status < 8; status++) {
		der[4] = status;
		cr_expect_eq(judge(&pki, (struct ocsp_bytes){ der, 5 }, &times),
			     want[status], "status %d", status);
	}
	cr_expect_eq(judge(&pki, (struct ocsp_bytes){ empty, 4 }, &times),
		     OCSP_NOT_DER);
	cr_expect_eq(judge(&pki, (struct ocsp_bytes){ wide, 6 }, &times),
		     OCSP_NOT_DER);
}

static void expect(struct ocsp_bytes der, enum ocsp_verdict want,
		   const char *what)
{
	struct ocsp_times times;
	enum ocsp_verdict got = judge(&pki, der, &times);

	cr_expect_eq(got, want, "%s: got %d, %s", what, got, ocsp_reason(got));
}

Test(ocsp_parse, refuses_what_is_no_response)
{
	static const char html[] = "<html><body>200 OK</body></html>";
	struct ocsp_bytes good =
		make_response(&pki, &(struct response_order){ 0 });
	struct blob *b = calloc(1, sizeof(*b));
	size_t len;

	expect((struct ocsp_bytes){ NULL, 0 }, OCSP_NOT_DER, "nothing");
	expect((struct ocsp_bytes){ (const uint8_t *)html, sizeof(html) },
	       OCSP_NOT_DER, "a web page");
	for (len = 0; len < good.len; len++)
		expect((struct ocsp_bytes){ good.data, len }, OCSP_NOT_DER,
		       "cut short");
	expect(good, OCSP_OK, "whole");
	blob_put(b, good.data, good.len);
	blob_put(b, "\0", 1);
	expect(blob_bytes(b), OCSP_NOT_DER, "a byte behind it");
	b->len = 65527;
	expect(blob_bytes(b), OCSP_NOT_DER, "as much rubbish as TLS takes");
	b->len++;
	expect(blob_bytes(b), OCSP_TOO_LONG, "more than TLS takes");
	OPENSSL_free((void *)good.data);
	free(b);
}

/* A good response's BasicOCSPResponse, to be put into another envelope. */
static void put_basic(struct blob *b)
{
	OCSP_BASICRESP *basic =
		make_basic(&pki, &(struct response_order){ 0 });
	uint8_t *der = NULL;
	int len = i2d_OCSP_BASICRESP(basic, &der);

	b->len = 0;
	blob_put(b, der, (size_t)len);
	OPENSSL_free(der);
	OCSP_BASICRESP_free(basic);
}

/* The same steps as blob_envelope(), with a NULL behind step @odd. */
static void odd_envelope(struct blob *b, int odd)
{
	static const uint8_t tags[] = { 0x04, 0x30, 0xa0, 0x30 };
	int step;

	put_basic(b);
	for (step = 0; step <= 4; step++) {
		if (step == odd)
			blob_put(b, "\x05\x00", 2);
		if (step == 4)
			break;
		blob_wrap(b, tags[step]);
		if (step == 0)
			blob_prepend(b, BASIC_OID, BASIC_OID_LEN);
		if (step == 2)
			blob_prepend(b, "\x0a\x01\x00", 3);
	}
}

Test(ocsp_parse, refuses_other_envelopes)
{
	struct blob *b = calloc(1, sizeof(*b));
	int odd;

	for (odd = 0; odd <= 4; odd++) {
		odd_envelope(b, odd);
		expect(blob_bytes(b), OCSP_NOT_DER, "a NULL behind a level");
	}
	odd_envelope(b, -1);
	expect(blob_bytes(b), OCSP_OK, "as it should be");

	put_basic(b);
	blob_envelope(b, "\x06\x01\x2a", 3);
	expect(blob_bytes(b), OCSP_NOT_BASIC, "another response type");

	put_basic(b);
	blob_wrap(b, 0x04);
	b->data[0] = 0x24;
	blob_prepend(b, BASIC_OID, BASIC_OID_LEN);
	blob_wrap(b, 0x30);
	blob_wrap(b, 0xa0);
	blob_prepend(b, "\x0a\x01\x00", 3);
	blob_wrap(b, 0x30);
	expect(blob_bytes(b), OCSP_NOT_DER, "constructed OCTET STRING");

	put_basic(b);
	blob_envelope(b, BASIC_OID, BASIC_OID_LEN);
	b->data[1] = 0x80;
	memmove(b->data + 2, b->data + 4, b->len - 4);
	memset(b->data + b->len - 2, 0, 2);
	expect(blob_bytes(b), OCSP_NOT_DER, "indefinite length");

	put_basic(b);
	blob_envelope(b, BASIC_OID, BASIC_OID_LEN);
	memmove(b->data + 3, b->data + 2, b->len - 2);
	b->data[1] = 0x83;
	b->data[2] = 0;
	b->len++;
	expect(blob_bytes(b), OCSP_NOT_DER, "longer length than needed");
	free(b);
}

static void expect_signed(struct blob *b, enum ocsp_verdict want,
			  const char *what)
{
	blob_wrap(b, 0x30);
	blob_sign(b, pki.key, EVP_sha256(), SHA256_RSA, SHA256_RSA_LEN,
		  (struct ocsp_bytes){ NULL, 0 });
	expect(blob_bytes(b), want, what);
}

/* Newer libraries leave a default out when they encode what was signed. */
#if OPENSSL_VERSION_NUMBER >= 0x30500000L
#define CRITICAL_FALSE OCSP_NOT_DER
#else
#define CRITICAL_FALSE OCSP_OK
#endif

Test(ocsp_parse, refuses_other_versions_and_encodings_though_well_signed)
{
	/* [1] { { { 1.2.3, critical FALSE, "" } } } */
	static const uint8_t explicit_false[] = {
		0xa1, 0x0d, 0x30, 0x0b, 0x30, 0x09, 0x06, 0x02,
		0x2a, 0x03, 0x01, 0x01, 0x00, 0x04, 0x00,
	};
	struct blob *b = calloc(1, sizeof(*b));

	put_data(b, &pki, &(struct response_order){ 0 });
	expect_signed(b, OCSP_OK, "v1, implied");
	put_data(b, &pki, &(struct response_order){ 0 });
	blob_prepend(b, "\xa0\x03\x02\x01\x00", 5);
	expect_signed(b, OCSP_OK, "v1, explicit");
	put_data(b, &pki, &(struct response_order){ 0 });
	blob_prepend(b, "\xa0\x03\x02\x01\x01", 5);
	expect_signed(b, OCSP_NOT_V1, "v2");
	put_data(b, &pki, &(struct response_order){ 0 });
	blob_prepend(b, "\xa0\x03\x02\x01\xff", 5);
	expect_signed(b, OCSP_NOT_V1, "v0");
	put_data(b, &pki, &(struct response_order){ 0 });
	blob_put(b, explicit_false, sizeof(explicit_false));
	expect_signed(b, CRITICAL_FALSE, "explicit critical FALSE");
	put_data(b, &pki, &(struct response_order){ 0 });
	MUST(b->data[0] == 0xa1 && b->data[2] == 0x30);
	memmove(b->data + 4, b->data + 3, b->len - 3);
	b->data[1]++;
	b->data[3] = 0x81;
	b->len++;
	expect_signed(b, OCSP_NOT_DER, "responder's name in BER");
	put_data(b, &pki, &(struct response_order){ 0 });
	blob_put(b, "\x05\x00", 2);
	expect_signed(b, OCSP_NOT_DER, "another element");
	put_data(b, &pki, &(struct response_order){ 0 });
	blob_put(b, "\xa1\x02\x30\x00", 4);
	expect_signed(b, OCSP_OK, "an empty list of extensions");
	free(b);
}
