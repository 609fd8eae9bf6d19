// SPDX-License-Identifier: MIT
/*
 * What is said of a client's certificate, and what is not.
 */
#include "tests/client_pki.h"

#include "handshake/peer.h"

TestSuite(peer, .timeout = 30);

static const struct {
	const char *cn, *names, *subject, *sans;
} certs[] = {
	{ "Bob", NULL, "CN=Bob,O=Test", "" },
	{ "Bob", "DNS:a.example,URI:spiffe://a/b,email:b@c.example,"
		 "IP:192.0.2.1,IP:2001:db8::1",
	  "CN=Bob,O=Test",
	  "dns:a.example|uri:spiffe://a/b|email:b@c.example|ip:192.0.2.1|"
	  "ip:2001:db8::1|" },
	{ "Bob", "DNS:A.Example,DNS:*.example", "CN=Bob,O=Test",
	  "dns:A.Example|dns:*.example|" },
	/* no text, or for nobody to compare */
	{ "Bob", "RID:1.2.3.4,dirName:d,DNS:a,otherName:1.2.3.4;UTF8:x",
	  "CN=Bob,O=Test", "dns:a|" },
	{ "Zo\xc3\xab, \"+\"", NULL, "CN=Zo\\C3\\AB\\, \\\"\\+\\\",O=Test",
	  "" },
	{ " #a=b; ", NULL, "CN=\\ #a=b\\;\\ ,O=Test", "" },
};

static X509_EXTENSION *extension(const char *names)
{
	CONF *conf = NCONF_new(NULL);
	BIO *bio = BIO_new_mem_buf("[d]\nCN=d\n", -1);
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	long line;

	cr_assert(NCONF_load_bio(conf, bio, &line));
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_nconf(&ctx, conf);
	ext = X509V3_EXT_nconf_nid(conf, &ctx, NID_subject_alt_name, names);
	cr_assert(ext, "%s", names);
	BIO_free(bio);
	NCONF_free(conf);
	return ext;
}

static void is_text(struct ocsp_bytes got, const char *expected)
{
	char text[400];

	cr_assert_lt(got.len, sizeof(text));
	for (size_t i = 0; i < got.len; i++)
		text[i] = got.data[i] ? got.data[i] : '|';
	text[got.len] = '\0';
	cr_expect_str_eq(text, expected);
}

Test(peer, subject_and_names_are_told_as_text)
{
	for (size_t i = 0; i < COUNT(certs); i++) {
		struct party p = party_make(
			(struct party_terms){ .cn = certs[i].cn }, NULL);
		struct hs_peer *peer;

		if (certs[i].names) {
			X509_EXTENSION *ext = extension(certs[i].names);

			X509_add_ext(p.cert, ext, -1);
			X509_EXTENSION_free(ext);
			pki_sign(p.cert, p.key);
		}
		peer = hs_peer_new(p.cert);
		cr_assert(peer);
		is_text(peer->cn, certs[i].cn);
		cr_expect_eq(peer->cn.data[peer->cn.len], '\0');
		is_text(peer->subject, certs[i].subject);
		is_text(peer->sans, certs[i].sans);
		hs_peer_free(peer);
		party_free(&p);
	}
}

static void add_san(GENERAL_NAMES *sans, int type, const char *data, int len)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	ASN1_STRING_set(text, data, len);
	GENERAL_NAME_set0_value(name, type, text);
	sk_GENERAL_NAME_push(sans, name);
}

Test(peer, names_that_could_be_taken_for_others_are_left_out)
{
	struct party p = party_make((struct party_terms){ .cn = "x" }, NULL);
	X509_NAME *subject = X509_get_subject_name(p.cert);
	GENERAL_NAMES *sans = GENERAL_NAMES_new();
	struct hs_peer *peer;

	add_san(sans, GEN_DNS, "a\0uri:spiffe://admin", 21);
	add_san(sans, GEN_DNS, "", 0);
	add_san(sans, GEN_DNS, "api.example\0", 12);
	add_san(sans, GEN_DNS, "\0api.example", 12);
	add_san(sans, GEN_URI, "a:\nb", 4);
	add_san(sans, GEN_EMAIL, "a b@c", 5);
	add_san(sans, GEN_DNS, "caf\xe9", 4);
	add_san(sans, GEN_DNS, "good", 4);
	add_san(sans, GEN_IPADD, "\1\2\3", 3);
	cr_assert(X509_add1_ext_i2d(p.cert, NID_subject_alt_name, sans, 0, 0));
	X509_NAME_ENTRY_free(X509_NAME_delete_entry(subject, 1));
	X509_NAME_add_entry_by_txt(subject, "CN", V_ASN1_UTF8STRING,
				   (const unsigned char *)"Bob\0y", 5, -1, 0);
	pki_sign(p.cert, p.key);
	peer = hs_peer_new(p.cert);
	cr_assert(peer);
	is_text(peer->sans, "dns:good|");
	cr_expect_eq(peer->cn.len, 0);
	is_text(peer->subject, "CN=Bob\\00y,O=Test");
	hs_peer_free(peer);
	GENERAL_NAMES_free(sans);
	party_free(&p);
}

Test(peer, of_several_common_names_the_first_counts)
{
	struct party p = party_make((struct party_terms){ .cn = "first" },
				    NULL);
	struct hs_peer *peer;

	X509_NAME_add_entry_by_txt(X509_get_subject_name(p.cert), "CN",
				   MBSTRING_ASC,
				   (const unsigned char *)"second", -1, -1, 0);
	pki_sign(p.cert, p.key);
	peer = hs_peer_new(p.cert);
	is_text(peer->cn, "first");
	is_text(peer->subject, "CN=second,CN=first,O=Test");
	hs_peer_free(peer);
	party_free(&p);
}

Test(peer, the_certificate_and_both_digests_are_its_own)
{
	struct party p = party_make((struct party_terms){ .cn = "x" }, NULL);
	struct hs_peer *peer = hs_peer_new(p.cert);
	unsigned char digest[32], *der = NULL;
	int len = i2d_X509(p.cert, &der);

	cr_assert_eq(peer->der.len, (size_t)len);
	cr_expect_arr_eq(peer->der.data, der, len);
	X509_digest(p.cert, EVP_sha256(), digest, NULL);
	cr_expect_arr_eq(peer->sha256, digest, 32);
	OPENSSL_free(der);
	der = NULL;
	len = i2d_PUBKEY(p.key, &der);
	EVP_Digest(der, len, digest, NULL, EVP_sha256(), NULL);
	cr_expect_arr_eq(peer->spki_sha256, digest, 32);
	OPENSSL_free(der);
	hs_peer_free(peer);
	party_free(&p);
	hs_peer_free(NULL);
}
