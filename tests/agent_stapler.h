/* SPDX-License-Identifier: MIT */
/* Real certificates and responses for the stapler's tests, valid now. */
#ifndef TESTS_AGENT_STAPLER_H
#define TESTS_AGENT_STAPLER_H

#include <time.h>

#include "agent/staple_msg.h"
#include "tests/ocsp_response.h"

#include "agent_case.h"

/* In orders, what is left out is zero on purpose. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static struct pki pki;
static struct ocsp_bytes leaf, issuer;

static inline void pki_start(void)
{
	pki = pki_make();
	leaf = cert_bytes(pki.leaf);
	issuer = cert_bytes(pki.issuer);
}

static inline void pki_stop(void)
{
	OPENSSL_free((void *)leaf.data);
	OPENSSL_free((void *)issuer.data);
	pki_free(&pki);
}

/*
 * A response for @whose with a V_OCSP_CERTSTATUS_*; times relative to @now,
 * none of them 0. The caller's to free with OPENSSL_free().
 */
static inline struct ocsp_bytes respond(enum whose whose, int status,
					int64_t now, int64_t from, int64_t to)
{
	struct response_order order = {
		.answers = { { .whose = whose, .status = status,
			       .from = now - NOW + from,
			       .to = now - NOW + to } },
	};

	return make_response(&pki, &order);
}

static inline struct ocsp_bytes bytes_of(const char *s)
{
	return (struct ocsp_bytes){ (const uint8_t *)s, strlen(s) };
}

static inline bool is_equal(struct ocsp_bytes a, struct ocsp_bytes b)
{
	return a.len == b.len && !memcmp(a.data, b.data, a.len);
}

#endif
