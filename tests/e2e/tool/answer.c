// SPDX-License-Identifier: MIT
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "pem.h"
#include "tool.h"

#define DAY INT64_C(86400)
#define NEVER INT64_MIN
/* SingleResponses of 80 bytes and more that exceed 64 KiB. */
#define CROWD 900

/*
 * struct recipe - a response signed by us
 * @answers: a letter each: g good, r revoked, u unknown; capital: that of the
 *           certificate with the next serial number
 * @from, @to, @produced: seconds from now
 */
struct recipe {
	enum signer signer;
	const char *answers;
	int64_t from, to, produced;
	int crowd;
	bool critical;
};

static const struct recipe recipes[] = {
	[BODY_REAL] = {ISSUER, "g", 0, 7 * DAY},
	[BODY_DELEGATE] = {DELEGATE, "g", 0, 7 * DAY},
	[BODY_EXPIRED_DELEGATE] = {EXPIRED_DELEGATE, "g", 0, 7 * DAY},
	[BODY_PLAIN_DELEGATE] = {PLAIN_DELEGATE, "g", 0, 7 * DAY},
	[BODY_STRANGER] = {STRANGER, "g", 0, 7 * DAY},
	[BODY_NEIGHBOUR] = {ISSUER, "G", 0, 7 * DAY},
	[BODY_TWO_FIRST] = {ISSUER, "gG", 0, 7 * DAY},
	[BODY_TWO_SECOND] = {ISSUER, "Gg", 0, 7 * DAY},
	[BODY_GOOD_REVOKED] = {ISSUER, "gr", 0, 7 * DAY},
	[BODY_REVOKED_GOOD] = {ISSUER, "rg", 0, 7 * DAY},
	[BODY_OPEN] = {ISSUER, "g", 0, NEVER},
	[BODY_OLD] = {ISSUER, "g", -400 * DAY, 7 * DAY},
	[BODY_PAST] = {ISSUER, "g", -7200, -3600, -7200},
	[BODY_FUTURE] = {ISSUER, "g", 3600, 7 * DAY, 3600},
	[BODY_PRODUCED] = {ISSUER, "g", 0, 7 * DAY, 3600},
	[BODY_REVOKED] = {ISSUER, "r", 0, 7 * DAY},
	[BODY_UNKNOWN] = {ISSUER, "u", 0, 7 * DAY},
	[BODY_CRITICAL] = {ISSUER, "g", 0, 7 * DAY, .critical = true},
	[BODY_HUGE] = {ISSUER, "g", 0, 7 * DAY, .crowd = CROWD},
	[BODY_BAD_SIGNATURE] = {ISSUER, "g", 0, 7 * DAY},
};

static const char *const signer_names[SIGNERS] = {
	[ISSUER] = "",
	[DELEGATE] = "-delegate",
	[EXPIRED_DELEGATE] = "-expired",
	[PLAIN_DELEGATE] = "-plain",
	[STRANGER] = "-stranger",
};

void authority_read(struct authority *a, const char *path)
{
	char *cert, *key;
	int i;

	for (i = 0; i < SIGNERS; i++) {
		cert = text("%s%s.pem", path, signer_names[i]);
		key = text("%s%s.key", path, signer_names[i]);
		if (i == ISSUER || !access(cert, F_OK)) {
			a->cert[i] = read_cert(cert);
			a->key[i] = read_key(key);
		}
		free(cert);
		free(key);
	}
}

void authority_free(struct authority *a)
{
	int i;

	for (i = 0; i < SIGNERS; i++) {
		X509_free(a->cert[i]);
		EVP_PKEY_free(a->key[i]);
	}
}

static int64_t seconds(const ASN1_GENERALIZEDTIME *t)
{
	struct tm tm;

	if (!t)
		return 0;
	if (!ASN1_TIME_to_tm(t, &tm))
		die("a time cannot be read");
	return timegm(&tm);
}

static OCSP_BASICRESP *parse(const struct answer *a)
{
	const uint8_t *p = a->der;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, a->len);
	OCSP_BASICRESP *basic;

	if (!response)
		die("not an OCSP response: %s", ssl_reason());
	basic = OCSP_response_get1_basic(response);
	if (!basic || !OCSP_resp_get0(basic, 0))
		die("an OCSP response without answer: %s", ssl_reason());
	OCSP_RESPONSE_free(response);
	return basic;
}

static void note_times(struct answer *out, OCSP_BASICRESP *basic)
{
	ASN1_GENERALIZEDTIME *this_update, *next_update;

	OCSP_single_get0_status(OCSP_resp_get0(basic, 0), NULL, NULL,
				&this_update, &next_update);
	out->this_update = seconds(this_update);
	out->next_update = seconds(next_update);
}

void answer_take(struct answer *out, uint8_t *der, size_t len)
{
	OCSP_BASICRESP *basic;

	*out = (struct answer){der, len, 0, 0};
	basic = parse(out);
	note_times(out, basic);
	OCSP_BASICRESP_free(basic);
}

static void fill(struct answer *out, const void *data, size_t len)
{
	*out = (struct answer){malloc(len + 1), len, 0, 0};
	if (!out->der)
		die("out of memory");
	if (len)
		memcpy(out->der, data, len);
}

void answer_copy(struct answer *out, const struct answer *from)
{
	fill(out, from->der, from->len);
	out->this_update = from->this_update;
	out->next_update = from->next_update;
}

void answer_free(struct answer *answer)
{
	free(answer->der);
	answer->der = NULL;
}

/* The CertID of the certificate whose serial number is @step higher. */
static OCSP_CERTID *other_id(OCSP_CERTID *id, unsigned int step)
{
	OCSP_CERTID *other = OCSP_CERTID_dup(id);
	ASN1_INTEGER *serial;
	BIGNUM *number;

	OCSP_id_get0_info(NULL, NULL, NULL, &serial, other);
	number = ASN1_INTEGER_to_BN(serial, NULL);
	BN_add_word(number, step);
	BN_to_ASN1_INTEGER(number, serial);
	BN_free(number);
	return other;
}

static void add_critical(OCSP_SINGLERESP *single)
{
	ASN1_OBJECT *object = OBJ_txt2obj("1.2.3.4.5.6.7", 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext;

	ASN1_OCTET_STRING_set(value, (const uint8_t *)"\x05", 2);
	ext = X509_EXTENSION_create_by_OBJ(NULL, object, 1, value);
	OCSP_SINGLERESP_add_ext(single, ext, -1);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(object);
}

static void add_single(OCSP_BASICRESP *basic, OCSP_CERTID *id, char letter,
		       const struct recipe *r, int64_t now)
{
	int status = strchr("uU", letter) ? V_OCSP_CERTSTATUS_UNKNOWN :
		     strchr("rR", letter) ? V_OCSP_CERTSTATUS_REVOKED :
					    V_OCSP_CERTSTATUS_GOOD;
	ASN1_TIME *from = ASN1_GENERALIZEDTIME_set(NULL, now + r->from), *to;
	OCSP_SINGLERESP *single;

	to = ASN1_GENERALIZEDTIME_set(NULL, r->to == NEVER ? 0 : now + r->to);
	single = OCSP_basic_add1_status(basic, id, status,
					OCSP_REVOKED_STATUS_KEYCOMPROMISE, from,
					from, r->to == NEVER ? NULL : to);
	if (!single)
		die("no answer can be added: %s", ssl_reason());
	if (r->critical)
		add_critical(single);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
}

static void add_singles(OCSP_BASICRESP *basic, OCSP_CERTID *id,
			const struct recipe *r, int64_t now)
{
	OCSP_CERTID *neighbour = other_id(id, 1), *far;
	const char *letter;
	int i;

	for (letter = r->answers; *letter; letter++)
		add_single(basic, strchr("gru", *letter) ? id : neighbour,
			   *letter, r, now);
	for (i = 0; i < r->crowd; i++) {
		far = other_id(id, i + 1);
		add_single(basic, far, 'g', r, now);
		OCSP_CERTID_free(far);
	}
	OCSP_CERTID_free(neighbour);
}

static void sign(OCSP_BASICRESP *basic, const struct authority *a,
		 const struct recipe *r, int64_t now)
{
	const ASN1_GENERALIZEDTIME *produced;
	unsigned long flags = OCSP_NOTIME;

	if (!a->cert[r->signer])
		die("there is no signer %s", signer_names[r->signer]);
	if (r->signer == ISSUER)
		flags |= OCSP_NOCERTS;
	/* It is ours, whatever the type of the only access to it says. */
	produced = OCSP_resp_get0_produced_at(basic);
	ASN1_GENERALIZEDTIME_set((ASN1_GENERALIZEDTIME *)produced,
				 now + r->produced);
	if (!OCSP_basic_sign(basic, a->cert[r->signer], a->key[r->signer],
			     EVP_sha256(), NULL, flags))
		die("a response cannot be signed: %s", ssl_reason());
}

static void put(struct answer *out, int status, OCSP_BASICRESP *basic)
{
	OCSP_RESPONSE *response = OCSP_response_create(status, basic);
	uint8_t *der = NULL;
	int len = i2d_OCSP_RESPONSE(response, &der);

	if (len <= 0)
		die("a response cannot be encoded: %s", ssl_reason());
	fill(out, der, len);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
}

static void cook(struct answer *out, const struct authority *a,
		 const struct recipe *r, const struct answer *real)
{
	OCSP_BASICRESP *from = parse(real), *basic = OCSP_BASICRESP_new();
	const OCSP_CERTID *id;
	int64_t now = time(NULL);

	id = OCSP_SINGLERESP_get0_id(OCSP_resp_get0(from, 0));
	add_singles(basic, (OCSP_CERTID *)id, r, now);
	sign(basic, a, r, now);
	put(out, OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	note_times(out, basic);
	OCSP_BASICRESP_free(basic);
	OCSP_BASICRESP_free(from);
}

static void cook_mode(struct answer *out, const struct authority *a,
		      const struct mode *m, const struct answer *real)
{
	struct recipe r = recipes[m->body];

	if (m->end_s >= 0 && r.to == 7 * DAY)
		r.to = m->end_s;
	if (m->ago_s >= 0 && !r.from && !r.produced)
		r.from = r.produced = -m->ago_s;
	cook(out, a, &r, real);
	if (m->body == BODY_BAD_SIGNATURE)
		out->der[out->len - 1] ^= 1;
}

static void garbage(struct answer *out)
{
	size_t len;
	const uint8_t *bytes = pattern(time(NULL) % 1000, &len);

	fill(out, bytes, 500);
}

void answer_make(struct answer *out, const struct authority *a,
		 const struct mode *m, const struct answer *real)
{
	static const char html[] = "<!DOCTYPE html>\n<title>Welcome</title>\n"
				   "<p>Please log in to this network.</p>\n";

	switch (m->body) {
	case BODY_TRY_LATER:
		put(out, OCSP_RESPONSE_STATUS_TRYLATER, NULL);
		break;
	case BODY_UNAUTHORIZED:
		put(out, OCSP_RESPONSE_STATUS_UNAUTHORIZED, NULL);
		break;
	case BODY_MALFORMED:
		put(out, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST, NULL);
		break;
	case BODY_INTERNAL:
		put(out, OCSP_RESPONSE_STATUS_INTERNALERROR, NULL);
		break;
	case BODY_GARBAGE:
		garbage(out);
		break;
	case BODY_HTML:
		fill(out, html, sizeof(html) - 1);
		break;
	case BODY_CUT:
		fill(out, real->der, real->len / 2);
		break;
	case BODY_EMPTY:
		fill(out, "", 0);
		break;
	case BODY_REAL:
		if (m->end_s < 0 && m->ago_s < 0) {
			answer_copy(out, real);
			break;
		}
		/* fallthrough */
	default:
		cook_mode(out, a, m, real);
	}
}
