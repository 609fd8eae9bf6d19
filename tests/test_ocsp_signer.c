/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "ocsp/ocsp.h"
#include "tests/ocsp_response.h"

/* In the tables, what is left out is zero on purpose. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define EKU "OCSPSigning"
#define KU "digitalSignature"

static struct pki pki;
static EVP_PKEY *key, *second_key;

static void setup(void)
{
	pki = pki_make();
	key = EVP_EC_gen("P-256");
	second_key = EVP_EC_gen("P-256");
}

static void teardown(void)
{
	pki_free(&pki);
	EVP_PKEY_free(key);
	EVP_PKEY_free(second_key);
}

TestSuite(ocsp_signer, .init = setup, .fini = teardown, .timeout = 60);

static void expect(const struct response_order *order, enum ocsp_verdict want,
		   const char *what)
{
	struct ocsp_times times;
	enum ocsp_verdict got = judge_order(&pki, order, &times);

	cr_expect_eq(got, want, "%s: got %d, %s", what, got, ocsp_reason(got));
}

/* A delegate's certificate; what @order leaves out is as it should be. */
static X509 *delegate(struct cert_order order)
{
	if (!order.name)
		order.name = "Responder";
	if (!order.key)
		order.key = key;
	if (!order.issuer) {
		order.issuer = pki.issuer;
		order.issuer_key = pki.key;
	}
	if (!order.md)
		order.md = EVP_sha256();
	return cert_make(&order);
}

Test(ocsp_signer, takes_the_issuers_own_signature)
{
	static const struct {
		const char *what;
		struct response_order order;
		enum ocsp_verdict want;
	} cases[] = {
		{ "by name", { .bare = true }, OCSP_OK },
		{ "by key", { .by_key = true }, OCSP_OK },
		{ "SHA-384", { .md = EVP_sha384 }, OCSP_OK },
		{ "SHA-512", { .md = EVP_sha512 }, OCSP_OK },
		{ "SHA-1", { .md = EVP_sha1 }, OCSP_OK },
		{ "MD5", { .md = EVP_md5 }, OCSP_WEAK_ALGORITHM },
		{ "PSS", { .pss = true }, OCSP_OK },
		{ "PSS, SHA-512", { .pss = true, .md = EVP_sha512 }, OCSP_OK },
		{ "PSS, SHA-1", { .pss = true, .md = EVP_sha1 }, OCSP_OK },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(&cases[i].order, cases[i].want, cases[i].what);
	expect(&(struct response_order){ .signer = pki.issuer }, OCSP_OK,
	       "its certificate embedded");
}

#define RSA_OID "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01"
#define MD5_ID "\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00"

Test(ocsp_signer, refuses_odd_algorithm_identifiers_over_a_right_signature)
{
	static const struct {
		const char *what, *id;
		size_t len;
		enum ocsp_verdict want;
	} cases[] = {
#define ID(string) (string), sizeof(string) - 1
		{ "SHA-256", ID("\x30\x0d" RSA_OID "\x0b\x05\x00"), OCSP_OK },
		{ "no parameters", ID("\x30\x0b" RSA_OID "\x0b"), OCSP_OK },
		{ "an INTEGER for parameters",
		  ID("\x30\x0e" RSA_OID "\x0b\x02\x01\x00"),
		  OCSP_WEAK_ALGORITHM },
		{ "MD5", ID("\x30\x0d" RSA_OID "\x04\x05\x00"),
		  OCSP_WEAK_ALGORITHM },
		{ "a key's algorithm", ID("\x30\x0d" RSA_OID "\x01\x05\x00"),
		  OCSP_WEAK_ALGORITHM },
		{ "PSS with MD5",
		  ID("\x30\x1d" RSA_OID "\x0a\x30\x10\xa0\x0e" MD5_ID),
		  OCSP_WEAK_ALGORITHM },
		{ "PSS without parameters", ID("\x30\x0b" RSA_OID "\x0a"),
		  OCSP_WEAK_ALGORITHM },
		{ "PSS's defaults over PKCS #1",
		  ID("\x30\x0d" RSA_OID "\x0a\x30\x00"),
		  OCSP_BAD_SIGNATURE },
		{ "nothing known", ID("\x30\x03\x06\x01\x2a"),
		  OCSP_WEAK_ALGORITHM },
#undef ID
	};
	struct blob *b = calloc(1, sizeof(*b));
	struct ocsp_times times;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_data(b, &pki, &(struct response_order){ 0 });
		blob_wrap(b, 0x30);
		blob_sign(b, pki.key, EVP_sha256(), cases[i].id, cases[i].len,
			  (struct ocsp_bytes){ NULL, 0 });
		cr_expect_eq(judge(&pki, blob_bytes(b), &times), cases[i].want,
			     "%s", cases[i].what);
	}
	free(b);
}

Test(ocsp_signer, judges_each_demand_on_a_delegate)
{
	const struct {
		const char *what;
		struct cert_order order;
		enum ocsp_verdict want;
	} cases[] = {
		{ "right", { .ku = KU, .eku = EKU }, OCSP_OK },
		{ "without key usage", { .eku = EKU }, OCSP_OK },
		{ "non-repudiation", { .ku = "nonRepudiation", .eku = EKU },
		  OCSP_OK },
		{ "critical EKU of two",
		  { .eku = "critical,serverAuth,OCSPSigning" }, OCSP_OK },
		{ "critical no-check",
		  { .eku = EKU, .extra_oid = "1.3.6.1.5.5.7.48.1.5" },
		  OCSP_OK },
		{ "key encipherment",
		  { .ku = "keyEncipherment", .eku = EKU },
		  OCSP_DELEGATE_KEY_USAGE },
		{ "certificate signing", { .ku = "keyCertSign", .eku = EKU },
		  OCSP_DELEGATE_KEY_USAGE },
		{ "no EKU", { .ku = KU }, OCSP_DELEGATE_EKU },
		{ "another EKU", { .eku = "serverAuth" }, OCSP_DELEGATE_EKU },
		{ "any EKU", { .eku = "anyExtendedKeyUsage" },
		  OCSP_DELEGATE_EKU },
		{ "unknown critical extension",
		  { .eku = EKU, .extra_oid = UNKNOWN_OID },
		  OCSP_DELEGATE_EXTENSION },
		{ "broken basic constraints",
		  { .eku = EKU, .extra_oid = "2.5.29.19" },
		  OCSP_DELEGATE_EXTENSION },
		{ "from now", { .eku = EKU, .from = -1 }, OCSP_OK },
		{ "from a second ahead", { .eku = EKU, .from = 1 },
		  OCSP_DELEGATE_NOT_YET },
		{ "until in a second", { .eku = EKU, .to = 1 }, OCSP_OK },
		{ "until a second ago", { .eku = EKU, .to = -1 },
		  OCSP_DELEGATE_EXPIRED },
		{ "signed with SHA-1", { .eku = EKU, .md = EVP_sha1() },
		  OCSP_OK },
		{ "signed with MD5", { .eku = EKU, .md = EVP_md5() },
		  OCSP_DELEGATE_WEAK },
		{ "issued by itself",
		  { .eku = EKU, .issuer = pki.issuer, .issuer_key = key },
		  OCSP_DELEGATE_NOT_ISSUED },
		{ "issued by another CA",
		  { .eku = EKU, .issuer = pki.other,
		    .issuer_key = pki.other_key },
		  OCSP_DELEGATE_NOT_ISSUED },
		{ "right key, other issuer name",
		  { .eku = EKU, .issuer = pki.other, .issuer_key = pki.key },
		  OCSP_DELEGATE_NOT_ISSUED },
		{ "of the issuer's name",
		  { .name = "Issuer", .eku = EKU }, OCSP_OK },
	};
	X509 *cert;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cert = delegate(cases[i].order);
		expect(&(struct response_order){ .signer = cert, .key = key },
		       cases[i].want, cases[i].what);
		expect(&(struct response_order){ .signer = cert, .key = key,
						 .by_key = true },
		       cases[i].want, cases[i].what);
		X509_free(cert);
	}
}

Test(ocsp_signer, looks_for_the_signer_by_its_responder_id)
{
	X509 *cert = delegate((struct cert_order){ .eku = EKU });
	X509 *namesake = delegate(
		(struct cert_order){ .eku = EKU, .key = second_key });
	X509 *alias = cert_make(&(struct cert_order){
		.name = "Alias", .key = pki.key, .md = EVP_sha256() });
	X509 *impostor = cert_make(&(struct cert_order){
		.name = "Issuer", .key = key, .md = EVP_sha256() });
	const struct {
		const char *what;
		struct response_order order;
		enum ocsp_verdict want;
	} cases[] = {
		{ "after a namesake",
		  { .signer = cert, .key = key, .extra = namesake }, OCSP_OK },
		{ "after a stranger",
		  { .signer = cert, .key = key, .extra = pki.other }, OCSP_OK },
		{ "not there", { .signer = cert, .key = key, .bare = true },
		  OCSP_NO_SIGNER },
		{ "not there, by key",
		  { .signer = cert, .key = key, .bare = true, .by_key = true },
		  OCSP_NO_SIGNER },
		{ "a namesake only",
		  { .signer = cert, .key = key, .bare = true,
		    .extra = namesake },
		  OCSP_BAD_SIGNATURE },
		{ "a namesake only, by key",
		  { .signer = cert, .key = key, .bare = true,
		    .extra = namesake, .by_key = true },
		  OCSP_NO_SIGNER },
		{ "issuer's key under another name",
		  { .signer = alias, .bare = true }, OCSP_NO_SIGNER },
		{ "the same, embedded", { .signer = alias },
		  OCSP_DELEGATE_NOT_ISSUED },
		{ "the same, by key", { .signer = alias, .by_key = true },
		  OCSP_OK },
		{ "issuer's name over another key",
		  { .signer = impostor, .key = key, .bare = true },
		  OCSP_BAD_SIGNATURE },
		{ "the same, embedded", { .signer = impostor, .key = key },
		  OCSP_BAD_SIGNATURE },
		{ "another CA", { .signer = pki.other, .key = pki.other_key },
		  OCSP_DELEGATE_NOT_ISSUED },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect(&cases[i].order, cases[i].want, cases[i].what);
	X509_free(cert);
	X509_free(namesake);
	X509_free(alias);
	X509_free(impostor);
}

Test(ocsp_signer, refuses_a_longer_chain_and_a_plain_leaf)
{
	X509 *middle = delegate((struct cert_order){
		.name = "OCSP CA", .eku = EKU, .key = second_key });
	X509 *last = delegate((struct cert_order){
		.eku = EKU, .issuer = middle, .issuer_key = second_key });

	expect(&(struct response_order){ .signer = last, .key = key,
					 .extra = middle },
	       OCSP_DELEGATE_NOT_ISSUED, "two certificates long");
	expect(&(struct response_order){ .signer = pki.leaf,
					 .key = pki.leaf_key },
	       OCSP_DELEGATE_EKU, "the leaf for itself");
	X509_free(middle);
	X509_free(last);
}

Test(ocsp_signer, refuses_keys_that_can_be_computed)
{
	static const struct {
		unsigned int bits;
		enum ocsp_verdict issuer, delegate;
	} cases[] = {
		{ 512, OCSP_WEAK_ALGORITHM, OCSP_DELEGATE_WEAK },
		{ 768, OCSP_WEAK_ALGORITHM, OCSP_DELEGATE_WEAK },
		{ 1024, OCSP_OK, OCSP_OK },
	};
	EVP_PKEY *good_key = pki.key, *weak;
	X509 *good = pki.issuer, *leaf = pki.leaf, *cert;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		weak = EVP_RSA_gen(cases[i].bits);
		cert = delegate(
			(struct cert_order){ .eku = EKU, .key = weak });
		expect(&(struct response_order){ .signer = cert, .key = weak },
		       cases[i].delegate, "delegate");
		X509_free(cert);

		pki.key = weak;
		pki.issuer = cert_make(&(struct cert_order){
			.name = "Issuer", .key = weak, .md = EVP_sha256() });
		pki.leaf = cert_make(&(struct cert_order){
			.name = "leaf", .key = pki.leaf_key,
			.issuer = pki.issuer, .issuer_key = weak,
			.md = EVP_sha256() });
		expect(&(struct response_order){ 0 }, cases[i].issuer,
		       "issuer");
		X509_free(pki.issuer);
		X509_free(pki.leaf);
		pki.key = good_key;
		pki.issuer = good;
		pki.leaf = leaf;
		EVP_PKEY_free(weak);
	}
}

Test(ocsp_signer, takes_the_issuers_key_in_another_certificate_of_it)
{
	X509 *cross = cert_make(&(struct cert_order){
		.name = "Issuer", .serial = "77", .key = pki.key,
		.issuer = pki.other, .issuer_key = pki.other_key,
		.md = EVP_sha256() });
	X509 *given = pki.issuer;

	expect(&(struct response_order){ .signer = cross }, OCSP_OK,
	       "embedded, by name");
	expect(&(struct response_order){ .signer = cross, .by_key = true },
	       OCSP_OK, "embedded, by key");
	pki.issuer = cross;
	expect(&(struct response_order){ .signer = given }, OCSP_OK,
	       "given for the issuer");
	pki.issuer = given;
	X509_free(cross);
}

Test(ocsp_signer, takes_ed25519)
{
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *cert = delegate((struct cert_order){ .eku = EKU, .key = ed });

	expect(&(struct response_order){ .signer = cert, .key = ed }, OCSP_OK,
	       "delegate with Ed25519");
	X509_free(cert);
	EVP_PKEY_free(ed);
}

Test(ocsp_signer, lets_the_delegates_end_shorten_the_response)
{
	X509 *cert = delegate((struct cert_order){ .eku = EKU, .to = 60 });
	struct ocsp_bytes der = make_response(
		&pki, &(struct response_order){ .signer = cert, .key = key });
	struct ocsp_times times;

	/* notAfter is the last second of validity (RFC 5280 4.1.2.5). */
	cr_expect_eq(judge(&pki, der, &times), OCSP_OK);
	cr_expect_eq(times.this_update, NOW - HOUR);
	cr_expect_eq(times.next_update, NOW + 61);
	cr_expect_eq(judge_at(&pki, der, NOW + 60, &times), OCSP_OK);
	cr_expect_eq(judge_at(&pki, der, NOW + 61, &times),
		     OCSP_DELEGATE_EXPIRED);
	OPENSSL_free((void *)der.data);
	X509_free(cert);
}

Test(ocsp_signer, refuses_a_flipped_bit_in_any_byte)
{
	struct ocsp_bytes der =
		make_response(&pki, &(struct response_order){ 0 });
	uint8_t *bytes = (uint8_t *)der.data;
	struct ocsp_times times;
	size_t i;

	for (i = 0; i < der.len; i++) {
		bytes[i] ^= 1 << i % 8;
		cr_expect_neq(judge(&pki, der, &times), OCSP_OK, "byte %zu", i);
		bytes[i] ^= 1 << i % 8;
	}
	cr_expect_eq(judge(&pki, der, &times), OCSP_OK);
	OPENSSL_free(bytes);
}
