// SPDX-License-Identifier: MIT
#include "handshake/chain.h"

#include <string.h>
#include <time.h>

#include "handshake/internal.h"

static void put_hash(uint8_t *p, const X509_NAME *name)
{
	unsigned long hash = X509_NAME_hash_ex(name, NULL, NULL, NULL);

	for (int i = 0; i < 4; i++, hash >>= 8)
		p[i] = hash;
}

/* One whose number RFC 5280 does not allow has none: it cannot be looked up. */
static size_t put_ca(uint8_t *out, const X509 *ca)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(ca);
	int len = ASN1_STRING_length(serial);

	if (ASN1_STRING_type(serial) != V_ASN1_INTEGER || len > 20)
		len = 0;
	put_hash(out, X509_get_issuer_name(ca));
	out[4] = len;
	memcpy(out + 5, ASN1_STRING_get0_data(serial), len);
	return 5 + len;
}

static void shorten(int64_t *left, const X509 *cert, int64_t now)
{
	struct tm tm;
	int64_t end = 0;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm))
		end = timegm(&tm);
	if (end - now < *left)
		*left = end - now;
}

size_t hs_chain_write(SSL *ssl, int64_t now, int64_t *left,
		      uint8_t out[static HS_CHAIN_MAX])
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	int n = chain ? sk_X509_num(chain) : 0;
	size_t len = 0;

	for (int i = 0; i < n; i++)
		shorten(left, sk_X509_value(chain, i), now);
	/* Nobody is above the last, who is trusted; the first is in the session. */
	for (int i = 1; i < n - 1 && i <= HS_CHAIN_CAS; i++)
		len += put_ca(out + len, sk_X509_value(chain, i));
	if (n - 2 > HS_CHAIN_CAS) {
		memset(out + len, 0, 5);
		len += 5;
	}
	return len;
}

static enum hs_standing stands(STACK_OF(X509_CRL) *crls, const uint8_t *ca,
			       int64_t now)
{
	enum hs_standing standing = HS_UNKNOWN;
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	uint8_t hash[4];

	if (!ca[4] || !serial || !ASN1_STRING_set(serial, ca + 5, ca[4]))
		crls = NULL;
	for (int i = 0; crls && i < sk_X509_CRL_num(crls); i++) {
		X509_CRL *crl = sk_X509_CRL_value(crls, i);

		put_hash(hash, X509_CRL_get_issuer(crl));
		if (!memcmp(hash, ca, sizeof(hash)))
			hs_crl_consider(crl, serial, now, &standing);
	}
	ASN1_INTEGER_free(serial);
	return standing;
}

enum hs_standing hs_chain_standing(STACK_OF(X509_CRL) *crls,
				   const uint8_t *chain, size_t len,
				   int64_t now)
{
	enum hs_standing worst = HS_GOOD;
	enum hs_standing one;

	while (len) {
		if (len < 5 || len < (size_t)5 + chain[4])
			return HS_UNKNOWN;
		one = stands(crls, chain, now);
		worst = one > worst ? one : worst;
		len -= 5 + chain[4];
		chain += 5 + chain[4];
	}
	return worst;
}
