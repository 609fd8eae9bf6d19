/* SPDX-License-Identifier: MIT */
/*
 * CAs, clients and lists of revoked ones for the tests of handshake/, made to
 * order. Times are seconds from now.
 */
#ifndef TESTS_CLIENT_PKI_H
#define TESTS_CLIENT_PKI_H

#include <stdarg.h>
#include <time.h>

#include "handshake/client.h"
#include "tests/handshake_peer.h"

#define HOUR 3600
#define DAY 86400

/* Somebody with a certificate. */
struct party {
	X509 *cert;
	EVP_PKEY *key;
	const struct party *issuer;	/* NULL: itself */
};

/*
 * @names:  subjectAltName as openssl's config has it, or NULL
 * @usage:  extendedKeyUsage, or NULL
 * @is_ca:  with keyUsage @key_usage, or "keyCertSign,cRLSign"
 * @to:     0: in a day
 */
struct party_terms {
	const char *cn, *names, *usage, *key_usage;
	bool is_ca;
	long serial, from, to;
};

static inline struct party party_make(struct party_terms t,
				      const struct party *issuer)
{
	struct party p = { X509_new(), pki_key("P-256"), issuer };
	X509_NAME *subject = X509_get_subject_name(p.cert);
	const struct party *by = issuer ? issuer : &p;

	cr_assert(X509_set_version(p.cert, 2));
	ASN1_INTEGER_set(X509_get_serialNumber(p.cert), t.serial);
	X509_gmtime_adj(X509_getm_notBefore(p.cert), t.from ? t.from : -DAY);
	X509_gmtime_adj(X509_getm_notAfter(p.cert), t.to ? t.to : DAY);
	X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
				   (const unsigned char *)"Test", -1, -1, 0);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
				   (const unsigned char *)t.cn, -1, -1, 0);
	X509_set_pubkey(p.cert, p.key);
	X509_set_issuer_name(p.cert, X509_get_subject_name(by->cert));
	if (t.is_ca) {
		pki_extend(p.cert, NID_basic_constraints, "critical,CA:TRUE");
		pki_extend(p.cert, NID_key_usage, t.key_usage ?
			   t.key_usage : "critical,keyCertSign,cRLSign");
	}
	if (t.names)
		pki_extend(p.cert, NID_subject_alt_name, t.names);
	if (t.usage)
		pki_extend(p.cert, NID_ext_key_usage, t.usage);
	pki_sign(p.cert, by->key);
	return p;
}

static inline void party_free(struct party *p)
{
	X509_free(p->cert);
	EVP_PKEY_free(p->key);
}

/* Serial numbers, of which the last is 0. */
static inline X509_CRL *crl_make(const struct party *issuer, long from, long to,
				 const long *revoked)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();

	cr_assert(X509_CRL_set_version(crl, 1));
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert));
	X509_gmtime_adj(t, from);
	X509_CRL_set1_lastUpdate(crl, t);
	for (; *revoked; revoked++) {
		X509_REVOKED *r = X509_REVOKED_new();
		ASN1_INTEGER *serial = ASN1_INTEGER_new();

		ASN1_INTEGER_set(serial, *revoked);
		X509_REVOKED_set_serialNumber(r, serial);
		X509_REVOKED_set_revocationDate(r, t);
		X509_CRL_add0_revoked(crl, r);
		ASN1_INTEGER_free(serial);
	}
	X509_gmtime_adj(t, to);
	X509_CRL_set1_nextUpdate(crl, t);
	X509_CRL_sort(crl);
	cr_assert(X509_CRL_sign(crl, issuer->key, EVP_sha256()));
	ASN1_TIME_free(t);
	return crl;
}

/* Files in a folder of the test's own. */
static char folder[] = "/tmp/test_client.XXXXXX";
static char paths[32][64];
static size_t n_paths;

static inline void folder_make(void)
{
	strcpy(folder, "/tmp/test_client.XXXXXX");
	n_paths = 0;
	cr_assert(mkdtemp(folder));
}

static inline void folder_remove(void)
{
	for (size_t i = 0; i < n_paths; i++)
		unlink(paths[i]);
	cr_assert_eq(rmdir(folder), 0);
}

/* Lasts as long as the folder; the same for the same name. */
static inline const char *path_of(const char *name)
{
	char path[sizeof(paths[0])];
	size_t i;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	for (i = 0; i < n_paths; i++)
		if (!strcmp(paths[i], path))
			return paths[i];
	cr_assert_lt(n_paths, COUNT(paths));
	return strcpy(paths[n_paths++], path);
}

/* Up to NULL. */
static inline const char *write_certs(const char *name, ...)
{
	const char *path = path_of(name);
	FILE *f = fopen(path, "w");
	const struct party *p;
	va_list ap;

	va_start(ap, name);
	while ((p = va_arg(ap, const struct party *)))
		cr_assert(f && PEM_write_X509(f, p->cert));
	va_end(ap);
	fclose(f);
	return path;
}

static inline const char *write_crl(const char *name, X509_CRL *crl, bool der)
{
	const char *path = path_of(name);
	FILE *f = fopen(path, "w");

	cr_assert(f && (der ? i2d_X509_CRL_fp(f, crl) :
			      PEM_write_X509_CRL(f, crl)));
	fclose(f);
	X509_CRL_free(crl);
	return path;
}

#endif
