/* SPDX-License-Identifier: MIT */
/* OCSP responses made to order; zeros make a good one, signed by the issuer. */
#ifndef TESTS_OCSP_RESPONSE_H
#define TESTS_OCSP_RESPONSE_H

#include "tests/ocsp_pki.h"
#include "tests/rsa_key.h"

#define NEVER INT64_MIN
#define UNKNOWN_OID "1.2.3.4.5.6.7"
#define NONCE_OID "1.3.6.1.5.5.7.48.1.2"
#define CRL_ID_OID "1.3.6.1.5.5.7.48.1.3"
#define ARCHIVE_CUTOFF_OID "1.3.6.1.5.5.7.48.1.6"
#define PREFERRED_ALGORITHMS_OID "1.3.6.1.5.5.7.48.1.8" /* of a request */
#define EXTENDED_REVOKED_OID "1.3.6.1.5.5.7.48.1.9"

struct pki {
	EVP_PKEY *key, *leaf_key, *other_key;
	X509 *issuer, *leaf, *other;	/* @other: another CA */
};

enum whose { NOBODY, MINE, NEIGHBOUR, OTHER_NAME, OTHER_KEY };

/*
 * struct answer_order - one SingleResponse
 * @from, @to: relative to NOW; 0: an hour each; @to NEVER: no nextUpdate
 * @hash:      NULL: SHA-1
 * @revoked:   relative to NOW; 0: @from
 * @reason:    OCSP_REVOKED_STATUS_*; 0: key compromise
 */
struct answer_order {
	enum whose whose;
	int status;
	const EVP_MD *(*hash)(void);
	int64_t from, to;
	const char *raw_from, *raw_to;
	const char *critical, *plain;
	int64_t revoked;
	int reason;
};

/*
 * struct response_order - a whole response
 * @answers:  up to the first NOBODY; none: one of MINE
 * @crowd:    answers for neighbours in front of them
 * @produced: relative to NOW; 0: the first answer's thisUpdate
 * @signer:   NULL: the issuer, not embedded; @extra is embedded before it
 */
struct response_order {
	struct answer_order answers[4];
	unsigned int crowd;
	int64_t produced;
	const char *raw_produced;
	const char *critical, *plain;
	X509 *signer, *extra;
	EVP_PKEY *key;
	const EVP_MD *(*md)(void);
	bool by_key, bare, pss;
};

static inline struct pki pki_make(void)
{
	struct pki p = {
		.key = rsa_key(0),
		.leaf_key = EVP_EC_gen("P-256"),
		.other_key = rsa_key(1),
	};

	p.issuer = cert_make(&(struct cert_order){
		.name = "Issuer", .key = p.key, .md = EVP_sha256() });
	p.other = cert_make(&(struct cert_order){
		.name = "Other", .key = p.other_key, .md = EVP_sha256() });
	p.leaf = cert_make(&(struct cert_order){
		.name = "leaf", .serial = "1234", .key = p.leaf_key,
		.issuer = p.issuer, .issuer_key = p.key,
		.md = EVP_sha256() });
	return p;
}

static inline OCSP_CERTID *make_id(const struct pki *p,
				   const struct answer_order *o)
{
	X509 *name = o->whose == OTHER_NAME ? p->other : p->issuer;
	X509 *key = o->whose == OTHER_KEY ? p->other : p->issuer;
	const ASN1_INTEGER *serial = X509_get0_serialNumber(
		o->whose == NEIGHBOUR ? p->issuer : p->leaf);

	return OCSP_cert_id_new(o->hash ? o->hash() : EVP_sha1(),
				X509_get_subject_name(name),
				X509_get0_pubkey_bitstr(key), serial);
}

static inline void set_raw(const ASN1_GENERALIZEDTIME *time, const char *raw)
{
	if (raw)
		MUST(ASN1_STRING_set((ASN1_STRING *)time, raw, -1));
}

static inline void add_answer(OCSP_BASICRESP *basic, const struct pki *p,
			      const struct answer_order *o)
{
	ASN1_TIME *from = ASN1_GENERALIZEDTIME_set(
		NULL, NOW + (o->from ? o->from : -HOUR));
	ASN1_TIME *to = ASN1_GENERALIZEDTIME_set(
		NULL, o->to == NEVER ? 0 : NOW + (o->to ? o->to : HOUR));
	ASN1_TIME *revoked = ASN1_GENERALIZEDTIME_set(
		NULL, NOW + (o->revoked ? o->revoked :
			     o->from	? o->from :
					  -HOUR));
	OCSP_CERTID *id = make_id(p, o);
	ASN1_GENERALIZEDTIME *this_update, *next_update;
	OCSP_SINGLERESP *answer;
	X509_EXTENSION *ext;

	answer = OCSP_basic_add1_status(
		basic, id, o->status,
		o->reason ? o->reason : OCSP_REVOKED_STATUS_KEYCOMPROMISE,
		revoked, from, o->to == NEVER ? NULL : to);
	MUST(answer);
	OCSP_single_get0_status(answer, NULL, NULL, &this_update, &next_update);
	set_raw(this_update, o->raw_from);
	set_raw(next_update, o->raw_to);
	if (o->critical || o->plain) {
		ext = odd_extension(o->critical ? o->critical : o->plain,
				    o->critical);
		MUST(OCSP_SINGLERESP_add_ext(answer, ext, -1));
		X509_EXTENSION_free(ext);
	}
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	ASN1_TIME_free(revoked);
}

static inline void set_produced(OCSP_BASICRESP *basic,
				const struct response_order *o)
{
	ASN1_GENERALIZEDTIME *produced =
		(ASN1_GENERALIZEDTIME *)OCSP_resp_get0_produced_at(basic);
	int64_t from = o->answers[0].from ? o->answers[0].from : -HOUR;

	MUST(ASN1_GENERALIZEDTIME_set(
		produced, NOW + (o->produced ? o->produced : from)));
	set_raw(produced, o->raw_produced);
}

static inline void sign_basic(OCSP_BASICRESP *basic, const struct pki *p,
			      const struct response_order *o)
{
	EVP_PKEY *key = o->key ? o->key : p->key;
	bool own_digest = EVP_PKEY_is_a(key, "ED25519");
	unsigned long flags = OCSP_NOTIME;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;

	if (o->by_key)
		flags |= OCSP_RESPID_KEY;
	if (!o->signer || o->bare)
		flags |= OCSP_NOCERTS;
	MUST(EVP_DigestSignInit(ctx, &pctx,
				own_digest ? NULL :
				o->md	   ? o->md() :
					     EVP_sha256(),
				NULL, key) == 1);
	if (o->pss)
		MUST(EVP_PKEY_CTX_set_rsa_padding(pctx,
						  RSA_PKCS1_PSS_PADDING) == 1);
	if (o->extra)
		MUST(OCSP_basic_add1_cert(basic, o->extra));
	MUST(OCSP_basic_sign_ctx(basic, o->signer ? o->signer : p->issuer, ctx,
				 NULL, flags));
	EVP_MD_CTX_free(ctx);
}

static inline OCSP_BASICRESP *make_basic(const struct pki *p,
					 const struct response_order *o)
{
	const struct answer_order neighbour = { .whose = NEIGHBOUR };
	const struct answer_order mine = { .whose = MINE };
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	X509_EXTENSION *ext;
	size_t i;

	for (i = 0; i < o->crowd; i++)
		add_answer(basic, p, &neighbour);
	for (i = 0; o->answers[i].whose != NOBODY; i++)
		add_answer(basic, p, &o->answers[i]);
	if (i == 0)
		add_answer(basic, p, &mine);
	if (o->critical || o->plain) {
		ext = odd_extension(o->critical ? o->critical : o->plain,
				    o->critical);
		MUST(OCSP_BASICRESP_add_ext(basic, ext, -1));
		X509_EXTENSION_free(ext);
	}
	set_produced(basic, o);
	sign_basic(basic, p, o);
	return basic;
}

static inline struct ocsp_bytes make_response(const struct pki *p,
					      const struct response_order *o)
{
	OCSP_BASICRESP *basic = make_basic(p, o);
	OCSP_RESPONSE *response = OCSP_response_create(
		OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	uint8_t *der = NULL;
	int len = i2d_OCSP_RESPONSE(response, &der);

	MUST(len > 0);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	return (struct ocsp_bytes){ der, (size_t)len };
}

/* The contents of an order's ResponseData. */
static inline void put_data(struct blob *b, const struct pki *p,
			    const struct response_order *o)
{
	OCSP_BASICRESP *basic = make_basic(p, o);
	uint8_t *der = NULL;
	int len = ASN1_item_i2d(
		(const ASN1_VALUE *)OCSP_resp_get0_respdata(basic), &der,
		ASN1_ITEM_rptr(OCSP_RESPDATA));

	MUST(len >= 0x80 && len < 0x10000);
	b->len = 0;
	if (der[1] == 0x81)
		blob_put(b, der + 3, (size_t)len - 3);
	else
		blob_put(b, der + 4, (size_t)len - 4);
	OPENSSL_free(der);
	OCSP_BASICRESP_free(basic);
}

static inline void pki_free(struct pki *p)
{
	EVP_PKEY_free(p->key);
	EVP_PKEY_free(p->leaf_key);
	EVP_PKEY_free(p->other_key);
	X509_free(p->issuer);
	X509_free(p->leaf);
	X509_free(p->other);
}

/* ocsp_check() for the leaf and its issuer */
static inline enum ocsp_verdict judge_at(const struct pki *p,
					 struct ocsp_bytes der, int64_t now,
					 struct ocsp_times *times)
{
	struct ocsp_bytes leaf = cert_bytes(p->leaf);
	struct ocsp_bytes issuer = cert_bytes(p->issuer);
	enum ocsp_verdict verdict = ocsp_check(
		der, leaf, issuer, &ocsp_default_limits, now, times);

	OPENSSL_free((void *)leaf.data);
	OPENSSL_free((void *)issuer.data);
	return verdict;
}

static inline enum ocsp_verdict judge(const struct pki *p,
				      struct ocsp_bytes der,
				      struct ocsp_times *times)
{
	return judge_at(p, der, NOW, times);
}

static inline enum ocsp_verdict judge_order(const struct pki *p,
					    const struct response_order *o,
					    struct ocsp_times *times)
{
	struct ocsp_bytes der = make_response(p, o);
	enum ocsp_verdict verdict = judge(p, der, times);

	OPENSSL_free((void *)der.data);
	return verdict;
}

#endif
