// SPDX-License-Identifier: MIT
/*
 * A certificate, its chain and its key from files, and what else is known of it.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "handshake/internal.h"
#include "handshake/pem.h"

/* malloc'ed DER; data NULL when out of memory */
static struct ocsp_bytes to_der(X509 *cert)
{
	struct ocsp_bytes der = { 0 };
	int len = i2d_X509(cert, NULL);
	uint8_t *data = len > 0 ? malloc(len) : NULL;
	uint8_t *p = data;

	if (data && i2d_X509(cert, &p) == len)
		der = (struct ocsp_bytes){ data, len };
	else
		free(data);
	return der;
}

/* Who issued @cert by names and key ids, the next from @i on; or -1. */
static int next_issuer(STACK_OF(X509) *chain, X509 *cert, int i)
{
	for (; i < sk_X509_num(chain); i++) {
		X509 *candidate = sk_X509_value(chain, i);

		if (candidate != cert &&
		    X509_check_issued(candidate, cert) == X509_V_OK)
			return i;
	}
	return -1;
}

static bool has_signed(X509 *issuer, X509 *cert)
{
	bool ok;

	ERR_set_mark();
	ok = X509_verify(cert, X509_get0_pubkey(issuer)) == 1;
	ERR_pop_to_mark();
	return ok;
}

/*
 * Which of @chain has issued @cert; -1: none. Several CAs may have one name, as
 * after a change of keys, and certificates need not have key identifiers.
 * Signatures take as long as all else about a certificate, so a choice only is
 * made by them.
 */
static int find_issuer(STACK_OF(X509) *chain, X509 *cert)
{
	int i = next_issuer(chain, cert, 0);

	if (i < 0 || next_issuer(chain, cert, i + 1) < 0)
		return i;
	while (i >= 0 && !has_signed(sk_X509_value(chain, i), cert))
		i = next_issuer(chain, cert, i + 1);
	return i;
}

/* A root speaks for itself: nobody could revoke it. */
static unsigned int count_depths(STACK_OF(X509) *chain)
{
	unsigned int n = 1;

	while (HS_STAPLES_CHAIN && n < (unsigned int)sk_X509_num(chain) &&
	       !(X509_get_extension_flags(sk_X509_value(chain, n)) &
		 EXFLAG_SS))
		n++;
	return n;
}

static int keep_chain(struct hs_cert *cert, STACK_OF(X509) *chain)
{
	cert->n_chain = sk_X509_num(chain);
	cert->depths = count_depths(chain);
	cert->der = calloc(cert->n_chain, sizeof(*cert->der));
	cert->positions = calloc(cert->depths, sizeof(*cert->positions));
	if (!cert->der || !cert->positions)
		return -ENOMEM;
	for (unsigned int i = 0; i < cert->n_chain; i++) {
		cert->der[i] = to_der(sk_X509_value(chain, i));
		if (!cert->der[i].data)
			return -ENOMEM;
	}
	for (unsigned int i = 0; i < cert->depths; i++)
		cert->positions[i].issuer =
			find_issuer(chain, sk_X509_value(chain, i));
	return 0;
}

/* For log lines, where it stands in quotes. */
static char *printable(const char *data, size_t len)
{
	char *copy = strndup(data, len);

	for (char *p = copy; p && *p; p++)
		if (iscntrl((unsigned char)*p) || *p == '"' || *p == '\\')
			*p = '?';
	return copy;
}

/* The first is the one for people, too. Returns 0 or -ENOMEM. */
static int add_name(struct hs_cert *cert, const void *data, int len)
{
	char *name;

	/* One that holds a NUL is nobody's name. */
	if (len <= 0 || memchr(data, '\0', len))
		return 0;
	if (!cert->name)
		cert->name = printable(data, len);
	name = strndup(data, len);
	if (!name || !cert->name) {
		free(name);
		return -ENOMEM;
	}
	for (char *p = name; *p; p++)
		*p = tolower((unsigned char)*p);
	cert->names[cert->n_names++] = name;
	return 0;
}

static int add_dns_names(struct hs_cert *cert, const GENERAL_NAMES *list)
{
	int n = list ? sk_GENERAL_NAME_num(list) : 0;
	int ret = 0;

	cert->names = calloc(n + 1, sizeof(*cert->names));
	if (!cert->names)
		return -ENOMEM;
	for (int i = 0; i < n && !ret; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(list, i);

		if (g->type == GEN_DNS)
			ret = add_name(cert,
				       ASN1_STRING_get0_data(g->d.dNSName),
				       ASN1_STRING_length(g->d.dNSName));
	}
	return ret;
}

/* Without DNS names the common name stands for one, as it does for clients. */
static int add_common_name(struct hs_cert *cert, X509 *leaf)
{
	X509_NAME *subject = X509_get_subject_name(leaf);
	int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	int len;
	int ret;

	if (i < 0)
		return 0;
	len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(
					  X509_NAME_get_entry(subject, i)));
	ret = add_name(cert, utf8, len);
	OPENSSL_free(utf8);
	return ret;
}

static int keep_names(struct hs_cert *cert, X509 *leaf)
{
	GENERAL_NAMES *list =
		X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	int ret = add_dns_names(cert, list);

	GENERAL_NAMES_free(list);
	if (!ret && !cert->n_names)
		ret = add_common_name(cert, leaf);
	return ret;
}

static bool is_there(const char *file, const char *chain)
{
	return strcmp(file, chain) ? !access(file, F_OK) : hs_has_key(file);
}

static int report_no_key(const struct hs_report *r,
			 const struct hs_cert_files *files)
{
	char looked[384] = "";
	size_t len = 0, i;

	for (i = 0; i < files->n_keys && len < sizeof(looked); i++)
		if (strcmp(files->keys[i], files->chain))
			len += snprintf(looked + len, sizeof(looked) - len,
					"%s%s", len ? " or " : "",
					files->keys[i]);
	return hs_report(r, "no private key in it, and no file %s", looked);
}

static int read_key(struct hs_cert *cert, const struct hs_report *r,
		    const struct hs_cert_files *files)
{
	struct hs_report key = *r;
	size_t n = files->n_keys, i = 0;

	while (n > 1 && i < n && !is_there(files->keys[i], files->chain))
		i++;
	if (i == n)
		return report_no_key(r, files);
	key.file = files->keys[i];
	cert->key = hs_read_key(&key, files->password_file);
	if (!cert->key)
		return -EINVAL;
	cert->key_file = strdup(key.file);
	return cert->key_file ? 0 : hs_report(r, "out of memory");
}

static bool fits(X509 *cert, EVP_PKEY *key)
{
	bool ok = X509_check_private_key(cert, key);

	ERR_clear_error();
	return ok;
}

static void move_up(STACK_OF(X509) *chain, int from, int to)
{
	X509 *cert = sk_X509_delete(chain, from);

	/* There is room for as many as there were. */
	sk_X509_insert(chain, cert, to);
}

/* Each one behind the one that it has issued, as they are sent. */
static void sort_chain(STACK_OF(X509) *chain)
{
	for (int i = 0; i + 1 < sk_X509_num(chain); i++) {
		int issuer = find_issuer(chain, sk_X509_value(chain, i));

		if (issuer > i + 1)
			move_up(chain, issuer, i + 1);
	}
}

/* @single: one file with all */
static int find_leaf(struct hs_cert *cert, const struct hs_report *r,
		     bool single)
{
	int n = single ? sk_X509_num(cert->chain) : 1, i = 0;

	while (i < n && !fits(sk_X509_value(cert->chain, i), cert->key))
		i++;
	if (i == n && single)
		return hs_report(r, "the key in it matches none of its "
				    "certificates");
	if (i == n)
		return hs_report(&(struct hs_report){ cert->key_file, r->error,
						      r->len },
				 "the key does not match the certificate in "
				 "%s", r->file);
	if (i) {
		move_up(cert->chain, i, 0);
		sort_chain(cert->chain);
	}
	return 0;
}

/*
 * To install a certificate with its key is to compare that with the public one,
 * unless these are the same object: in each handshake with one of many names that
 * takes as long as all else about it, and memory is read that has long left the
 * caches. Where libcrypto would encode the certificate in another way than its
 * issuer did, it stays as it was read.
 */
static int share_key(struct hs_cert *cert)
{
	const struct ocsp_bytes *der = &cert->der[0];
	const uint8_t *p = der->data;
	struct ocsp_bytes now;
	bool same;

	if (!X509_set_pubkey(cert->leaf, cert->key))
		return 0;
	now = to_der(cert->leaf);
	same = now.data && now.len == der->len &&
	       !memcmp(now.data, der->data, now.len);
	free((void *)now.data);
	if (same)
		return 0;
	X509_free(cert->leaf);
	cert->leaf = d2i_X509(NULL, &p, der->len);
	return cert->leaf ? 0 : -ENOMEM;
}

static int load(struct hs_cert *cert, const struct hs_report *r,
		const struct hs_cert_files *files)
{
	int err;

	cert->file = strdup(files->chain);
	cert->chain = hs_read_chain(r);
	if (!cert->chain)
		return -EINVAL;
	err = read_key(cert, r, files);
	if (!err)
		err = find_leaf(cert, r, !strcmp(cert->key_file, r->file));
	if (err)
		return err;
	if (!cert->file || keep_chain(cert, cert->chain) ||
	    keep_names(cert, sk_X509_value(cert->chain, 0)))
		return hs_report(r, "out of memory");
	/* From here on it is what is sent behind the leaf. */
	cert->leaf = sk_X509_shift(cert->chain);
	if (share_key(cert))
		return hs_report(r, "out of memory");
	hs_describe_cert(cert);
	hs_end_point_make(cert);
	ERR_clear_error();
	return 0;
}

struct hs_cert *hs_cert_read(const struct hs_cert_files *files, char *error,
			     size_t error_len)
{
	const struct hs_report r = { files->chain, error, error_len };
	struct hs_cert *cert = calloc(1, sizeof(*cert));

	if (!cert) {
		hs_report(&r, "out of memory");
		return NULL;
	}
	cert->refs = 1;
	cert->tried = -1;
	if (!load(cert, &r, files))
		return cert;
	hs_cert_free(cert);
	return NULL;
}

struct hs_cert *hs_cert_get(struct hs_cert *cert)
{
	cert->refs++;
	return cert;
}

void hs_cert_free(struct hs_cert *cert)
{
	if (!cert || --cert->refs)
		return;
	for (unsigned int i = 0; cert->positions && i < cert->depths; i++)
		free(cert->positions[i].response.der);
	for (unsigned int i = 0; cert->der && i < cert->n_chain; i++)
		free((void *)cert->der[i].data);
	for (unsigned int i = 0; i < cert->n_names; i++)
		free(cert->names[i]);
	X509_free(cert->leaf);
	sk_X509_pop_free(cert->chain, X509_free);
	EVP_PKEY_free(cert->key);
	free(cert->positions);
	free(cert->der);
	free(cert->names);
	free(cert->name);
	free(cert->file);
	free(cert->key_file);
	free(cert);
}

const char *hs_cert_key_file(const struct hs_cert *cert)
{
	return cert->key_file;
}

const char *hs_cert_name(const struct hs_cert *cert)
{
	return cert->name ? cert->name : "unnamed";
}

unsigned int hs_cert_depths(const struct hs_cert *cert)
{
	return cert->depths;
}

struct ocsp_bytes hs_cert_der(const struct hs_cert *cert, unsigned int depth)
{
	return cert->der[depth];
}

struct ocsp_bytes hs_cert_issuer(const struct hs_cert *cert,
				 unsigned int depth)
{
	int issuer = cert->positions[depth].issuer;

	return issuer < 0 ? (struct ocsp_bytes){ 0 } : cert->der[issuer];
}

struct ocsp_bytes hs_read_issuer(const struct hs_cert *cert,
				 unsigned int depth, const char *file,
				 char *error, size_t error_len)
{
	struct hs_report r = { file, error, error_len };
	STACK_OF(X509) *chain = hs_read_chain(&r);
	X509 *subject = depth ? sk_X509_value(cert->chain, depth - 1) :
				cert->leaf;
	struct ocsp_bytes der = { 0 };
	int i;

	if (!chain)
		return der;
	i = find_issuer(chain, subject);
	if (i < 0) {
		hs_report(&r, "no certificate in it has issued the one of %s",
			  hs_cert_name(cert));
	} else {
		der = to_der(sk_X509_value(chain, i));
		if (!der.data)
			hs_report(&r, "out of memory");
	}
	sk_X509_pop_free(chain, X509_free);
	return der;
}

/* As libcurl takes them, those with trust settings of OpenSSL's included. */
int hs_check_cas(const char *file, char *error, size_t error_len)
{
	const struct hs_report r = { file, error, error_len };
	X509_STORE *store = X509_STORE_new();
	int ret = 0;

	ERR_clear_error();
	if (!store)
		ret = hs_report(&r, "out of memory");
	else if (access(file, R_OK))
		ret = hs_report(&r, "%s", strerror(errno));
	else if (!X509_STORE_load_file(store, file))
		ret = hs_report(&r, "no PEM certificate in it, or one that "
				"cannot be read: %s", hs_ssl_reason());
	X509_STORE_free(store);
	ERR_clear_error();
	return ret;
}
