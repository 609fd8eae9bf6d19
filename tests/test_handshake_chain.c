// SPDX-License-Identifier: MIT
/*
 * What a ticket says of the CAs above a client, bytes that somebody else with the
 * same ticket keys may have written.
 */
#include "tests/client_pki.h"

#include "handshake/chain.h"

static struct party ca;
static STACK_OF(X509_CRL) *crls;
static int64_t now;

static void start(void)
{
	static const long revoked[] = { 7, 0 };

	ca = party_make((struct party_terms){ .cn = "CA", .is_ca = true },
			NULL);
	crls = sk_X509_CRL_new_null();
	sk_X509_CRL_push(crls, crl_make(&ca, -HOUR, HOUR, revoked));
	now = time(NULL);
}

static void stop(void)
{
	sk_X509_CRL_pop_free(crls, X509_CRL_free);
	party_free(&ca);
}

TestSuite(chain, .timeout = 30, .init = start, .fini = stop);

/* One that the CA issued, by the last byte of its number; returns its length. */
static size_t put(uint8_t *out, uint8_t len, uint8_t serial)
{
	unsigned long hash = X509_subject_name_hash(ca.cert);

	memset(out, 0, HS_CHAIN_CA);
	for (int i = 0; i < 4; i++, hash >>= 8)
		out[i] = hash;
	out[4] = len;
	if (len)
		out[4 + len] = serial;
	return 5 + len;
}

static enum hs_standing stands(const uint8_t *chain, size_t len)
{
	/* of exactly that size: an over-read is seen */
	uint8_t *copy = malloc(len + 1);
	enum hs_standing standing;

	memcpy(copy + 1, chain, len);
	standing = hs_chain_standing(crls, copy + 1, len, now);
	free(copy);
	return standing;
}

Test(chain, the_worst_counts)
{
	uint8_t chain[3 * HS_CHAIN_CA];
	size_t good = put(chain, 1, 8);
	size_t len;

	cr_expect_eq(stands(chain, 0), HS_GOOD);
	cr_expect_eq(stands(chain, good), HS_GOOD);
	len = good + put(chain + good, 1, 7);
	cr_expect_eq(stands(chain, len), HS_REVOKED);
	len += put(chain + len, 1, 9);
	cr_expect_eq(stands(chain, len), HS_REVOKED);
	len = good + put(chain + good, 0, 0);
	cr_expect_eq(stands(chain, len), HS_UNKNOWN);
	len = good + put(chain + good, 1, 9);
	now += 2 * HOUR;
	cr_expect_eq(stands(chain, len), HS_GOOD_EXPIRED);
}

Test(chain, of_another_issuer_nothing_is_known)
{
	uint8_t chain[HS_CHAIN_CA];
	size_t len = put(chain, 1, 8);

	chain[0] ^= 1;
	cr_expect_eq(stands(chain, len), HS_UNKNOWN);
}

Test(chain, what_is_cut_short_is_unknown)
{
	uint8_t chain[2 * HS_CHAIN_CA];
	size_t len = put(chain, 20, 8);

	len += put(chain + len, 20, 8);
	for (size_t n = 1; n < len; n++)
		if (n != len / 2)
			cr_expect_eq(stands(chain, n), HS_UNKNOWN, "%zu", n);
	/* a number that is longer than any */
	chain[4] = 255;
	cr_expect_eq(stands(chain, len), HS_UNKNOWN);
}
