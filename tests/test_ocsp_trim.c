/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "ocsp/trim.h"
#include "tests/ocsp_response.h"

static struct pki pki;
static EVP_PKEY *key;
static X509 *delegate, *expired;

static void setup(void)
{
	struct cert_order order = {
		.name = "Responder",
		.eku = "OCSPSigning",
		.ku = "digitalSignature",
		.md = EVP_sha256(),
	};

	pki = pki_make();
	key = rsa_key(2); /* its signatures of one text are the same */
	order.key = key;
	order.issuer = pki.issuer;
	order.issuer_key = pki.key;
	delegate = cert_make(&order);
	order.to = -DAY;
	expired = cert_make(&order);
}

static void teardown(void)
{
	pki_free(&pki);
	EVP_PKEY_free(key);
	X509_free(delegate);
	X509_free(expired);
}

TestSuite(ocsp_trim, .init = setup, .fini = teardown, .timeout = 60);

/* @order's response with @before and @after the certificates it has. */
static struct blob *with_certs(const struct response_order *order,
			       X509 *const *before, X509 *const *after)
{
	struct response_order unsigned_order = *order;
	struct blob *b = calloc(1, sizeof(*b));
	OCSP_RESPONSE *response;
	OCSP_BASICRESP *basic;
	uint8_t *der = NULL;
	int len;

	unsigned_order.bare = true;
	basic = make_basic(&pki, &unsigned_order);
	for (; before && *before; before++)
		MUST(OCSP_basic_add1_cert(basic, *before));
	if (order->signer && !order->bare)
		MUST(OCSP_basic_add1_cert(basic, order->signer));
	for (; after && *after; after++)
		MUST(OCSP_basic_add1_cert(basic, *after));
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(response, &der);
	MUST(b && len > 0);
	blob_put(b, der, (size_t)len);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	return b;
}

static void trim(struct blob *b)
{
	struct ocsp_bytes issuer = cert_bytes(pki.issuer);

	b->len = ocsp_trim(b->data, b->len, issuer, NOW);
	OPENSSL_free((void *)issuer.data);
}

static void expect_same(const struct blob *got, const struct blob *want,
			const char *what)
{
	cr_expect(got->len == want->len &&
			  !memcmp(got->data, want->data, got->len),
		  "%s: %zu bytes, not %zu", what, got->len, want->len);
}

static void free_all(struct blob *a, struct blob *b)
{
	free(a);
	free(b);
}

Test(ocsp_trim, leaves_the_signers_certificate_alone)
{
	const struct response_order plain = { 0 }, by_key = { .by_key = true };
	const struct response_order issuer = { .signer = pki.issuer };
	const struct response_order by_delegate = {
		.signer = delegate, .key = key };
	const struct response_order revoked = {
		.answers = { { .whose = MINE,
			       .status = V_OCSP_CERTSTATUS_REVOKED } },
		.signer = delegate, .key = key, .by_key = true };
	X509 *const others[] = { pki.other, pki.leaf, pki.other, NULL };
	X509 *const one[] = { pki.other, NULL };
	X509 *const namesakes[] = { expired, expired, NULL };
	X509 *const copies[] = { delegate, delegate, NULL };
	const struct {
		const char *what;
		const struct response_order *order;
		X509 *const *before, *const *after;
	} cases[] = {
		{ "the issuer's, nothing embedded", &plain, NULL, NULL },
		{ "the issuer's, another's", &plain, one, NULL },
		{ "the issuer's, others behind", &plain, NULL, others },
		{ "the issuer's, by key, others", &by_key, others, NULL },
		{ "the issuer's, itself embedded", &issuer, NULL, NULL },
		{ "the issuer's, itself among others", &issuer, others, others },
		{ "a delegate's", &by_delegate, NULL, NULL },
		{ "a delegate's, and another's", &by_delegate, NULL, one },
		{ "a delegate's, others behind", &by_delegate, NULL, others },
		{ "a delegate's, others before", &by_delegate, others, NULL },
		{ "a delegate's, old ones before", &by_delegate, namesakes,
		  NULL },
		{ "a delegate's, and copies", &by_delegate, NULL, copies },
		{ "revoked", &revoked, others, others },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct blob *b = with_certs(cases[i].order, cases[i].before,
					    cases[i].after);
		struct blob *want = with_certs(cases[i].order, NULL, NULL);

		trim(b);
		expect_same(b, want, cases[i].what);
		free_all(b, want);
	}
}

Test(ocsp_trim, makes_a_response_as_good_as_before)
{
	const struct response_order order = { .signer = delegate, .key = key };
	X509 *others[90] = { NULL };
	struct ocsp_times before, after;
	struct blob *b;
	size_t i, len;

	for (i = 0; i + 1 < sizeof(others) / sizeof(others[0]); i++)
		others[i] = i % 2 ? pki.other : pki.issuer;
	b = with_certs(&order, others, NULL);
	len = b->len;
	cr_assert_gt(len, 60000);
	cr_assert_eq(judge(&pki, blob_bytes(b), &before), OCSP_OK);
	trim(b);
	cr_expect_lt(b->len, 2000);
	cr_expect_eq(judge(&pki, blob_bytes(b), &after), OCSP_OK);
	cr_expect_eq(before.this_update, after.this_update);
	cr_expect_eq(before.next_update, after.next_update);
	free(b);
}

/* A CA of few bytes, and the serial number's first @digits digits. */
static void make_small(unsigned int digits)
{
	static const char serial[] = "7123456789abcdef0123456789abcdef01234567";
	char text[sizeof(serial)];

	snprintf(text, sizeof(text), "%.*s", digits, serial);
	pki_free(&pki);
	pki = (struct pki){ .key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
	MUST(pki.key);
	pki.issuer = cert_make(&(struct cert_order){ .name = "I",
						     .key = pki.key });
	pki.leaf = cert_make(&(struct cert_order){
		.name = "l", .serial = text, .key = pki.key,
		.issuer = pki.issuer, .issuer_key = pki.key });
}

/* Around 256 bytes the heads' own lengths change. */
Test(ocsp_trim, fits_heads_to_every_length)
{
	struct response_order order = { .by_key = true };
	X509 *const others[] = { delegate, delegate, NULL };
	struct blob *b, *want;
	unsigned int i;

	for (i = 0; i < 40; i++) {
		make_small(i / 2 * 2 + 2);
		order.by_key = i % 2;
		b = with_certs(&order, others, NULL);
		want = with_certs(&order, NULL, NULL);
		trim(b);
		expect_same(b, want, "its own certificates");
		free_all(b, want);
	}
}

Test(ocsp_trim, touches_nothing_else)
{
	const struct response_order wrong = { .signer = expired, .key = key };
	X509 *const others[] = { pki.other, NULL };
	struct blob *b = with_certs(&wrong, others, others);
	struct blob *want = with_certs(&wrong, others, others);

	trim(b);
	expect_same(b, want, "nobody who may sign");
	memcpy(b->data, "<html>", 6);
	memcpy(want->data, "<html>", 6);
	trim(b);
	expect_same(b, want, "no response");
	b->len = want->len = 0;
	trim(b);
	expect_same(b, want, "nothing");
	free_all(b, want);
}
