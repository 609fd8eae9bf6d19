/* SPDX-License-Identifier: MIT */
/*
 * ocsp_check() on anything; for libFuzzer. The first byte says what follows: a
 * response as it would come, or a ResponseData that is signed here, by the
 * issuer or a delegate, so that mutations reach what lies behind the signature.
 * Keys are fixed: a crash file is worth the same on every machine.
 */
#include <openssl/err.h>

#include "ocsp/trim.h"
#include "tests/fuzz/seeds.h"

enum mode { RAW, BY_ISSUER, BY_DELEGATE, MODES };

#define ED25519_ID "\x30\x05\x06\x03\x2b\x65\x70"
#define ED25519_ID_LEN 7

static struct pki pki;
static EVP_PKEY *delegate_key;
static X509 *delegate;
static struct ocsp_bytes leaf, issuer, delegate_der;
static struct blob seeds[MODES];

static EVP_PKEY *fixed_key(uint8_t fill)
{
	uint8_t raw[32];
	EVP_PKEY *key;

	memset(raw, fill, sizeof(raw));
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw,
					   sizeof(raw));
	MUST(key);
	return key;
}

static X509 *fixed_cert(const char *name, EVP_PKEY *key, const char *eku)
{
	return cert_make(&(struct cert_order){ .name = name,
					       .key = key,
					       .eku = eku,
					       .issuer = pki.issuer,
					       .issuer_key = pki.key });
}

static void put_input(struct blob *b, const uint8_t *data, size_t size)
{
	enum mode mode = data[0] % MODES;

	b->len = 0;
	blob_put(b, data + 1, size - 1);
	if (mode == BY_ISSUER)
		blob_sign(b, pki.key, NULL, ED25519_ID, ED25519_ID_LEN,
			  (struct ocsp_bytes){ NULL, 0 });
	else if (mode == BY_DELEGATE)
		blob_sign(b, delegate_key, NULL, ED25519_ID, ED25519_ID_LEN,
			  delegate_der);
}

static enum ocsp_verdict check(const struct blob *b, struct ocsp_times *times)
{
	return ocsp_check(blob_bytes(b), leaf, issuer, &ocsp_default_limits,
			  NOW, times);
}

/* A mode's byte and a good input for it. */
static void make_seed(enum mode mode, const struct response_order *order)
{
	struct blob *seed = &seeds[mode];
	struct ocsp_times times;
	static struct blob b;
	struct ocsp_bytes der;
	uint8_t byte = mode;

	if (mode == RAW) {
		der = make_response(&pki, order);
		blob_put(seed, der.data, der.len);
		OPENSSL_free((void *)der.data);
	} else {
		put_data(seed, &pki, order);
		blob_wrap(seed, 0x30);
	}
	blob_prepend(seed, &byte, 1);
	put_input(&b, seed->data, seed->len);
	MUST(check(&b, &times) == OCSP_OK);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct response_order order = {
		.answers = { { NEIGHBOUR, .to = NEVER },
			     { MINE, .critical = ARCHIVE_CUTOFF_OID },
			     { MINE, .hash = EVP_sha256 } },
		.plain = NONCE_OID,
	};

	(void)argc;
	(void)argv;
	pki.key = fixed_key(1);
	pki.leaf_key = fixed_key(2);
	pki.other_key = fixed_key(3);
	delegate_key = fixed_key(4);
	pki.issuer = fixed_cert("Issuer", pki.key, NULL);
	pki.other = fixed_cert("Other", pki.other_key, NULL);
	pki.leaf = fixed_cert("leaf", pki.leaf_key, NULL);
	delegate = fixed_cert("Responder", delegate_key, "OCSPSigning");
	leaf = cert_bytes(pki.leaf);
	issuer = cert_bytes(pki.issuer);
	delegate_der = cert_bytes(delegate);

	make_seed(BY_ISSUER, &order);
	order.signer = delegate;
	order.key = delegate_key;
	make_seed(RAW, &order);
	make_seed(BY_DELEGATE, &order);
	return 0;
}

/* What is left of a response says the same, and there is no more to leave out. */
static void expect_trimmed(struct blob *b, enum ocsp_verdict verdict,
			   const struct ocsp_times *before)
{
	struct ocsp_times after;
	size_t len = ocsp_trim(b->data, b->len, issuer, NOW);

	MUST(len <= b->len);
	b->len = len;
	MUST(check(b, &after) == verdict);
	MUST(after.this_update == before->this_update &&
	     after.next_update == before->next_update);
	MUST(ocsp_trim(b->data, b->len, issuer, NOW) == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct blob b;
	struct ocsp_times times;
	enum ocsp_verdict verdict;

	if (size == 0 || size > sizeof(b.data) / 2)
		return 0;
	put_input(&b, data, size);
	ERR_clear_error();
	verdict = check(&b, &times);
	MUST(verdict >= OCSP_OK && verdict < OCSP_VERDICTS);
	MUST(ERR_peek_error() == 0);
	if (verdict == OCSP_OK || verdict == OCSP_REVOKED ||
	    verdict == OCSP_UNKNOWN) {
		MUST(ocsp_holds(&times, ocsp_default_limits.skew, NOW));
		MUST(b.len <= OCSP_STAPLE_LEN);
		expect_trimmed(&b, verdict, &times);
	}
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	return mutate_from(seeds, MODES, data, size, max, seed);
}
