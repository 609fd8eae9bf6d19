/* SPDX-License-Identifier: MIT */
/*
 * judge - what ktlsd's verifier says about responses made by others
 *
 *   judge TIME ISSUER LEAF RESPONSE
 *
 * TIME: seconds since the epoch, or "produced": when the response was made.
 * ISSUER, LEAF: certificates in PEM; FILE:N is the N-th in it, from 1.
 * LEAF "-": there is none; then only form, signature and the signer's authority
 * are judged, which is as far as one can get without.
 * RESPONSE: DER. Prints the verdict's word; exit 0, or 2 when it could not
 * judge at all.
 */
#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "ocsp/der.h"
#include "ocsp/ocsp.h"
#include "ocsp/parse.h"
#include "ocsp/signer.h"

#define UNUSABLE 2

static X509 *load_cert(const char *arg)
{
	char *path = strdup(arg), *colon = path ? strrchr(path, ':') : NULL;
	int number = colon ? atoi(colon + 1) : 1;
	X509 *cert = NULL;
	BIO *in;

	if (colon)
		*colon = '\0';
	in = path ? BIO_new_file(path, "r") : NULL;
	if (!in)
		err(UNUSABLE, "%s", arg);
	while (number-- > 0) {
		X509_free(cert);
		cert = PEM_read_bio_X509(in, NULL, NULL, NULL);
		if (!cert)
			errx(UNUSABLE, "%s: not that many certificates", arg);
	}
	BIO_free(in);
	free(path);
	return cert;
}

static struct ocsp_bytes der_of(X509 *cert)
{
	uint8_t *der = NULL;
	int len = i2d_X509(cert, &der);

	if (len < 0)
		errx(UNUSABLE, "a certificate cannot be encoded");
	return (struct ocsp_bytes){ der, (size_t)len };
}

/* One byte more than may be, so that what is too long stays so. */
static struct ocsp_bytes load_response(const char *path)
{
	static uint8_t buf[OCSP_MAX_LEN + 1];
	FILE *in = fopen(path, "r");
	size_t len;

	if (!in)
		err(UNUSABLE, "%s", path);
	len = fread(buf, 1, sizeof(buf), in);
	if (ferror(in))
		err(UNUSABLE, "%s", path);
	fclose(in);
	return (struct ocsp_bytes){ buf, len };
}

/* A response without one gets 0: it is refused for what it is, at any time. */
static int64_t produced_at(struct ocsp_bytes der)
{
	OCSP_BASICRESP *basic = NULL;
	int64_t at = 0;

	if (ocsp_parse(der, &basic) == OCSP_OK &&
	    !ocsp_der_time(OCSP_resp_get0_produced_at(basic), &at))
		at = 0;
	OCSP_BASICRESP_free(basic);
	return at;
}

static enum ocsp_verdict judge_signer(struct ocsp_bytes der, X509 *issuer,
				      int64_t now)
{
	OCSP_BASICRESP *basic = NULL;
	enum ocsp_verdict verdict = ocsp_parse(der, &basic);
	int64_t until;

	if (verdict == OCSP_OK)
		verdict = ocsp_check_signer(basic, issuer, now, &until);
	OCSP_BASICRESP_free(basic);
	return verdict;
}

static enum ocsp_verdict judge(struct ocsp_bytes der, X509 *issuer, X509 *leaf,
			       int64_t now)
{
	struct ocsp_bytes issuer_der = der_of(issuer), leaf_der = der_of(leaf);
	struct ocsp_times times;
	enum ocsp_verdict verdict;

	verdict = ocsp_check(der, leaf_der, issuer_der, &ocsp_default_limits,
			     now, &times);
	OPENSSL_free((void *)issuer_der.data);
	OPENSSL_free((void *)leaf_der.data);
	return verdict;
}

int main(int argc, char **argv)
{
	enum ocsp_verdict verdict;
	struct ocsp_bytes der;
	X509 *issuer, *leaf;
	int64_t now;

	if (argc != 5)
		errx(UNUSABLE, "TIME ISSUER LEAF RESPONSE");
	der = load_response(argv[4]);
	now = strcmp(argv[1], "produced") ? strtoimax(argv[1], NULL, 10) :
					    produced_at(der);
	issuer = load_cert(argv[2]);
	if (strcmp(argv[3], "-") == 0) {
		verdict = judge_signer(der, issuer, now);
	} else {
		leaf = load_cert(argv[3]);
		verdict = judge(der, issuer, leaf, now);
		X509_free(leaf);
	}
	X509_free(issuer);
	return puts(ocsp_word(verdict)) < 0;
}
