// SPDX-License-Identifier: MIT
/*
 * certs - many certificates, at once
 *
 *   certs [options] NAME
 *   -t TYPE     leaf (default), root, ca, delegate (may sign OCSP responses) or
 *               plain (a delegate that the CA gave no such right)
 *   -i ISSUER   signed by ISSUER.pem with ISSUER.key; not for root
 *   -o DIR      where to write (.)
 *   -n N        so many, numbered from 1 (1)
 *   -s CN       subject, instead of NAME
 *   -d DOMAIN   behind NAME in the leaf's DNS name (test)
 *   -u URL      ask there for its status; repeatable
 *   -m          it must be stapled (RFC 7633)
 *   -1          one key for all
 *   -a S, -z S  valid from and to, seconds from now (-3600, 30 days)
 *
 * In NAME and URL, %d is the number, %04d the same with zeros, and %a an address
 * for each of 64,000 numbers, 127.1.X.Y.
 *
 * Writes NAME.pem and NAME.key, for a leaf or ca NAME-chain.pem (root included),
 * and adds a line to ISSUER.index for openssl-ocsp(1). Serial numbers follow one
 * another.
 */
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool/pem.h"
#include "tool/tool.h"

#define URLS_MAX 4

struct type {
	const char *name, *constraints, *usage, *extended;
	bool checked; /* its status can be asked for */
};

#define SIGNS_ALL "critical,keyCertSign,cRLSign,digitalSignature"
#define SIGNS "critical,digitalSignature"

static const struct type types[] = {
	{"leaf", "critical,CA:false", SIGNS, "serverAuth", true},
	{"root", "critical,CA:true", SIGNS_ALL, NULL, false},
	{"ca", "critical,CA:true", SIGNS_ALL, NULL, true},
	{"delegate", "critical,CA:false", SIGNS, "OCSPSigning", false},
	{"plain", "critical,CA:false", SIGNS, "clientAuth", false},
};

static const struct type *type = types;
static const char *issuer_path, *dir = ".", *domain = "test";
static const char *name_format, *common_name;
static const char *urls[URLS_MAX];
static int count = 1, n_urls;
static long from = -3600, to = 30 * 86400L;
static bool must_staple, one_key;

static X509 *issuer;
static EVP_PKEY *issuer_key;
static uint64_t first_serial;
static char *issuer_chain; /* PEM */
static FILE *index_file;

/* One %... of a format at @*in; false: something else. */
static bool expand_one(const char **in, FILE *out, int n)
{
	int width = 0, used = 0;

	if (!strncmp(*in, "%a", 2)) {
		fprintf(out, "127.1.%d.%d", n / 250, n % 250 + 1);
		*in += 2;
		return true;
	}
	if (!strncmp(*in, "%d", 2))
		used = 2;
	else if (sscanf(*in, "%%0%dd%n", &width, &used) != 1 || !used)
		return false;
	fprintf(out, "%0*d", width, n);
	*in += used;
	return true;
}

static char *expand(const char *format, int n)
{
	char *s;
	size_t len;
	FILE *out = open_memstream(&s, &len);

	while (*format)
		if (!expand_one(&format, out, n))
			fputc(*format++, out);
	fclose(out);
	return s;
}

static void extend(X509 *cert, const char *name, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf(NULL, NULL, name, value);

	if (!ext || !X509_add_ext(cert, ext, -1))
		die("%s = %s: %s", name, value, ssl_reason());
	X509_EXTENSION_free(ext);
}

static void add_urls(X509 *cert, int n)
{
	char *value, *url;
	size_t len;
	FILE *out = open_memstream(&value, &len);
	int i;

	for (i = 0; i < n_urls; i++) {
		url = expand(urls[i], n);
		fprintf(out, "%sOCSP;URI:%s", i ? "," : "", url);
		free(url);
	}
	fclose(out);
	extend(cert, "authorityInfoAccess", value);
	free(value);
}

static void add_extensions(X509 *cert, const char *name, int n)
{
	char *dns;

	extend(cert, "basicConstraints", type->constraints);
	extend(cert, "keyUsage", type->usage);
	if (type->extended)
		extend(cert, "extendedKeyUsage", type->extended);
	if (type->extended && !strcmp(type->extended, "OCSPSigning"))
		extend(cert, "noCheck", "ignored");
	if (type == types) {
		dns = text("DNS:%s.%s", name, domain);
		extend(cert, "subjectAltName", dns);
		free(dns);
	}
	if (must_staple)
		extend(cert, "tlsfeature", "status_request");
	if (n_urls)
		add_urls(cert, n);
}

static X509 *make_cert(const char *name, int n, EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);
	EVP_PKEY *sign = issuer ? issuer_key : key;

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), first_serial + n);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
				   (const uint8_t *)(common_name ?: name), -1,
				   -1, 0);
	X509_set_issuer_name(cert,
			     X509_get_subject_name(issuer ? issuer : cert));
	X509_gmtime_adj(X509_getm_notBefore(cert), from);
	X509_gmtime_adj(X509_getm_notAfter(cert), to);
	X509_set_pubkey(cert, key);
	add_extensions(cert, name, n);
	if (!X509_sign(cert, sign, EVP_sha256()))
		die("%s cannot be signed: %s", name, ssl_reason());
	return cert;
}

static void write_cert(X509 *cert, const char *path, const char *chain)
{
	char *file = text("%s%s", path, chain ? "-chain.pem" : ".pem");
	FILE *f = must_open(file, "w");

	PEM_write_X509(f, cert);
	if (chain)
		fputs(chain, f);
	must_close(f, file);
	free(file);
}

static void write_key(EVP_PKEY *key, const char *path)
{
	char *file = text("%s.key", path);
	mode_t mask = umask(077);
	FILE *f = must_open(file, "w");

	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	must_close(f, file);
	umask(mask);
	free(file);
}

/* TXT_DB of openssl-ca(1): status, end, revocation, serial, file, subject. */
static void write_index(int n, const char *name)
{
	time_t end = time(NULL) + to;
	struct tm tm;
	char stamp[16];

	strftime(stamp, sizeof(stamp), "%y%m%d%H%M%SZ", gmtime_r(&end, &tm));
	fprintf(index_file, "V\t%s\t\t%016llX\tunknown\t/CN=%s\n", stamp,
		(unsigned long long)first_serial + n, name);
}

static void make_one(int n, EVP_PKEY *key)
{
	char *name = expand(name_format, n), *path = text("%s/%s", dir, name);
	X509 *cert = make_cert(name, n, key);

	write_key(key, path);
	write_cert(cert, path, NULL);
	if (type->checked) {
		write_cert(cert, path, issuer_chain);
		write_index(n, name);
	}
	X509_free(cert);
	free(path);
	free(name);
}

static EVP_PKEY *new_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	if (!key)
		die("no key: %s", ssl_reason());
	return key;
}

static void make_all(void)
{
	EVP_PKEY *key = new_key();
	int n;

	for (n = 1; n <= count; n++) {
		make_one(n, key);
		if (one_key || n == count)
			continue;
		EVP_PKEY_free(key);
		key = new_key();
	}
	EVP_PKEY_free(key);
}

static char *read_text(const char *file)
{
	FILE *f = must_open(file, "r");
	char *s = NULL;
	size_t size = 0;

	if (getdelim(&s, &size, '\0', f) < 0)
		die("%s: %m", file);
	fclose(f);
	return s;
}

/* An intermediate comes with its chain. */
static void read_issuer(void)
{
	char *pem = text("%s.pem", issuer_path);
	char *key = text("%s.key", issuer_path);
	char *chain = text("%s-chain.pem", issuer_path);
	char *list = text("%s.index", issuer_path);

	issuer = read_cert(pem);
	issuer_key = read_key(key);
	issuer_chain = read_text(access(chain, F_OK) ? pem : chain);
	if (type->checked)
		index_file = must_open(list, "a");
	free(pem);
	free(key);
	free(chain);
	free(list);
}

static void set_type(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		type = &types[i];
		if (!strcmp(type->name, name))
			return;
	}
	die("'%s' is not a type", name);
}

static void set_option(int c)
{
	switch (c) {
	case 't':
		set_type(optarg);
		break;
	case 'i':
		issuer_path = optarg;
		break;
	case 'o':
		dir = optarg;
		break;
	case 'n':
		count = atoi(optarg);
		break;
	case 's':
		common_name = optarg;
		break;
	case 'd':
		domain = optarg;
		break;
	case 'u':
		if (n_urls == URLS_MAX)
			die("too many URLs");
		urls[n_urls++] = optarg;
		break;
	case 'm':
		must_staple = true;
		break;
	case '1':
		one_key = true;
		break;
	case 'a':
		from = atol(optarg);
		break;
	case 'z':
		to = atol(optarg);
		break;
	default:
		die("usage: see the head of certs.c");
	}
}

/* Room for 65,535 numbers, and 16 hex digits. */
static void choose_serials(void)
{
	if (RAND_bytes((uint8_t *)&first_serial, sizeof(first_serial)) != 1)
		die("no randomness");
	first_serial &= UINT64_C(0x7fffffffffff0000);
	first_serial |= UINT64_C(0x1000000000000000);
}

int main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "t:i:o:n:s:d:u:m1a:z:")) != -1)
		set_option(c);
	if (optind + 1 != argc || !issuer_path != !strcmp(type->name, "root"))
		set_option('?');
	name_format = argv[optind];
	choose_serials();
	if (issuer_path)
		read_issuer();
	make_all();
	if (index_file)
		must_close(index_file, "index");
	X509_free(issuer);
	EVP_PKEY_free(issuer_key);
	free(issuer_chain);
	return 0;
}
