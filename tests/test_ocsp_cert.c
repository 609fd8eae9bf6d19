/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include <criterion/criterion.h>
#include <openssl/err.h>

#include "ocsp/cert.h"
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

TestSuite(ocsp_cert, .init = setup, .fini = teardown, .timeout = 60);

/* pki's leaf with one more extension, in DER; OPENSSL_free() it. */
static struct ocsp_bytes extended(int nid, const uint8_t *value, size_t len)
{
	X509 *cert = cert_make(&(struct cert_order){
		.name = "leaf", .key = pki.leaf_key, .md = EVP_sha256() });
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext;
	struct ocsp_bytes der;

	MUST(octets && ASN1_OCTET_STRING_set(octets, value, (int)len));
	ext = X509_EXTENSION_create_by_NID(NULL, nid, 0, octets);
	MUST(ext && X509_add_ext(cert, ext, -1));
	MUST(X509_sign(cert, pki.leaf_key, EVP_sha256()));
	der = cert_bytes(cert);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(octets);
	X509_free(cert);
	return der;
}

#define AD_OCSP "\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01"
#define AD_ISSUERS "\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02"
#define AD_LEN 10

static void put_access(struct blob *b, const char *method, uint8_t tag,
		       const char *url, size_t len)
{
	struct blob *one = calloc(1, sizeof(*one));

	blob_put(one, url, len);
	blob_wrap(one, tag);
	blob_prepend(one, method, AD_LEN);
	blob_wrap(one, 0x30);
	blob_put(b, one->data, one->len);
	free(one);
}

static struct ocsp_bytes with_aia(struct blob *b)
{
	blob_wrap(b, 0x30);
	return extended(NID_info_access, b->data, b->len);
}

#define URI 0x86
#define DNS 0x82

Test(ocsp_cert, lists_http_responders_in_their_order)
{
	struct blob *b = calloc(1, sizeof(*b));
	struct ocsp_bytes der;
	char url[OCSP_URL_MAX];

	put_access(b, AD_ISSUERS, URI, "http://ca/issuer", 16);
	put_access(b, AD_OCSP, URI, "ldap://ca/", 10);
	put_access(b, AD_OCSP, URI, "http://one", 10);
	put_access(b, AD_OCSP, DNS, "http://name", 11);
	put_access(b, AD_OCSP, URI, "HTTPS://two/path?q", 18);
	der = with_aia(b);
	cr_assert_eq(ocsp_responder(der, 0, url), 0);
	cr_expect_str_eq(url, "http://one");
	cr_assert_eq(ocsp_responder(der, 1, url), 0);
	cr_expect_str_eq(url, "HTTPS://two/path?q");
	cr_expect_eq(ocsp_responder(der, 2, url), -ENOENT);
	cr_expect_eq(ocsp_responder(der, 4294967295U, url), -ENOENT);
	OPENSSL_free((void *)der.data);
	free(b);
}

Test(ocsp_cert, skips_urls_that_are_not_to_be_asked)
{
	static const struct {
		const char *url;
		size_t len;
		bool taken;
	} cases[] = {
#define URL(string) (string), sizeof(string) - 1
		{ URL("http://a"), true },
		{ URL("http://a.example:8080/ocsp/"), true },
		{ URL("http://[2001:db8::1]/"), true },
		{ URL("hTTp://a"), true },
		{ URL("http://a/b@c"), true },
		{ URL("http://a?b@c"), true },
		{ URL("http://a/%20"), true },
		{ URL(""), false },
		{ URL("http:/"), false },
		{ URL("http://"), false },
		{ URL("https://"), false },
		{ URL("http:///path"), false },
		{ URL("http://?q"), false },
		{ URL("http://:80/"), false },
		{ URL("http://user@a/"), false },
		{ URL("http://user:word@a/"), false },
		{ URL("http://@a/"), false },
		{ URL("http://a b/"), false },
		{ URL("http://a/ b"), false },
		{ URL("http://a/\n"), false },
		{ URL("http://a\r\nHost: b/"), false },
		{ URL("http://a/\0b"), false },
		{ URL("http://a\0"), false },
		{ URL("http://a/\x7f"), false },
		{ URL("http://a/\xc3\xa4"), false },
		{ URL("http://a/\"b"), false },
		{ URL("http://a\\@b/"), false },
		{ URL("a"), false },
		{ URL("ftp://a/"), false },
		{ URL("file:///etc/passwd"), false },
		{ URL("httpx://a/"), false },
		{ URL(" http://a/"), false },
#undef URL
	};
	struct blob *b = calloc(1, sizeof(*b));
	char url[OCSP_URL_MAX];
	struct ocsp_bytes der;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		b->len = 0;
		put_access(b, AD_OCSP, URI, cases[i].url, cases[i].len);
		put_access(b, AD_OCSP, URI, "http://next", 11);
		der = with_aia(b);
		cr_assert_eq(ocsp_responder(der, 0, url), 0);
		cr_expect_str_eq(url, cases[i].taken ? cases[i].url :
						       "http://next");
		OPENSSL_free((void *)der.data);
	}
	free(b);
}

Test(ocsp_cert, skips_urls_of_1024_bytes)
{
	struct blob *b = calloc(1, sizeof(*b));
	char url[OCSP_URL_MAX], longest[OCSP_URL_MAX + 1];
	struct ocsp_bytes der;

	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "http://", 7);
	put_access(b, AD_OCSP, URI, longest, OCSP_URL_MAX);
	put_access(b, AD_OCSP, URI, longest, OCSP_URL_MAX - 1);
	der = with_aia(b);
	cr_assert_eq(ocsp_responder(der, 0, url), 0);
	cr_expect_eq(strlen(url), OCSP_URL_MAX - 1);
	cr_expect_eq(ocsp_responder(der, 1, url), -ENOENT);
	OPENSSL_free((void *)der.data);
	free(b);
}

Test(ocsp_cert, finds_none_where_there_is_none)
{
	static const uint8_t broken[] = { 0x30, 0x05, 0x30, 0x80, 1, 2, 3 };
	struct ocsp_bytes leaf = cert_bytes(pki.leaf);
	struct ocsp_bytes odd =
		extended(NID_info_access, broken, sizeof(broken));
	char url[OCSP_URL_MAX];

	ERR_clear_error();
	cr_expect_eq(ocsp_responder(leaf, 0, url), -ENOENT);
	cr_expect_eq(ocsp_responder(odd, 0, url), -ENOENT);
	cr_expect_eq(ocsp_responder((struct ocsp_bytes){ leaf.data, 99 }, 0,
				    url),
		     -EINVAL);
	cr_expect_eq(ocsp_responder((struct ocsp_bytes){ NULL, 0 }, 0, url),
		     -EINVAL);
	cr_expect_eq(ERR_peek_error(), 0);
	OPENSSL_free((void *)leaf.data);
	OPENSSL_free((void *)odd.data);
}

/* A certificate of which nothing is whole but what is about its extensions. */
static int ask_tbs(const char *around, size_t len, char url[OCSP_URL_MAX])
{
	static const char rest[] = "\x30\x00\x03\x01\x00";
	struct blob *b = calloc(1, sizeof(*b)), *aia = calloc(1, sizeof(*aia));
	const char *mark = memchr(around, '@', len);
	int ret;

	put_access(aia, AD_OCSP, URI, "http://one", 10);
	blob_wrap(aia, 0x30);
	blob_wrap(aia, 0x04);
	blob_prepend(aia, "\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x01", 10);
	blob_wrap(aia, 0x30);
	blob_wrap(aia, 0x30);
	blob_wrap(aia, 0xa3);
	blob_put(b, around, mark ? (size_t)(mark - around) : len);
	if (mark) {
		blob_put(b, aia->data, aia->len);
		blob_put(b, mark + 1, len - (size_t)(mark + 1 - around));
	}
	blob_wrap(b, 0x30);
	blob_put(b, rest, sizeof(rest) - 1);
	blob_wrap(b, 0x30);
	ret = ocsp_responder((struct ocsp_bytes){ b->data, b->len }, 0, url);
	free(aia);
	free(b);
	return ret;
}

Test(ocsp_cert, finds_extensions_behind_all_that_may_be_before_them)
{
#define V3 "\xa0\x03\x02\x01\x02"
#define SERIAL "\x02\x01\x01"
#define FIVE "\x30\x00\x30\x03\x02\x01\x01\x30\x00\x30\x00\x30\x00"
#define ID_1 "\x81\x02\x00\x01"
#define ID_2 "\x82\x02\x00\x01"
	static const struct {
		const char *around; /* the extensions, @ */
		size_t len;
		int want;
	} cases[] = {
#define AROUND(string) (string), sizeof(string) - 1
		{ AROUND(V3 SERIAL FIVE "@"), 0 },
		{ AROUND(SERIAL FIVE "@"), 0 },
		{ AROUND(V3 SERIAL FIVE ID_1 "@"), 0 },
		{ AROUND(V3 SERIAL FIVE ID_2 "@"), 0 },
		{ AROUND(V3 SERIAL FIVE ID_1 ID_2 "@"), 0 },
		{ AROUND(SERIAL FIVE), -ENOENT },
		{ AROUND(SERIAL FIVE ID_2), -ENOENT },
		{ AROUND(V3 SERIAL FIVE ID_2 ID_1 "@"), -EINVAL },
		{ AROUND(V3 SERIAL FIVE "@\x30\x00"), -EINVAL },
		{ AROUND(V3 SERIAL FIVE "\x30\x00@"), -EINVAL },
		{ AROUND(V3 SERIAL "\x30\x00\x30\x00@"), -EINVAL },
		{ AROUND(V3 FIVE "@"), -EINVAL },
		{ AROUND(V3 SERIAL FIVE "\xa3\x00"), -EINVAL },
		{ AROUND(V3 SERIAL FIVE "\xa3\x04\x30\x00\x30\x00"),
		  -EINVAL },
		{ AROUND(V3 SERIAL FIVE "\xa3\x80\x30\x00"), -EINVAL },
		{ AROUND(""), -EINVAL },
#undef AROUND
	};
	char url[OCSP_URL_MAX];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(ask_tbs(cases[i].around, cases[i].len, url),
			     cases[i].want, "case %zu", i);
}

static void extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	MUST(ext && X509_add_ext(cert, ext, -1));
	X509_EXTENSION_free(ext);
}

/* With a URL, a feature, and a comment of as many bytes. */
static struct ocsp_bytes commented(size_t len)
{
	X509 *cert = cert_make(&(struct cert_order){
		.name = "leaf", .key = pki.leaf_key, .md = EVP_sha256() });
	char *comment = calloc(1, len + 1);
	struct ocsp_bytes der;

	memset(comment, 'x', len);
	extend(cert, NID_netscape_comment, comment);
	extend(cert, NID_info_access, "OCSP;URI:http://a.test/");
	extend(cert, NID_tlsfeature, "status_request");
	MUST(X509_sign(cert, pki.leaf_key, EVP_sha256()));
	der = cert_bytes(cert);
	X509_free(cert);
	free(comment);
	return der;
}

Test(ocsp_cert, reads_certificates_of_any_size)
{
	static const size_t sizes[] = { 1, 60000, 65535, 65536, 200000 };
	char url[OCSP_URL_MAX];
	struct ocsp_bytes der;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		der = commented(sizes[i]);
		ERR_clear_error();
		cr_expect_eq(ocsp_responder(der, 0, url), 0, "%zu", sizes[i]);
		cr_expect_str_eq(url, "http://a.test/");
		cr_expect_eq(ocsp_responder(der, 1, url), -ENOENT);
		cr_expect(ocsp_must_staple(der));
		der.len--;
		cr_expect_eq(ocsp_responder(der, 0, url), -EINVAL);
		cr_expect_not(ocsp_must_staple(der));
		cr_expect_eq(ERR_peek_error(), 0);
		OPENSSL_free((void *)der.data);
	}
}

/* The outermost SEQUENCE with its length in a byte more than needed. */
static struct ocsp_bytes loosened(struct ocsp_bytes der)
{
	struct ocsp_bytes ber = { OPENSSL_malloc(der.len + 1), der.len + 1 };
	uint8_t *bytes = (uint8_t *)ber.data;

	MUST(bytes && der.data[1] == 0x82);
	memcpy(bytes, "\x30\x83\0", 3);
	memcpy(bytes + 3, der.data + 2, der.len - 2);
	OPENSSL_free((void *)der.data);
	return ber;
}

Test(ocsp_cert, reads_what_is_not_quite_der)
{
	struct ocsp_bytes ber = loosened(commented(300));
	char url[OCSP_URL_MAX];

	cr_expect_eq(ocsp_responder(ber, 0, url), 0);
	cr_expect_str_eq(url, "http://a.test/");
	cr_expect(ocsp_must_staple(ber));
	OPENSSL_free((void *)ber.data);
	ber = loosened(cert_bytes(pki.leaf));
	cr_expect_eq(ocsp_responder(ber, 0, url), -ENOENT);
	cr_expect_not(ocsp_must_staple(ber));
	OPENSSL_free((void *)ber.data);
}

Test(ocsp_cert, sees_must_staple_among_other_features)
{
	static const struct {
		const char *value;
		size_t len;
		bool want;
	} cases[] = {
#define VALUE(string) (string), sizeof(string) - 1
		{ VALUE("\x30\x03\x02\x01\x05"), true },
		{ VALUE("\x30\x06\x02\x01\x05\x02\x01\x11"), true },
		{ VALUE("\x30\x06\x02\x01\x11\x02\x01\x05"), true },
		{ VALUE("\x30\x0f\x02\x09\x00\xff\xff\xff\xff\xff\xff\xff\xff"
			"\x02\x01\x05\x00"),
		  false },
		{ VALUE("\x30\x0e\x02\x09\x00\xff\xff\xff\xff\xff\xff\xff\xff"
			"\x02\x01\x05"),
		  true },
		{ VALUE("\x30\x03\x02\x01\x11"), false },
		{ VALUE("\x30\x03\x02\x01\xfb"), false },
		{ VALUE("\x30\x04\x02\x02\x01\x05"), false },
		{ VALUE("\x30\x00"), false },
		{ VALUE("\x05\x00"), false },
		{ VALUE(""), false },
#undef VALUE
	};
	struct ocsp_bytes der;
	size_t i;

	ERR_clear_error();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		der = extended(NID_tlsfeature, (const uint8_t *)cases[i].value,
			       cases[i].len);
		cr_expect_eq(ocsp_must_staple(der), cases[i].want, "case %zu",
			     i);
		cr_expect_not(ocsp_must_staple((struct ocsp_bytes){
			der.data, der.len - 1 }));
		OPENSSL_free((void *)der.data);
	}
	der = cert_bytes(pki.leaf);
	cr_expect_not(ocsp_must_staple(der), "no such extension");
	cr_expect_eq(ERR_peek_error(), 0);
	OPENSSL_free((void *)der.data);
}

Test(ocsp_cert, has_sha256_for_a_fingerprint)
{
	static const uint8_t abc[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01,
				       0xcf, 0xea };
	static const uint8_t nothing[] = { 0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc,
					   0x1c, 0x14 };
	uint8_t out[OCSP_FINGERPRINT_LEN];

	ocsp_fingerprint((struct ocsp_bytes){ (const uint8_t *)"abc", 3 }, out);
	cr_expect_arr_eq(out, abc, sizeof(abc));
	ocsp_fingerprint((struct ocsp_bytes){ NULL, 0 }, out);
	cr_expect_arr_eq(out, nothing, sizeof(nothing));
}

/* The request in @buf is one for pki's leaf, by @md, and nothing more. */
static void expect_request(const uint8_t *buf, size_t len, const EVP_MD *md)
{
	OCSP_CERTID *want = OCSP_cert_to_id(md, pki.leaf, pki.issuer);
	OCSP_REQUEST *request = d2i_OCSP_REQUEST(NULL, &buf, (long)len);

	cr_assert_not_null(request);
	cr_expect_eq(OCSP_request_onereq_count(request), 1);
	cr_expect_eq(OCSP_id_cmp(want, OCSP_onereq_get0_id(
					       OCSP_request_onereq_get0(
						       request, 0))),
		     0);
	cr_expect_eq(OCSP_REQUEST_get_ext_count(request), 0);
	cr_expect_eq(OCSP_ONEREQ_get_ext_count(
			     OCSP_request_onereq_get0(request, 0)),
		     0);
	cr_expect_not(OCSP_request_is_signed(request));
	OCSP_REQUEST_free(request);
	OCSP_CERTID_free(want);
}

Test(ocsp_cert, asks_for_one_certificate_without_extensions)
{
	struct ocsp_bytes leaf = cert_bytes(pki.leaf);
	struct ocsp_bytes issuer = cert_bytes(pki.issuer);
	struct ocsp_bytes none = { NULL, 0 };
	uint8_t buf[OCSP_REQUEST_MAX];
	size_t len;

	ERR_clear_error();
	cr_assert_eq(ocsp_request(leaf, issuer, OCSP_SHA1, buf, &len), 0);
	cr_expect_eq(len, 69);
	expect_request(buf, len, EVP_sha1());
	cr_assert_eq(ocsp_request(leaf, issuer, OCSP_SHA256, buf, &len), 0);
	cr_expect_eq(len, 97);
	expect_request(buf, len, EVP_sha256());
	cr_expect_eq(ocsp_request(none, issuer, OCSP_SHA1, buf, &len),
		     -EINVAL);
	cr_expect_eq(ocsp_request(leaf, none, OCSP_SHA1, buf, &len), -EINVAL);
	cr_expect_eq(ERR_peek_error(), 0);
	OPENSSL_free((void *)leaf.data);
	OPENSSL_free((void *)issuer.data);
}

Test(ocsp_cert, refuses_to_ask_for_endless_serial_numbers)
{
	struct ocsp_bytes issuer = cert_bytes(pki.issuer);
	struct {
		uint8_t buf[OCSP_REQUEST_MAX];
		uint8_t guard;
	} out = { .guard = 0x5a };
	char serial[1024] = "7f";
	struct ocsp_bytes leaf;
	size_t digits, len;
	X509 *cert;
	int ret, fits = 0;

	for (digits = 2; digits < 1000; digits += 98) {
		memset(serial + 2, 'a', digits);
		cert = cert_make(&(struct cert_order){
			.name = "leaf", .serial = serial, .key = pki.leaf_key,
			.md = EVP_sha256() });
		leaf = cert_bytes(cert);
		ret = ocsp_request(leaf, issuer, OCSP_SHA1, out.buf, &len);
		cr_expect_eq(ret, digits < 840 ? 0 : -ENOSPC, "%zu digits",
			     digits);
		fits += !ret;
		OPENSSL_free((void *)leaf.data);
		X509_free(cert);
	}
	cr_expect_gt(fits, 0);
	cr_expect_eq(out.guard, 0x5a);
	OPENSSL_free((void *)issuer.data);
}
