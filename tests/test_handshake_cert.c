// SPDX-License-Identifier: MIT
#include "tests/handshake_peer.h"

TestSuite(cert, .timeout = 30);

static void put(const char *file, const char *mode, const char *text)
{
	FILE *f = fopen(file, mode);

	cr_assert(f);
	fputs(text, f);
	fclose(f);
}

static void no_chain(const struct pki *p)
{
	unlink(p->chain);
}

static void empty_chain(const struct pki *p)
{
	put(p->chain, "w", "");
}

static void text_chain(const struct pki *p)
{
	put(p->chain, "w", "this is not PEM\n");
}

static void broken_second(const struct pki *p)
{
	put(p->chain, "a", "-----BEGIN CERTIFICATE-----\nAAAA\n"
			   "-----END CERTIFICATE-----\n");
}

static void cut_chain(const struct pki *p)
{
	cr_assert_eq(truncate(p->chain, 200), 0);
}

static void chain_is_directory(const struct pki *p)
{
	unlink(p->chain);
	cr_assert_eq(symlink(p->dir, p->chain), 0);
}

static void huge_chain(const struct pki *p)
{
	cr_assert_eq(truncate(p->chain, 1 << 21), 0);
}

static void no_key(const struct pki *p)
{
	unlink(p->key);
}

static void empty_key(const struct pki *p)
{
	put(p->key, "w", "");
}

static void key_is_certificate(const struct pki *p)
{
	unlink(p->key);
	cr_assert_eq(symlink(p->ca, p->key), 0);
}

static void other_key(const struct pki *p)
{
	EVP_PKEY *key = pki_key("P-256");
	FILE *f = fopen(p->key, "w");

	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	EVP_PKEY_free(key);
}

static void other_type_of_key(const struct pki *p)
{
	EVP_PKEY *key = pki_key("ED25519");
	FILE *f = fopen(p->key, "w");

	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	EVP_PKEY_free(key);
}

static void encrypted_key(const struct pki *p)
{
	EVP_PKEY *key = pki_key("P-256");
	FILE *f = fopen(p->key, "w");

	PEM_write_PKCS8PrivateKey(f, key, EVP_aes_128_cbc(), "secret", 6, NULL,
				  NULL);
	fclose(f);
	EVP_PKEY_free(key);
}

static void key_encrypted_in_the_old_way(const struct pki *p)
{
	EVP_PKEY *key = pki_key("P-256");
	BIO *bio = BIO_new_file(p->key, "w");

	PEM_write_bio_PrivateKey_traditional(bio, key, EVP_aes_128_cbc(),
					     (const unsigned char *)"secret", 6,
					     NULL, NULL);
	BIO_free(bio);
	EVP_PKEY_free(key);
}

static const struct {
	void (*spoil)(const struct pki *p);
	const char *file, *sentence;	/* the name's and the sentence's end */
} cases[] = {
	{ no_chain, "chain.pem", "No such file or directory" },
	{ empty_chain, "chain.pem", "no PEM certificate in it" },
	{ text_chain, "chain.pem", "no PEM certificate in it" },
	{ broken_second, "chain.pem", "certificate 3 cannot be read" },
	{ cut_chain, "chain.pem", "certificate 1 cannot be read" },
	{ chain_is_directory, "chain.pem", "Is a directory" },
	{ huge_chain, "chain.pem", "more than 1048576 bytes" },
	{ no_key, "key.pem", "No such file or directory" },
	{ empty_key, "key.pem", "no PEM private key" },
	{ key_is_certificate, "key.pem", "no PEM private key" },
	{ other_key, "key.pem", "the key does not match the certificate in" },
	{ other_type_of_key, "key.pem", "the key does not match" },
	{ encrypted_key, "key.pem", "the key is encrypted" },
	{ key_encrypted_in_the_old_way, "key.pem", "the key is encrypted" },
};

Test(cert, each_fault_is_one_sentence_that_names_the_file)
{
	/* Where a prompt would be read from. */
	cr_assert(freopen("/dev/null", "r", stdin));
	for (size_t i = 0; i < COUNT(cases); i++) {
		char error[300] = "";
		struct duo d;

		duo_init(&d, "P-256");
		cases[i].spoil(&d.pki);
		cr_expect_null(hs_ctx_new(&d.config, error, sizeof(error)),
			       "case %zu", i);
		cr_expect(strstr(error, cases[i].file) &&
				  strstr(error, d.pki.dir) == error,
			  "case %zu: %s", i, error);
		cr_expect(strstr(error, cases[i].sentence), "case %zu: %s", i,
			  error);
		cr_expect_null(strchr(error, '\n'));
		cr_expect_eq(ERR_peek_error(), 0, "case %zu", i);
		duo_fini(&d);
	}
}

Test(cert, a_short_buffer_cuts_the_sentence)
{
	char error[8] = "";
	struct duo d;

	duo_init(&d, "P-256");
	no_chain(&d.pki);
	cr_assert_null(hs_ctx_new(&d.config, error, sizeof(error)));
	cr_assert_str_eq(error, "/tmp/te");
	duo_fini(&d);
}

Test(cert, an_expired_certificate_is_served)
{
	struct duo d;

	duo_init(&d, "P-256");
	pki_remove(&d.pki);
	pki_make(&d.pki, "P-256", -1);
	SSL_CTX_set_verify(d.client_ctx, SSL_VERIFY_NONE, NULL);
	duo_connect(&d);
	duo_done(&d);
	duo_fini(&d);
}

Test(cert, one_file_may_hold_chain_and_key)
{
	char text[4096];
	struct duo d;
	size_t n;
	FILE *f;

	duo_init(&d, "P-256");
	f = fopen(d.pki.key, "r");
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	put(d.pki.chain, "a", text);
	d.config.key_file = d.pki.chain;
	duo_connect(&d);
	duo_done(&d);
	duo_fini(&d);
}

static X509 *parse(struct ocsp_bytes der)
{
	const unsigned char *p = der.data;

	return d2i_X509(NULL, &p, der.len);
}

Test(cert, leaf_and_issuer_are_given_as_der)
{
	X509 *leaf;
	X509 *issuer;
	struct duo d;

	duo_init(&d, "P-256");
	duo_connect(&d);
	leaf = parse(hs_ctx_leaf(d.ctx));
	issuer = parse(hs_ctx_issuer(d.ctx));
	cr_assert(leaf && issuer);
	cr_assert_eq(X509_verify(leaf, X509_get0_pubkey(issuer)), 1);
	X509_free(leaf);
	X509_free(issuer);
	duo_fini(&d);
}

Test(cert, a_chain_of_the_leaf_alone_has_no_issuer)
{
	struct ocsp_bytes der;
	char error[300] = "";
	struct duo d;
	X509 *leaf;
	FILE *f;

	duo_init(&d, "P-256");
	der = hs_read_cert(d.pki.chain, error, sizeof(error));
	cr_assert(der.data, "%s", error);
	leaf = parse(der);
	free((void *)der.data);
	f = fopen(d.pki.chain, "w");
	PEM_write_X509(f, leaf);
	fclose(f);
	X509_free(leaf);
	duo_connect(&d);
	cr_assert_eq(hs_ctx_issuer(d.ctx).len, 0);
	cr_assert_null(hs_ctx_issuer(d.ctx).data);
	duo_fini(&d);
}

Test(cert, reading_a_certificate_names_the_file_that_has_none)
{
	char error[300] = "";
	struct ocsp_bytes der;

	der = hs_read_cert("/nonexistent/ca.pem", error, sizeof(error));
	cr_assert_null(der.data);
	cr_assert_str_eq(error,
			 "/nonexistent/ca.pem: No such file or directory");
}
