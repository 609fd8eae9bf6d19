// SPDX-License-Identifier: MIT
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "staple.h"

/* What one judgement is about. */
struct judge {
	struct staple *out;
	X509 *leaf, *issuer;
	STACK_OF(X509) * chain;
	X509_STORE *store;
	const struct staple_rules *rules;
	int64_t now;
	OCSP_BASICRESP *basic;
	OCSP_SINGLERESP *single; /* ours */
};

/* Always false, so that the first reason is the last. */
static bool refuse(struct judge *j, const char *reason, const char *more)
{
	char *p;

	snprintf(j->out->verdict, sizeof(j->out->verdict), "invalid:%s%s%s",
		 reason, *more ? ":" : "", more);
	for (p = j->out->verdict; *p; p++)
		if (*p == ' ')
			*p = '-';
	return false;
}

static const char *openssl_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason ? reason : "";
}

static bool parse(struct judge *j, const uint8_t *der, long len)
{
	const uint8_t *p = der;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, len);
	int status;

	if (!response)
		return refuse(j, "not-der", openssl_reason());
	status = OCSP_response_status(response);
	j->basic = OCSP_response_get1_basic(response);
	OCSP_RESPONSE_free(response);
	if (p != der + len)
		return refuse(j, "trailing-bytes", "");
	if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		return refuse(j, "status", OCSP_response_status_str(status));
	if (!j->basic)
		return refuse(j, "not-basic", openssl_reason());
	return true;
}

/* Name hash, key hash and serial number, by the hash that @id itself uses. */
static bool is_ours(const struct judge *j, OCSP_SINGLERESP *single)
{
	const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(single);
	OCSP_CERTID *ours;
	ASN1_OBJECT *hash;
	bool same;

	OCSP_id_get0_info(NULL, &hash, NULL, NULL, (OCSP_CERTID *)id);
	if (!EVP_get_digestbyobj(hash))
		return false;
	ours = OCSP_cert_to_id(EVP_get_digestbyobj(hash), j->leaf, j->issuer);
	same = ours && !OCSP_id_cmp(ours, id);
	OCSP_CERTID_free(ours);
	return same;
}

static bool find(struct judge *j)
{
	OCSP_SINGLERESP *single;
	int i, n = 0;

	for (i = 0; (single = OCSP_resp_get0(j->basic, i)); i++) {
		if (!is_ours(j, single))
			continue;
		j->single = single;
		n++;
	}
	if (n == 0)
		return refuse(j, "other-certificate", "");
	if (n > 1)
		return refuse(j, "several-answers", "");
	return true;
}

/*
 * libcrypto checks that the signer is the issuer, or was issued by it with the
 * right to sign, and that its certificate is in date now.
 */
static bool verify(struct judge *j)
{
	if (OCSP_basic_verify(j->basic, j->chain, j->store, OCSP_NOEXPLICIT) ==
	    1)
		return true;
	return refuse(j, "signer", openssl_reason());
}

static bool no_critical(struct judge *j)
{
	if (OCSP_BASICRESP_get_ext_by_critical(j->basic, 1, -1) >= 0 ||
	    OCSP_SINGLERESP_get_ext_by_critical(j->single, 1, -1) >= 0)
		return refuse(j, "critical-extension", "");
	return true;
}

static bool epoch(const ASN1_GENERALIZEDTIME *t, int64_t *out)
{
	struct tm tm;

	if (!ASN1_GENERALIZEDTIME_check(t) || !ASN1_TIME_to_tm(t, &tm))
		return false;
	*out = timegm(&tm);
	return true;
}

static bool good(struct judge *j)
{
	ASN1_GENERALIZEDTIME *this_update, *next_update;
	int status = OCSP_single_get0_status(j->single, NULL, NULL,
					     &this_update, &next_update);

	if (!epoch(this_update, &j->out->this_update) ||
	    (next_update && !epoch(next_update, &j->out->next_update)))
		return refuse(j, "unreadable-time", "");
	if (status != V_OCSP_CERTSTATUS_GOOD)
		return refuse(j, OCSP_cert_status_str(status), "");
	return true;
}

static bool in_time(struct judge *j)
{
	const struct staple_rules *r = j->rules;
	int64_t from = j->out->this_update, to = j->out->next_update;
	int64_t age = j->now - from, produced;

	if (-age > r->ahead)
		return refuse(j, "not-yet-valid", "");
	if (to && to <= j->now)
		return refuse(j, "expired", "");
	if (!to && (!r->max_open || age > r->max_open))
		return refuse(j, "no-next-update", "");
	if (age > r->max_age)
		return refuse(j, "too-old", "");
	if (!epoch(OCSP_resp_get0_produced_at(j->basic), &produced))
		return refuse(j, "unreadable-time", "");
	if (produced - j->now > r->ahead || (to && produced >= to))
		return refuse(j, "produced-later", "");
	return true;
}

void staple_judge(struct staple *out, const uint8_t *der, long len, X509 *leaf,
		  X509 *issuer, STACK_OF(X509) * chain, X509_STORE *store,
		  const struct staple_rules *rules, int64_t now)
{
	struct judge j = {
		.out = out,
		.leaf = leaf,
		.issuer = issuer,
		.chain = chain,
		.store = store,
		.rules = rules,
		.now = now,
	};

	*out = (struct staple){.verdict = "valid"};
	/* Ends at the first that refuses. */
	(void)(parse(&j, der, len) && find(&j) && verify(&j) &&
	       no_critical(&j) && good(&j) && in_time(&j));
	OCSP_BASICRESP_free(j.basic);
}
