// SPDX-License-Identifier: MIT
#include <sys/stat.h>

#include "handshake/pem.h"
#include "tests/handshake_peer.h"

TestSuite(pem, .timeout = 30);

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

/* One that nobody writes to must not be waited for. */
static void chain_is_pipe(const struct pki *p)
{
	unlink(p->chain);
	cr_assert_eq(mkfifo(p->chain, 0600), 0);
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
	{ chain_is_pipe, "chain.pem", "no PEM certificate in it" },
	{ text_chain, "chain.pem", "no PEM certificate in it" },
	{ broken_second, "chain.pem", "certificate 3 cannot be read" },
	{ cut_chain, "chain.pem", "certificate 1 cannot be read" },
	{ chain_is_directory, "chain.pem", "Is a directory" },
	{ huge_chain, "chain.pem", "more than 1048576 bytes" },
	{ no_key, "key.pem", "No such file or directory" },
	{ empty_key, "key.pem", "no PEM private key" },
	{ key_is_certificate, "key.pem", "no PEM private key" },
	{ encrypted_key, "key.pem", "key_password_file:" },
	{ key_encrypted_in_the_old_way, "key.pem", "the key is encrypted" },
};

Test(pem, each_fault_is_one_sentence_that_names_the_file)
{
	/* Where a prompt would be read from. */
	cr_assert(freopen("/dev/null", "r", stdin));
	for (size_t i = 0; i < COUNT(cases); i++) {
		char error[300] = "";
		struct duo d;

		duo_init(&d, "P-256");
		cases[i].spoil(&d.pki);
		cr_expect_null(cert_of_pair(d.pki.chain, d.pki.key, error,
					    sizeof(error)), "case %zu", i);
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

Test(pem, a_short_buffer_cuts_the_sentence)
{
	char error[8] = "";
	struct duo d;

	duo_init(&d, "P-256");
	no_chain(&d.pki);
	cr_assert_null(cert_of_pair(d.pki.chain, d.pki.key, error,
				    sizeof(error)));
	cr_assert_str_eq(error, "/tmp/te");
	duo_fini(&d);
}

Test(pem, one_file_may_hold_chain_and_key)
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
	unlink(d.pki.key);
	cr_assert_eq(symlink(d.pki.chain, d.pki.key), 0);
	duo_connect(&d);
	duo_done(&d);
	duo_fini(&d);
}

/* As `openssl ecparam -genkey` writes it: parameters first. */
static void old_key(const struct pki *p)
{
	char error[300];
	const struct hs_report r = { p->key, error, sizeof(error) };
	EVP_PKEY *key = hs_read_key(&r, NULL);
	BIO *bio = BIO_new_file(p->key, "w");

	cr_assert(key && bio);
	BIO_puts(bio, "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
		      "-----END EC PARAMETERS-----\n");
	cr_assert(PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0,
						       NULL, NULL));
	BIO_free(bio);
	EVP_PKEY_free(key);
}

Test(pem, one_key_says_nothing_about_the_next)
{
	static const struct {
		const char *type;
		void (*spoil)(const struct pki *p);
		bool good;
	} keys[] = {
		{ "RSA", NULL, true },
		{ "P-256", encrypted_key, false },
		{ "P-256", NULL, true },
		{ "RSA", key_is_certificate, false },
		{ "ED25519", NULL, true },
		{ "P-256", old_key, true },
		{ "P-384", NULL, true },
		{ "P-256", key_encrypted_in_the_old_way, false },
		{ "RSA", NULL, true },
		{ "RSA", empty_key, false },
		{ "P-256", old_key, true },
		{ "RSA", NULL, true },
	};

	for (size_t i = 0; i < COUNT(keys); i++) {
		char error[300] = "";
		struct hs_cert *cert;
		struct duo d;

		duo_init(&d, keys[i].type);
		if (keys[i].spoil)
			keys[i].spoil(&d.pki);
		/* That it is the certificate's key is checked there. */
		cert = cert_of_pair(d.pki.chain, d.pki.key, error,
				    sizeof(error));
		cr_expect_eq(!!cert, keys[i].good, "key %zu: %s", i, error);
		cr_expect_eq(ERR_peek_error(), 0, "key %zu", i);
		hs_cert_free(cert);
		duo_fini(&d);
	}
}

/* --- passphrases ------------------------------------------------------------ */

static const struct {
	void (*encrypt)(const struct pki *p);
	const char *line;	/* of the file; NULL: there is no file */
	const char *sentence;	/* NULL: the key is read */
} passphrases[] = {
	{ encrypted_key, "secret", NULL },
	{ encrypted_key, "secret\n", NULL },
	{ encrypted_key, "secret\r\nmore\n", NULL },
	{ encrypted_key, "wrong\n", "cannot be decrypted with the passphrase "
				    "in" },
	{ encrypted_key, "secret ", "cannot be decrypted" },
	{ encrypted_key, "", "no passphrase in its first line" },
	{ encrypted_key, "\nsecret\n", "no passphrase in its first line" },
	{ encrypted_key, NULL, "No such file or directory" },
	{ key_encrypted_in_the_old_way, "secret\n", NULL },
	{ key_encrypted_in_the_old_way, "wrong\n", "cannot be decrypted" },
	{ old_key, "not needed\n", NULL },
};

Test(pem, a_passphrase_is_the_first_line_of_its_file)
{
	for (size_t i = 0; i < COUNT(passphrases); i++) {
		char error[300] = "", file[100];
		struct hs_report r;
		EVP_PKEY *key;
		struct duo d;

		duo_init(&d, "P-256");
		passphrases[i].encrypt(&d.pki);
		sprintf(file, "%s/password", d.pki.dir);
		if (passphrases[i].line)
			put(file, "w", passphrases[i].line);
		r = (struct hs_report){ d.pki.key, error, sizeof(error) };
		key = hs_read_key(&r, file);
		cr_expect_eq(!key, !!passphrases[i].sentence, "case %zu: %s",
			     i, error);
		if (passphrases[i].sentence) {
			cr_expect(strstr(error, passphrases[i].sentence),
				  "case %zu: %s", i, error);
			cr_expect(strstr(error, file), "case %zu: %s", i,
				  error);
		}
		cr_expect_eq(ERR_peek_error(), 0, "case %zu", i);
		EVP_PKEY_free(key);
		unlink(file);
		duo_fini(&d);
	}
}

Test(pem, a_passphrase_that_is_too_long_is_refused)
{
	char error[300] = "", file[100];
	struct hs_report r;
	struct duo d;

	duo_init(&d, "P-256");
	encrypted_key(&d.pki);
	sprintf(file, "%s/password", d.pki.dir);
	for (int i = 0; i <= PEM_BUFSIZE; i++)
		put(file, "a", "x");
	r = (struct hs_report){ d.pki.key, error, sizeof(error) };
	cr_expect_null(hs_read_key(&r, file));
	cr_expect(strstr(error, "of more than 1024 bytes"), "%s", error);
	unlink(file);
	duo_fini(&d);
}

/* --- several things in one file ---------------------------------------------- */

Test(pem, a_key_is_found_whatever_stands_around_it)
{
	static const char text[] = "Bag Attributes\n-----BEGIN NOTHING-----\n";
	char error[300] = "";
	EVP_PKEY *key, *found;
	struct hs_report r;
	struct duo d;
	FILE *f;

	duo_init(&d, "P-256");
	r = (struct hs_report){ d.pki.key, error, sizeof(error) };
	key = hs_read_key(&r, NULL);
	cr_assert(key);
	cr_expect(hs_has_key(d.pki.key));
	cr_expect_not(hs_has_key(d.pki.chain));
	cr_expect_not(hs_has_key("/nonexistent/file"));
	put(d.pki.chain, "a", text);
	f = fopen(d.pki.chain, "a");
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	put(d.pki.chain, "a", "-----BEGIN CERTIFICATE-----\nAAAA\n");
	cr_expect(hs_has_key(d.pki.chain));
	r.file = d.pki.chain;
	found = hs_read_key(&r, NULL);
	cr_expect(found && EVP_PKEY_eq(found, key), "%s", error);
	EVP_PKEY_free(key);
	EVP_PKEY_free(found);
	duo_fini(&d);
}
