// SPDX-License-Identifier: MIT
#include "handshake/crls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "handshake/internal.h"

/* A DER file begins with a SEQUENCE, in which no PEM file can. */
static bool is_der(BIO *bio)
{
	unsigned char first = 0;
	bool der = BIO_read(bio, &first, 1) == 1 && first == 0x30;

	return BIO_reset(bio) >= 0 && der;
}

static bool push(STACK_OF(X509_CRL) *crls, X509_CRL *crl)
{
	if (crl && sk_X509_CRL_push(crls, crl))
		return true;
	X509_CRL_free(crl);
	return false;
}

static int read_pem(const struct hs_report *r, BIO *bio,
		    STACK_OF(X509_CRL) *crls)
{
	int n = 0;

	while (push(crls, PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)))
		n++;
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return hs_report(r, "list %d cannot be read: %s", n + 1,
				 hs_ssl_reason());
	return n ? 0 : hs_report(r, "no list of revoked certificates in it");
}

STACK_OF(X509_CRL) *hs_crls_read(const struct hs_report *r)
{
	STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
	BIO *bio;
	int ret = 0;

	ERR_clear_error();
	errno = 0;
	bio = BIO_new_file(r->file, "re");
	if (!bio || !crls)
		ret = hs_report(r, "%s", strerror(errno ? errno : ENOMEM));
	else if (!is_der(bio))
		ret = read_pem(r, bio, crls);
	else if (!push(crls, d2i_X509_CRL_bio(bio, NULL)))
		ret = hs_report(r, "the list cannot be read: %s",
				hs_ssl_reason());
	BIO_free(bio);
	ERR_clear_error();
	if (!ret)
		return crls;
	sk_X509_CRL_pop_free(crls, X509_CRL_free);
	return NULL;
}

char *hs_name_text(const X509_NAME *name, char *buf, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = -1;

	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_read(bio, buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
	return buf;
}

static bool may_sign(X509 *ca)
{
	return X509_get_key_usage(ca) & X509v3_KU_CRL_SIGN;
}

/* Several CAs may have one name: one of them must have signed it. */
static int prove_signature(const struct hs_report *r, X509_CRL *crl,
			   STACK_OF(X509) *cas, bool whole)
{
	const X509_NAME *issuer = X509_CRL_get_issuer(crl);
	const char *fault = NULL;
	char name[128];

	for (int i = 0; i < sk_X509_num(cas); i++) {
		X509 *ca = sk_X509_value(cas, i);

		if (X509_NAME_cmp(issuer, X509_get_subject_name(ca)))
			continue;
		if (X509_CRL_verify(crl, X509_get0_pubkey(ca)) != 1)
			fault = fault ? fault : "was not signed by it";
		else if (!may_sign(ca))
			fault = "is of no use: its keyUsage lacks cRLSign";
		else
			return 0;
	}
	hs_name_text(issuer, name, sizeof(name));
	if (fault)
		return hs_report(r, "the list of %s %s", name, fault);
	if (whole)
		return hs_report(r, "the list of %s is of none of those whom "
				 "to trust", name);
	return 0;
}

/*
 * Looked up once: libcrypto then sorts it, which workers would do each for
 * itself, in memory that they could share.
 */
static void sort(X509_CRL *crl)
{
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	X509_REVOKED *entry;

	if (serial)
		X509_CRL_get0_by_serial(crl, &entry, serial);
	ASN1_INTEGER_free(serial);
}

int hs_crls_prove(const struct hs_report *r, STACK_OF(X509_CRL) *crls,
		  STACK_OF(X509) *cas, bool whole)
{
	int ret = 0;

	for (int i = 0; !ret && i < sk_X509_CRL_num(crls); i++) {
		X509_CRL *crl = sk_X509_CRL_value(crls, i);

		if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0)
			ret = hs_report(r, "a list of changes only; give the "
					"complete one");
		else
			ret = prove_signature(r, crl, cas, whole);
		sort(crl);
	}
	ERR_clear_error();
	return ret;
}

/* Without a nextUpdate it never ends, which RFC 5280 does not allow. */
static bool is_current(X509_CRL *crl, time_t now)
{
	const ASN1_TIME *begin = X509_CRL_get0_lastUpdate(crl);
	const ASN1_TIME *end = X509_CRL_get0_nextUpdate(crl);

	return X509_cmp_time(begin, &now) < 0 &&
	       (!end || X509_cmp_time(end, &now) > 0);
}

void hs_crl_consider(X509_CRL *crl, const ASN1_INTEGER *serial, int64_t now,
		     enum hs_standing *standing)
{
	X509_REVOKED *entry;

	/* 2: it was on hold, and is free again */
	if (X509_CRL_get0_by_serial(crl, &entry, serial) == 1)
		*standing = HS_REVOKED;
	else if (*standing != HS_REVOKED && is_current(crl, now))
		*standing = HS_GOOD;
	else if (*standing == HS_UNKNOWN)
		*standing = HS_GOOD_EXPIRED;
}

enum hs_standing hs_crls_standing(STACK_OF(X509_CRL) *crls, const X509 *cert,
				  int64_t now)
{
	const X509_NAME *issuer = X509_get_issuer_name(cert);
	enum hs_standing standing = HS_UNKNOWN;

	for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
		X509_CRL *crl = sk_X509_CRL_value(crls, i);

		if (!X509_NAME_cmp(X509_CRL_get_issuer(crl), issuer))
			hs_crl_consider(crl, X509_get0_serialNumber(cert), now,
					&standing);
	}
	return standing;
}
