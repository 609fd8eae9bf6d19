// SPDX-License-Identifier: MIT
#include <openssl/core_names.h>

#include "handshake/internal.h"
#include "tests/handshake_peer.h"

TestSuite(cert, .timeout = 30);

static void write_key(const struct pki *p, const char *type)
{
	EVP_PKEY *key = pki_key(type);
	FILE *f = fopen(p->key, "w");

	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	EVP_PKEY_free(key);
}

Test(cert, refuses_a_key_of_another_certificate)
{
	static const char *const types[] = { "P-256", "P-384", "ED25519" };

	for (size_t i = 0; i < COUNT(types); i++) {
		char error[300] = "";
		struct duo d;

		duo_init(&d, "P-256");
		write_key(&d.pki, types[i]);
		cr_expect_null(cert_of_pair(d.pki.chain, d.pki.key, error,
					    sizeof(error)));
		cr_expect(strstr(error, d.pki.key) == error, "%s", error);
		cr_expect(strstr(error, "the key does not match the "
					"certificate in"), "%s", error);
		cr_expect(strstr(error, d.pki.chain), "%s", error);
		cr_expect_eq(ERR_peek_error(), 0);
		duo_fini(&d);
	}
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
	duo_ctx(&d);
	leaf = parse(hs_cert_der(d.cert, 0));
	issuer = parse(hs_cert_issuer(d.cert, 0));
	cr_assert(leaf && issuer);
	cr_assert_eq(X509_verify(leaf, X509_get0_pubkey(issuer)), 1);
	X509_free(leaf);
	X509_free(issuer);
	duo_fini(&d);
}

/* The chain file has the leaf only. */
static void cut_issuer(struct duo *d)
{
	FILE *f = fopen(d->pki.chain, "r+");
	X509 *leaf = PEM_read_X509(f, NULL, NULL, NULL);

	cr_assert(leaf && freopen(d->pki.chain, "w", f));
	cr_assert(PEM_write_X509(f, leaf));
	fclose(f);
	X509_free(leaf);
}

Test(cert, a_chain_of_the_leaf_alone_has_no_issuer)
{
	struct duo d;

	duo_init(&d, "P-256");
	cut_issuer(&d);
	duo_ctx(&d);
	cr_assert_eq(hs_cert_issuer(d.cert, 0).len, 0);
	cr_assert_null(hs_cert_issuer(d.cert, 0).data);
	duo_fini(&d);
}

/* Among others, wherever it stands in the file. */
Test(cert, finds_its_issuer_in_another_file)
{
	EVP_PKEY *key = pki_key("P-256");
	X509 *stranger = pki_cert(key, "Other CA", NULL, key, 30);
	struct ocsp_bytes issuer;
	char error[300] = "";
	X509 *ca;
	struct duo d;
	FILE *f;

	duo_init(&d, "P-256");
	cut_issuer(&d);
	duo_ctx(&d);
	f = fopen(d.pki.ca, "r+");
	ca = PEM_read_X509(f, NULL, NULL, NULL);
	cr_assert(freopen(d.pki.ca, "w", f));
	PEM_write_X509(f, stranger);
	fflush(f);
	issuer = hs_read_issuer(d.cert, 0, d.pki.ca, error, sizeof(error));
	cr_assert_null(issuer.data);
	cr_assert(strstr(error, d.pki.ca) == error, "%s", error);
	cr_assert(strstr(error, "has issued the one of localhost"), "%s",
		  error);
	PEM_write_X509(f, ca);
	fclose(f);
	issuer = hs_read_issuer(d.cert, 0, d.pki.ca, error, sizeof(error));
	cr_assert(issuer.data, "%s", error);
	free((void *)issuer.data);
	X509_free(ca);
	X509_free(stranger);
	EVP_PKEY_free(key);
	duo_fini(&d);
}

/* A file of these; NULL ends them early. */
static void write_all(const char *path, X509 *const certs[3])
{
	FILE *f = fopen(path, "w");

	for (size_t i = 0; i < 3 && certs[i]; i++)
		cr_assert(PEM_write_X509(f, certs[i]));
	fclose(f);
}

/* Its owner may have made a new key, and certificates say less than they could. */
Test(cert, tells_issuers_of_one_name_by_their_signatures)
{
	EVP_PKEY *key = pki_key("P-256");
	X509 *twin = pki_cert(key, "Test CA", NULL, key, 30);
	X509 *third = pki_cert(key, "Test CA", NULL, key, 60);
	struct ocsp_bytes issuer;
	char error[300] = "";
	X509 *leaf, *ca, *got;
	struct duo d;

	duo_init(&d, "P-256");
	duo_ctx(&d);
	leaf = parse(hs_cert_der(d.cert, 0));
	ca = parse(hs_cert_issuer(d.cert, 0));
	for (size_t i = 0; i < 2; i++) {
		write_all(d.pki.ca, (X509 *[3]){ i ? ca : twin, i ? twin : ca });
		issuer = hs_read_issuer(d.cert, 0, d.pki.ca, error,
					sizeof(error));
		got = parse(issuer);
		cr_expect(got && !X509_cmp(got, ca));
		X509_free(got);
		free((void *)issuer.data);
	}
	write_all(d.pki.ca, (X509 *[3]){ twin, third });
	issuer = hs_read_issuer(d.cert, 0, d.pki.ca, error, sizeof(error));
	cr_expect_null(issuer.data);
	cr_expect(strstr(error, "has issued the one of localhost"), "%s",
		  error);
	cr_expect_eq(ERR_peek_error(), 0);
	hs_ctx_free(d.ctx);
	hs_cert_free(d.cert);
	d.ctx = NULL;
	write_all(d.pki.chain, (X509 *[3]){ leaf, twin, ca });
	d.cert = cert_of_pair(d.pki.chain, d.pki.key, error, sizeof(error));
	cr_assert(d.cert, "%s", error);
	got = parse(hs_cert_issuer(d.cert, 0));
	cr_expect(got && !X509_cmp(got, ca));
	X509_free(got);
	X509_free(leaf);
	X509_free(ca);
	X509_free(twin);
	X509_free(third);
	EVP_PKEY_free(key);
	duo_fini(&d);
}

Test(cert, CAs_are_those_of_a_file_with_some)
{
	EVP_PKEY *key = pki_key("P-256");
	X509 *ca = pki_cert(key, "Test CA", NULL, key, 30);
	char error[300] = "";
	struct duo d;
	FILE *f;

	duo_init(&d, "P-256");
	cr_expect_eq(hs_check_cas(d.pki.ca, error, sizeof(error)), 0, "%s",
		     error);
	cr_expect_eq(hs_check_cas(d.pki.key, error, sizeof(error)), -EINVAL);
	cr_expect(strstr(error, d.pki.key) == error, "%s", error);
	cr_expect(strstr(error, "no PEM certificate"), "%s", error);
	cr_expect_eq(hs_check_cas("/nonexistent", error, sizeof(error)),
		     -EINVAL);
	cr_expect_str_eq(error, "/nonexistent: No such file or directory");
	cr_expect_eq(hs_check_cas("/", error, sizeof(error)), -EINVAL);
	/* "TRUSTED CERTIFICATE", as some bundles have them */
	f = fopen(d.pki.ca, "w");
	cr_assert(PEM_write_X509_AUX(f, ca));
	fclose(f);
	cr_expect_eq(hs_check_cas(d.pki.ca, error, sizeof(error)), 0, "%s",
		     error);
	cr_expect_eq(ERR_peek_error(), 0);
	X509_free(ca);
	EVP_PKEY_free(key);
	duo_fini(&d);
}

Test(cert, reading_an_issuer_names_the_file_that_cannot_be_read)
{
	struct ocsp_bytes der;
	char error[300] = "";
	struct duo d;

	duo_init(&d, "P-256");
	duo_ctx(&d);
	der = hs_read_issuer(d.cert, 0, "/nonexistent/ca.pem", error,
			     sizeof(error));
	cr_assert_null(der.data);
	cr_assert_str_eq(error,
			 "/nonexistent/ca.pem: No such file or directory");
	duo_fini(&d);
}

static const struct {
	const char *common, *alternative, *name;
} names[] = {
	{ "Common", "DNS:first.example,DNS:second.example", "first.example" },
	{ "Common", "IP:192.0.2.1,DNS:*.Example", "*.Example" },
	{ "Common Name", "IP:192.0.2.1", "Common Name" },
	{ "Common", NULL, "Common" },
	{ "with \"quotes\" \\ and\n\x7f", NULL, "with ?quotes? ? and??" },
	{ NULL, NULL, "unnamed" },
};

Test(cert, has_a_name_for_people_that_is_safe_in_a_log)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		struct duo d;

		duo_init(&d, "P-256");
		pki_remove(&d.pki);
		pki_make_for(&d.pki, "P-256", names[i].common,
			     names[i].alternative, 30);
		duo_ctx(&d);
		cr_expect_str_eq(hs_cert_name(d.cert), names[i].name, "%s",
				 hs_cert_name(d.cert));
		duo_fini(&d);
	}
}

/* Of the CAs met last, that is; each is as good as before when it is met again. */
Test(cert, chains_with_a_ca_in_common_share_it)
{
	struct hs_cert *certs[40], *again[COUNT(certs)];
	char error[300] = "";
	struct pki pki;

	for (size_t i = 0; i < COUNT(certs); i++) {
		pki_make(&pki, "P-256", 30);
		certs[i] = cert_of_pair(pki.chain, pki.key, error,
					sizeof(error));
		again[i] = cert_of_pair(pki.chain, pki.key, error,
					sizeof(error));
		pki_remove(&pki);
		cr_assert(certs[i] && again[i], "%s", error);
		cr_expect_eq(sk_X509_value(certs[i]->chain, 0),
			     sk_X509_value(again[i]->chain, 0));
		cr_expect_neq(certs[i]->leaf, again[i]->leaf);
		hs_cert_free(certs[i]);
	}
	for (size_t i = 0; i < COUNT(certs); i++) {
		X509 *ca = sk_X509_value(again[i]->chain, 0);

		cr_expect_eq(X509_verify(again[i]->leaf,
					 X509_get0_pubkey(ca)), 1);
		hs_cert_free(again[i]);
	}
}

/* With points that keys have in another form than their certificate. */
static void make_compressed(struct pki *pki)
{
	EVP_PKEY *key = pki_key("P-256");
	X509 *ca = pki_cert(key, "Test CA", NULL, key, 30);
	const char *form = OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT;
	X509 *leaf;

	cr_assert(EVP_PKEY_set_utf8_string_param(key, form, "compressed"));
	leaf = pki_cert(key, "localhost", ca, key, 30);
	cr_assert(EVP_PKEY_set_utf8_string_param(key, form, "uncompressed"));
	pki_write(pki, leaf, ca, key);
	X509_free(leaf);
	X509_free(ca);
	EVP_PKEY_free(key);
}

Test(cert, is_sent_as_its_issuer_encoded_it)
{
	static const char *const types[] = { "P-256", "RSA", "ED25519",
					     "compressed" };

	for (size_t i = 0; i < COUNT(types); i++) {
		bool compressed = !strcmp(types[i], "compressed");
		struct ocsp_bytes der;
		struct hs_cert *cert;
		char error[300] = "";
		uint8_t *sent = NULL;
		struct pki pki;

		if (compressed)
			make_compressed(&pki);
		else
			pki_make(&pki, types[i], 30);
		cert = cert_of_pair(pki.chain, pki.key, error, sizeof(error));
		pki_remove(&pki);
		cr_assert(cert, "%s", error);
		der = hs_cert_der(cert, 0);
		cr_assert_eq(i2d_X509(cert->leaf, &sent), (int)der.len);
		cr_expect_arr_eq(sent, der.data, der.len, "%s", types[i]);
		cr_expect_eq(X509_verify(cert->leaf, X509_get0_pubkey(
				     sk_X509_value(cert->chain, 0))), 1);
		if (!compressed)
			cr_expect_eq(X509_get0_pubkey(cert->leaf), cert->key,
				     "%s: not shared", types[i]);
		OPENSSL_free(sent);
		hs_cert_free(cert);
	}
}

/* --- where its parts are -------------------------------------------------------- */

/* Root, intermediate and leaf; what a file may hold. */
struct parts {
	EVP_PKEY *keys[3];
	X509 *certs[3];
	struct pki pki;
	char beside[2][96];		/* chain.pem.key, chain.key */
};

static void parts_init(struct parts *p)
{
	for (int i = 0; i < 3; i++)
		p->keys[i] = pki_key("P-256");
	p->certs[0] = pki_cert(p->keys[0], "Root", NULL, p->keys[0], 30);
	p->certs[1] = pki_cert(p->keys[1], "Middle", p->certs[0], p->keys[0],
			       30);
	p->certs[2] = pki_cert(p->keys[2], "localhost", p->certs[1],
			       p->keys[1], 30);
	pki_write(&p->pki, p->certs[2], p->certs[1], p->keys[2]);
	sprintf(p->beside[0], "%s.key", p->pki.chain);
	sprintf(p->beside[1], "%s/chain.key", p->pki.dir);
}

static void parts_fini(struct parts *p)
{
	for (int i = 0; i < 3; i++) {
		EVP_PKEY_free(p->keys[i]);
		X509_free(p->certs[i]);
	}
	unlink(p->beside[0]);
	unlink(p->beside[1]);
	pki_remove(&p->pki);
}

/* @what: r, m and l are certificates, L the leaf's key, M another one */
static void parts_write(const struct parts *p, const char *file,
			const char *what)
{
	FILE *f = fopen(file, "w");

	cr_assert(f);
	for (; *what; what++) {
		const char *one = strchr("rml", *what);
		EVP_PKEY *key = p->keys[*what == 'L' ? 2 : 1];

		if (one)
			PEM_write_X509(f, p->certs[one - "rml"]);
		else
			PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	}
	fclose(f);
}

static struct hs_cert *parts_read(const struct parts *p, char error[300])
{
	const char *keys[] = { p->pki.chain, p->beside[0], p->beside[1] };
	const struct hs_cert_files files = {
		.chain = p->pki.chain, .keys = keys, .n_keys = 3,
	};

	error[0] = '\0';
	return hs_cert_read(&files, error, 300);
}

static bool is_at(const struct hs_cert *cert, unsigned int i, X509 *expected)
{
	X509 *found = parse(cert->der[i]);
	bool same = !X509_cmp(found, expected);

	X509_free(found);
	return same;
}

Test(cert, one_file_may_have_its_parts_in_any_order)
{
	static const char *const orders[] = {
		"Llmr", "lLmr", "lmrL", "rmlL", "Lrml", "mLlr", "mrLl", "rlLm",
	};
	struct hs_cert *cert;
	struct parts p;
	char error[300];

	parts_init(&p);
	for (size_t i = 0; i < COUNT(orders); i++) {
		parts_write(&p, p.pki.chain, orders[i]);
		cert = parts_read(&p, error);
		cr_assert(cert, "%s: %s", orders[i], error);
		cr_expect_str_eq(hs_cert_key_file(cert), p.pki.chain);
		for (unsigned int j = 0; j < 3; j++)
			cr_expect(is_at(cert, j, p.certs[2 - j]), "%s: %u",
				  orders[i], j);
		hs_cert_free(cert);
		cr_expect_eq(ERR_peek_error(), 0, "%s", orders[i]);
	}
	parts_write(&p, p.pki.chain, "lrm");
	parts_write(&p, p.beside[0], "L");
	cert = parts_read(&p, error);
	cr_assert(cert, "%s", error);
	cr_expect(is_at(cert, 1, p.certs[0]), "as it stands in the file");
	hs_cert_free(cert);
	parts_fini(&p);
}

static const struct {
	const char *chain, *first, *second;	/* NULL: no such file */
	int key_file;		/* 0: the chain's; -1: none */
	const char *sentence;
} places[] = {
	{ "lmL", NULL, NULL, 0, NULL },
	{ "lmL", "M", "M", 0, NULL },
	{ "lm", "L", NULL, 1, NULL },
	{ "lm", "L", "M", 1, NULL },
	{ "lm", NULL, "L", 2, NULL },
	{ "lm", NULL, NULL, -1, "chain.pem: no private key in it, and no file" },
	{ "lm", "", "L", -1, "chain.pem.key: no PEM private key in it" },
	{ "lm", "M", "L", -1, "chain.pem.key: the key does not match the "
			      "certificate in" },
	{ "lrM", NULL, NULL, -1, "chain.pem: the key in it matches none of its "
				 "certificates" },
};

Test(cert, a_key_is_looked_for_in_turn)
{
	struct parts p;
	char error[300];

	parts_init(&p);
	for (size_t i = 0; i < COUNT(places); i++) {
		const char *files[] = { p.pki.chain, p.beside[0], p.beside[1] };
		struct hs_cert *cert;

		unlink(p.beside[0]);
		unlink(p.beside[1]);
		parts_write(&p, p.pki.chain, places[i].chain);
		if (places[i].first)
			parts_write(&p, p.beside[0], places[i].first);
		if (places[i].second)
			parts_write(&p, p.beside[1], places[i].second);
		cert = parts_read(&p, error);
		cr_expect_eq(!cert, places[i].key_file < 0, "%zu: %s", i,
			     error);
		if (cert)
			cr_expect_str_eq(hs_cert_key_file(cert),
					 files[places[i].key_file], "%zu", i);
		else
			cr_expect(strstr(error, places[i].sentence),
				  "%zu: %s", i, error);
		hs_cert_free(cert);
	}
	parts_write(&p, p.pki.chain, "lm");
	unlink(p.beside[0]);
	unlink(p.beside[1]);
	cr_expect_null(parts_read(&p, error));
	cr_expect(strstr(error, p.beside[0]) && strstr(error, p.beside[1]),
		  "%s", error);
	parts_fini(&p);
}
