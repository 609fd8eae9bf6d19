/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>

#include "ocsp/der.h"
#include "ocsp/parse.h"
#include "ocsp/signer.h"

/* What the checks learn one after another. */
struct check {
	struct ocsp_bytes der, leaf_der, issuer_der;
	X509 *leaf, *issuer;
	OCSP_BASICRESP *basic;
	const struct ocsp_limits *limits;
	int64_t now;
	int64_t until;			/* the signer's authority */
	unsigned int statuses;		/* set of 1 << V_OCSP_CERTSTATUS_* */
	struct ocsp_times *times;
};

static enum ocsp_verdict check_certs(struct check *c)
{
	c->leaf = ocsp_parse_cert(c->leaf_der);
	if (!c->leaf)
		return OCSP_BAD_LEAF;
	c->issuer = ocsp_parse_cert(c->issuer_der);
	if (!c->issuer || !X509_get0_pubkey(c->issuer))
		return OCSP_BAD_ISSUER;
	return ocsp_issued_by(c->leaf, c->issuer) ? OCSP_OK : OCSP_NOT_ISSUER;
}

static enum ocsp_verdict check_form(struct check *c)
{
	return ocsp_parse(c->der, &c->basic);
}

static bool equals(const ASN1_OCTET_STRING *a, const uint8_t *hash,
		   unsigned int len)
{
	return (unsigned int)ASN1_STRING_length(a) == len &&
	       memcmp(ASN1_STRING_get0_data(a), hash, len) == 0;
}

static const EVP_MD *id_digest(const ASN1_OBJECT *oid)
{
	switch (OBJ_obj2nid(oid)) {
	case NID_sha1:
		return EVP_sha1();
	case NID_sha256:
		return EVP_sha256();
	case NID_sha384:
		return EVP_sha384();
	case NID_sha512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

/* CertID, RFC 6960 4.1.1: the name as the leaf spells it. */
static enum ocsp_verdict match_id(const struct check *c,
				  const OCSP_SINGLERESP *answer)
{
	OCSP_CERTID *id = (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(answer);
	uint8_t name[EVP_MAX_MD_SIZE], key[EVP_MAX_MD_SIZE];
	ASN1_OCTET_STRING *id_name, *id_key;
	unsigned int name_len, key_len;
	ASN1_INTEGER *serial;
	ASN1_OBJECT *oid;
	const EVP_MD *md;

	OCSP_id_get0_info(&id_name, &oid, &id_key, &serial, id);
	if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(c->leaf)) != 0)
		return OCSP_OTHER_CERT;
	md = id_digest(oid);
	if (!md)
		return OCSP_OTHER_HASH;
	if (!X509_NAME_digest(X509_get_issuer_name(c->leaf), md, name,
			      &name_len) ||
	    !X509_pubkey_digest(c->issuer, md, key, &key_len) ||
	    !equals(id_name, name, name_len) || !equals(id_key, key, key_len))
		return OCSP_OTHER_ISSUER;
	return OCSP_OK;
}

static enum ocsp_verdict find_answers(struct check *c)
{
	enum ocsp_verdict verdict, nearest = OCSP_OTHER_CERT;
	OCSP_SINGLERESP *answer;
	int i, status;

	for (i = 0; i < OCSP_resp_count(c->basic); i++) {
		answer = OCSP_resp_get0(c->basic, i);
		verdict = match_id(c, answer);
		status = OCSP_single_get0_status(answer, NULL, NULL, NULL,
						 NULL);
		if (verdict == OCSP_OK)
			c->statuses |= 1U << status;
		else if (verdict > nearest)
			nearest = verdict;
	}
	return c->statuses ? OCSP_OK : nearest;
}

static enum ocsp_verdict check_signer(struct check *c)
{
	return ocsp_check_signer(c->basic, c->issuer, c->now, &c->until);
}

static int extension_nid(X509_EXTENSION *ext)
{
	return OBJ_obj2nid(X509_EXTENSION_get_object(ext));
}

/*
 * Known is what has its place here (RFC 6960 4.4) and may be critical: the
 * extended revoked definition must not be. None changes a verdict.
 */
static enum ocsp_verdict check_extensions(struct check *c)
{
	int i = -1;

	for (;;) {
		i = OCSP_BASICRESP_get_ext_by_critical(c->basic, 1, i);
		if (i < 0)
			return OCSP_OK;
		if (extension_nid(OCSP_BASICRESP_get_ext(c->basic, i)) !=
		    NID_id_pkix_OCSP_Nonce)
			return OCSP_CRITICAL_RESPONSE;
	}
}

static enum ocsp_verdict check_answer_extensions(OCSP_SINGLERESP *answer)
{
	int i = -1, nid;

	for (;;) {
		i = OCSP_SINGLERESP_get_ext_by_critical(answer, 1, i);
		if (i < 0)
			return OCSP_OK;
		nid = extension_nid(OCSP_SINGLERESP_get_ext(answer, i));
		if (nid != NID_id_pkix_OCSP_CrlID &&
		    nid != NID_id_pkix_OCSP_archiveCutoff)
			return OCSP_CRITICAL_ANSWER;
	}
}

static enum ocsp_verdict check_agreement(struct check *c)
{
	bool one = (c->statuses & (c->statuses - 1)) == 0;

	return one ? OCSP_OK : OCSP_CONTRADICTORY;
}

/* Limits and now may be anything. */
static int64_t sum(int64_t a, int64_t b)
{
	int64_t result;

	if (__builtin_add_overflow(a, b, &result))
		return b < 0 ? INT64_MIN : INT64_MAX;
	return result;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/*
 * producedAt is the time of signing (2.4): what is signed was known by then and
 * has not run out. thisUpdate may come from the CA's clock, hence the skew.
 */
static enum ocsp_verdict check_produced(const struct check *c,
					int64_t this_update,
					int64_t next_update)
{
	int64_t produced;

	if (!ocsp_der_time(OCSP_resp_get0_produced_at(c->basic), &produced))
		return OCSP_BAD_TIME;
	if (produced > sum(c->now, c->limits->skew))
		return OCSP_PRODUCED_LATER;
	if (sum(produced, c->limits->skew) < this_update)
		return OCSP_PRODUCED_EARLY;
	if (produced >= next_update)
		return OCSP_PRODUCED_EXPIRED;
	return OCSP_OK;
}

/*
 * The skew lets a responder's clock lead ours; it takes nothing from the
 * other end, so a response of 20 seconds can be used for 20 seconds.
 */
static enum ocsp_verdict check_answer_times(const struct check *c,
					    OCSP_SINGLERESP *answer,
					    struct ocsp_times *times)
{
	ASN1_GENERALIZEDTIME *from, *to;
	int64_t next = INT64_MAX, oldest;

	OCSP_single_get0_status(answer, NULL, NULL, &from, &to);
	if (!ocsp_der_time(from, &times->this_update) ||
	    (to && !ocsp_der_time(to, &next)))
		return OCSP_BAD_TIME;
	if (next <= times->this_update)
		return OCSP_BAD_ORDER;
	if (times->this_update > sum(c->now, c->limits->skew))
		return OCSP_NOT_YET;
	if (next <= c->now)
		return OCSP_EXPIRED;
	oldest = sum(times->this_update,
		     to ? c->limits->max_age : c->limits->max_age_open);
	if (oldest <= c->now)
		return OCSP_TOO_OLD;
	times->next_update = earlier(next, oldest);
	return check_produced(c, times->this_update, next);
}

static enum ocsp_verdict check_answers(struct check *c)
{
	struct ocsp_times times;
	enum ocsp_verdict verdict;
	OCSP_SINGLERESP *answer;
	int i;

	*c->times = (struct ocsp_times){ INT64_MIN, c->until };
	for (i = 0; i < OCSP_resp_count(c->basic); i++) {
		answer = OCSP_resp_get0(c->basic, i);
		if (match_id(c, answer) != OCSP_OK)
			continue;
		verdict = check_answer_extensions(answer);
		if (verdict == OCSP_OK)
			verdict = check_answer_times(c, answer, &times);
		if (verdict != OCSP_OK)
			return verdict;
		c->times->this_update =
			later(c->times->this_update, times.this_update);
		c->times->next_update =
			earlier(c->times->next_update, times.next_update);
	}
	return OCSP_OK;
}

static enum ocsp_verdict check_status(struct check *c)
{
	if (c->statuses & 1U << V_OCSP_CERTSTATUS_REVOKED)
		return OCSP_REVOKED;
	if (c->statuses & 1U << V_OCSP_CERTSTATUS_UNKNOWN)
		return OCSP_UNKNOWN;
	return OCSP_OK;
}

static enum ocsp_verdict (*const checks[])(struct check *c) = {
	check_certs,
	check_form,
	find_answers,
	check_signer,
	check_extensions,
	check_agreement,
	check_answers,
	check_status,
};

bool ocsp_produced(struct ocsp_bytes der, int64_t *at)
{
	OCSP_BASICRESP *basic = NULL;
	bool ok;

	ERR_set_mark();
	ok = ocsp_parse(der, &basic) == OCSP_OK &&
	     ocsp_der_time(OCSP_resp_get0_produced_at(basic), at);
	OCSP_BASICRESP_free(basic);
	ERR_pop_to_mark();
	return ok;
}

enum ocsp_verdict ocsp_check(struct ocsp_bytes der, struct ocsp_bytes leaf,
			     struct ocsp_bytes issuer,
			     const struct ocsp_limits *limits, int64_t now,
			     struct ocsp_times *times)
{
	struct check c = {
		.der = der,
		.leaf_der = leaf,
		.issuer_der = issuer,
		.limits = limits,
		.now = now,
		.times = times,
	};
	enum ocsp_verdict verdict = OCSP_OK;
	size_t i;

	/* The caller's SSL_get_error() must not find our errors. */
	ERR_set_mark();
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]) && !verdict; i++)
		verdict = checks[i](&c);
	OCSP_BASICRESP_free(c.basic);
	X509_free(c.leaf);
	X509_free(c.issuer);
	ERR_pop_to_mark();
	return verdict;
}
