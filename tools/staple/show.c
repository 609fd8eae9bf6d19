/* SPDX-License-Identifier: MIT */
#include "tools/staple/show.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/x509v3.h>

#include "fetch/text.h"
#include "ocsp/cert.h"

#define NAMES_MAX 20

const char *staple_subject(X509 *cert, char out[static 300])
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	out[0] = '\0';
	/* This form escapes whatever is not printable ASCII. */
	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
				      XN_FLAG_RFC2253) >= 0) {
		len = BIO_get_mem_data(bio, &text);
		snprintf(out, 300, "%.*s", (int)len, text);
	}
	BIO_free(bio);
	return out[0] ? out : "(no subject)";
}

const char *staple_span(int64_t seconds, char out[static 40])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" } };
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		const int64_t n = seconds / units[i].seconds;
		const int64_t next = i < 2 ? units[i + 1].seconds : 1;

		if (n < 1)
			continue;
		snprintf(out, 40, "%" PRId64 " %s %" PRId64 " %s", n,
			 units[i].name, seconds % units[i].seconds / next,
			 i < 2 ? units[i + 1].name : "s");
		return out;
	}
	snprintf(out, 40, "%" PRId64 " s", seconds);
	return out;
}

const char *staple_time(int64_t time, char out[static 40])
{
	const time_t t = time;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out, 40, "%FT%TZ", &tm))
		snprintf(out, 40, "%" PRId64, time);
	return out;
}

static void show_name(const GENERAL_NAME *name)
{
	const ASN1_STRING *s = GENERAL_NAME_get0_value(name, NULL);
	char text[300];
	int len;

	switch (name->type) {
	case GEN_DNS:
		printf("DNS:%s", fetch_escape((const char *)
					      ASN1_STRING_get0_data(s),
					      (size_t)ASN1_STRING_length(s),
					      text, sizeof(text)));
		break;
	case GEN_IPADD:
		len = ASN1_STRING_length(s);
		if ((len == 4 || len == 16) &&
		    inet_ntop(len == 4 ? AF_INET : AF_INET6,
			      ASN1_STRING_get0_data(s), text, sizeof(text)))
			printf("IP:%s", text);
		break;
	default:
		printf("(another kind)");
	}
}

static void show_names(X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name,
						NULL, NULL);
	int i, n = sk_GENERAL_NAME_num(names);

	if (n < 1)
		printf("  names: none\n");
	for (i = 0; i < n && i < NAMES_MAX; i++) {
		printf(i ? ", " : "  names: ");
		show_name(sk_GENERAL_NAME_value(names, i));
	}
	if (n > NAMES_MAX)
		printf(", and %d more", n - NAMES_MAX);
	if (n > 0)
		printf("\n");
	GENERAL_NAMES_free(names);
}

static void show_serial(X509 *cert)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	char *hex = n ? BN_bn2hex(n) : NULL;

	printf("  serial: %s\n", hex ? hex : "?");
	OPENSSL_free(hex);
	BN_free(n);
}

void staple_show_cert(const struct staple_cert *cert)
{
	uint8_t hash[OCSP_FINGERPRINT_LEN];
	char text[300];
	size_t i;

	printf("certificate: %s\n", staple_subject(cert->x509, text));
	show_names(cert->x509);
	show_serial(cert->x509);
	ocsp_fingerprint(cert->der, hash);
	printf("  SHA-256: ");
	for (i = 0; i < sizeof(hash); i++)
		printf("%02x", hash[i]);
	printf("\n  must-staple: %s\n",
	       ocsp_must_staple(cert->der) ? "yes" : "no");
}

void staple_show_verdict(enum ocsp_verdict verdict,
			 const struct ocsp_times *times, int64_t now)
{
	char text[40], span[40];
	int64_t ago;

	printf("%s: %s\n", ocsp_word(verdict), ocsp_reason(verdict));
	if (verdict != OCSP_OK && verdict != OCSP_REVOKED &&
	    verdict != OCSP_UNKNOWN)
		return;
	ago = now - times->this_update;
	printf("thisUpdate: %s (%s%s%s)\n",
	       staple_time(times->this_update, text), ago < 0 ? "in " : "",
	       staple_span(ago < 0 ? -ago : ago, span), ago < 0 ? "" : " ago");
	printf("nextUpdate: %s (in %s)\n",
	       staple_time(times->next_update, text),
	       staple_span(times->next_update - now, span));
}
