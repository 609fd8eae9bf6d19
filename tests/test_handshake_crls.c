// SPDX-License-Identifier: MIT
/*
 * Lists of revoked certificates: which are refused when they are read, and what
 * they say later.
 */
#include "tests/client_pki.h"

#include "handshake/crls.h"

TestSuite(crls, .timeout = 30, .init = folder_make, .fini = folder_remove);

static char error[300];

static struct hs_report report(const char *file)
{
	error[0] = '\0';
	return (struct hs_report){ file, error, sizeof(error) };
}

static const char *write_text(const char *name, const char *text)
{
	const char *path = path_of(name);
	FILE *f = fopen(path, "w");

	cr_assert(f && fputs(text, f) >= 0);
	fclose(f);
	return path;
}

static const long nobody[] = { 0 }, some[] = { 7, 9, 0 };

static struct party make_ca(const char *cn, const char *key_usage)
{
	return party_make((struct party_terms){ .cn = cn, .is_ca = true,
						.key_usage = key_usage }, NULL);
}

static const struct {
	const char *name, *text, *error;
} unreadable[] = {
	{ "empty.pem", "", "no list of revoked certificates" },
	{ "prose.pem", "nothing", "no list of revoked certificates" },
	{ "other.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n"
		       "-----END CERTIFICATE-----\n",
	  "no list of revoked certificates" },
	{ "bad.pem", "-----BEGIN X509 CRL-----\nMAA=\n"
		     "-----END X509 CRL-----\n", "list 1 cannot be read" },
	{ "bad.der", "\x30\x03" "abc", "the list cannot be read" },
	{ "short.der", "\x30\x82", "the list cannot be read" },
};

Test(crls, files_without_a_list_are_refused_by_name)
{
	for (size_t i = 0; i < COUNT(unreadable); i++) {
		const char *file = write_text(unreadable[i].name,
					      unreadable[i].text);
		struct hs_report r = report(file);

		cr_expect_null(hs_crls_read(&r), "%s", file);
		cr_expect(strstr(error, file) == error, "%s", error);
		cr_expect(strstr(error, unreadable[i].error), "%s", error);
	}
}

Test(crls, a_missing_file_is_called_missing)
{
	struct hs_report r = report("/nowhere/at.all");

	cr_expect_null(hs_crls_read(&r));
	cr_expect_str_eq(error, "/nowhere/at.all: No such file or directory");
}

Test(crls, several_in_one_file_are_all_read)
{
	struct party ca = make_ca("A", NULL);
	const char *path = path_of("two.pem");
	FILE *f = fopen(path, "w");
	struct hs_report r = report(path);
	STACK_OF(X509_CRL) *crls;

	for (int i = 0; i < 2; i++) {
		X509_CRL *crl = crl_make(&ca, -DAY, DAY, some);

		cr_assert(PEM_write_X509_CRL(f, crl));
		X509_CRL_free(crl);
	}
	fclose(f);
	crls = hs_crls_read(&r);
	cr_assert(crls, "%s", error);
	cr_expect_eq(sk_X509_CRL_num(crls), 2);
	sk_X509_CRL_pop_free(crls, X509_CRL_free);
	party_free(&ca);
}

/* As of the CAs a, b, whom to trust; c's list, signed by d's key */
static int prove(X509_CRL *crl, const struct party *a, const struct party *b,
		 bool whole)
{
	STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
	STACK_OF(X509) *cas = sk_X509_new_null();
	struct hs_report r = report("FILE");
	int ret;

	sk_X509_CRL_push(crls, crl);
	sk_X509_push(cas, a->cert);
	if (b)
		sk_X509_push(cas, b->cert);
	ret = hs_crls_prove(&r, crls, cas, whole);
	sk_X509_free(cas);
	sk_X509_CRL_pop_free(crls, X509_CRL_free);
	return ret;
}

Test(crls, what_a_trusted_ca_has_not_signed_is_refused)
{
	struct party a = make_ca("A", NULL);
	struct party b = make_ca("B", NULL);
	struct party fake = make_ca("A", NULL);
	struct party mute = make_ca("C", "keyCertSign");

	cr_expect_eq(prove(crl_make(&a, -DAY, DAY, some), &a, &b, false), 0,
		     "%s", error);
	cr_expect_eq(prove(crl_make(&b, -DAY, DAY, nobody), &a, &b, true), 0,
		     "%s", error);
	/* ended, or to come: that is the clients' business */
	cr_expect_eq(prove(crl_make(&a, -DAY, -HOUR, some), &a, &b, true), 0);
	cr_expect_eq(prove(crl_make(&a, HOUR, DAY, some), &a, &b, true), 0);
	cr_expect_neq(prove(crl_make(&fake, -DAY, DAY, some), &a, &b, false),
		      0);
	cr_expect_str_eq(error, "FILE: the list of CN=A,O=Test was not signed "
				"by it");
	/* of two CAs by one name either may have signed it */
	cr_expect_eq(prove(crl_make(&fake, -DAY, DAY, some), &a, &fake, true),
		     0, "%s", error);
	cr_expect_neq(prove(crl_make(&mute, -DAY, DAY, some), &mute, NULL,
			    false), 0);
	cr_expect(strstr(error, "cRLSign"), "%s", error);
	/* It may be one of a CA that clients bring along, if they may. */
	cr_expect_eq(prove(crl_make(&b, -DAY, DAY, some), &a, NULL, false), 0);
	cr_expect_neq(prove(crl_make(&b, -DAY, DAY, some), &a, NULL, true), 0);
	cr_expect(strstr(error, "CN=B,O=Test is of none of those whom to "
				"trust"), "%s", error);
	party_free(&a);
	party_free(&b);
	party_free(&fake);
	party_free(&mute);
}

Test(crls, a_list_of_changes_is_refused)
{
	struct party a = make_ca("A", NULL);
	X509_CRL *crl = crl_make(&a, -DAY, DAY, some);
	ASN1_INTEGER *base = ASN1_INTEGER_new();

	ASN1_INTEGER_set(base, 1);
	X509_CRL_add1_ext_i2d(crl, NID_delta_crl, base, 1, 0);
	X509_CRL_sign(crl, a.key, EVP_sha256());
	cr_expect_neq(prove(crl, &a, NULL, false), 0);
	cr_expect(strstr(error, "give the complete one"), "%s", error);
	ASN1_INTEGER_free(base);
	party_free(&a);
}

Test(crls, lists_say_how_a_certificate_stands)
{
	struct party a = make_ca("A", NULL);
	struct party b = make_ca("B", NULL);
	struct party good = party_make((struct party_terms){ .cn = "x",
				       .serial = 8 }, &a);
	struct party bad = party_make((struct party_terms){ .cn = "x",
				      .serial = 9 }, &a);
	struct party elsewhere = party_make((struct party_terms){ .cn = "x",
					    .serial = 9 }, &b);
	STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
	int64_t now = time(NULL);

	cr_expect_eq(hs_crls_standing(crls, good.cert, now), HS_UNKNOWN);
	sk_X509_CRL_push(crls, crl_make(&a, -2 * HOUR, -HOUR, some));
	cr_expect_eq(hs_crls_standing(crls, good.cert, now), HS_GOOD_EXPIRED);
	cr_expect_eq(hs_crls_standing(crls, good.cert, now - HOUR - 60),
		     HS_GOOD);
	cr_expect_eq(hs_crls_standing(crls, good.cert, now - DAY),
		     HS_GOOD_EXPIRED);
	cr_expect_eq(hs_crls_standing(crls, bad.cert, now), HS_REVOKED);
	cr_expect_eq(hs_crls_standing(crls, elsewhere.cert, now), HS_UNKNOWN);
	sk_X509_CRL_push(crls, crl_make(&a, -HOUR, DAY, nobody));
	cr_expect_eq(hs_crls_standing(crls, good.cert, now), HS_GOOD);
	cr_expect_eq(hs_crls_standing(crls, bad.cert, now), HS_REVOKED);
	sk_X509_CRL_pop_free(crls, X509_CRL_free);
	party_free(&good);
	party_free(&bad);
	party_free(&elsewhere);
	party_free(&a);
	party_free(&b);
}
