// SPDX-License-Identifier: MIT
#include "scratch.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "util.h"

#define DAY_S 86400

const char *const key_names[KEYS] = {"p256", "rsa2048"};

static char folder[PATH_MAX];	/* "": none yet */

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	remove(path);
	return 0;
}

void scratch_remove(void)
{
	if (*folder)
		nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void scratch_init(void)
{
	const char *given = getenv("TMPDIR");
	char *tmp, *www;

	if (!given || !*given)
		given = "/tmp";
	/* Servers take what is relative for relative to something else. */
	tmp = realpath(given, NULL);
	if (!tmp)
		die("TMPDIR: %s: %s", given, strerror(errno));
	/* It is written into configurations, between quotes. */
	if (strpbrk(tmp, "\"'\t\n\\ $"))
		die("TMPDIR has a space, a quote, a backslash or a dollar sign "
		    "in it");
	if ((size_t)snprintf(folder, sizeof(folder), "%s/ktls-bench.XXXXXX",
			     tmp) >= sizeof(folder))
		die("TMPDIR is too long");
	if (!mkdtemp(folder))
		die("%s: %s", folder, strerror(errno));
	free(tmp);
	www = scratch("www");
	if (mkdir(www, 0700))
		die("%s: %s", www, strerror(errno));
	free(www);
}

char *scratch(const char *format, ...)
{
	char *name, *path;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&name, format, args);
	va_end(args);
	if (n < 0)
		die("out of memory");
	path = text("%s/%s", folder, name);
	free(name);
	return path;
}

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	if (!e || !X509_add_ext(cert, e, -1))
		die("OpenSSL makes no certificate");
	X509_EXTENSION_free(e);
}

static X509 *self_signed(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(cert), DAY_S);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const unsigned char *)"localhost", -1, -1,
				   0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	add_extension(cert, NID_basic_constraints, "critical,CA:FALSE");
	add_extension(cert, NID_subject_alt_name, "DNS:localhost");
	if (!X509_sign(cert, key, EVP_sha256()))
		die("OpenSSL signs no certificate");
	return cert;
}

static void write_pem(const char *kind, const char *key_name, X509 *cert,
		      EVP_PKEY *key)
{
	char *path = scratch("%s-%s.pem", kind, key_name);
	FILE *f = fopen(path, "we");

	/* Servers warn of a key that others could read, folder or not. */
	if (f && fchmod(fileno(f), 0600))
		die("%s: %s", path, strerror(errno));
	if (!f || (cert && !PEM_write_X509(f, cert)) ||
	    (key && !PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL)) ||
	    fclose(f))
		die("%s cannot be written", path);
	free(path);
}

void scratch_certificate(enum bench_key key)
{
	EVP_PKEY *pkey = key == KEY_P256 ? EVP_EC_gen("P-256") :
					   EVP_RSA_gen(2048);
	X509 *cert;

	if (!pkey)
		die("OpenSSL makes no key");
	cert = self_signed(pkey);
	write_pem("cert", key_names[key], cert, NULL);
	write_pem("key", key_names[key], NULL, pkey);
	write_pem("both", key_names[key], cert, pkey);
	X509_free(cert);
	EVP_PKEY_free(pkey);
}
