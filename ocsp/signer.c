/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <string.h>

#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "ocsp/der.h"
#include "ocsp/signer.h"

/* RFC 4055 3.1: an absent hashAlgorithm is SHA-1. */
static int pss_digest(const X509_ALGOR *alg)
{
	RSA_PSS_PARAMS *pss;
	const void *param;
	int type, md = NID_sha1;

	X509_ALGOR_get0(NULL, &type, &param, alg);
	if (type != V_ASN1_SEQUENCE)
		return NID_undef;
	pss = ASN1_item_unpack(param, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
	if (!pss)
		return NID_undef;
	if (pss->hashAlgorithm)
		md = OBJ_obj2nid(pss->hashAlgorithm->algorithm);
	RSA_PSS_PARAMS_free(pss);
	return md;
}

/*
 * SHA-1 is taken: responders of private CAs still sign with it, and what a
 * collision would buy an attacker here is a staple that says good, which every
 * client judges again by its own rules. MD5 and older are forgeable at will.
 */
static bool digest_strong(int md)
{
	switch (md) {
	case NID_sha1:
	case NID_sha224:
	case NID_sha256:
	case NID_sha384:
	case NID_sha512:
	case NID_sha3_256:
	case NID_sha3_384:
	case NID_sha3_512:
		return true;
	default:
		return false;
	}
}

/*
 * Parameters other than PSS's are none or NULL (RFC 4055 5, 5758 3.2, 8410 3);
 * libcrypto does not look at them, and no signature covers them.
 */
static bool algorithm_strong(const X509_ALGOR *alg)
{
	const ASN1_OBJECT *oid;
	int type, md, key;

	X509_ALGOR_get0(&oid, &type, NULL, alg);
	if (!OBJ_find_sigid_algs(OBJ_obj2nid(oid), &md, &key))
		return false;
	if (key == NID_rsassaPss)
		return digest_strong(pss_digest(alg));
	if (type != V_ASN1_UNDEF && type != V_ASN1_NULL)
		return false;
	/* Ed25519 and its like bring their own digest. */
	return md == NID_undef || digest_strong(md);
}

/*
 * RSA of 1024 bits is the least, as old private CAs have it; shorter keys have
 * been computed from certificates.
 */
static bool key_strong(X509 *cert)
{
	return EVP_PKEY_get_security_bits(X509_get0_pubkey(cert)) >= 80;
}

/* Is the responderID this certificate's? byKey is SHA-1 always (4.2.1). */
static bool is_responder(const OCSP_BASICRESP *basic, X509 *cert)
{
	const ASN1_OCTET_STRING *key;
	const X509_NAME *name;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned int len;

	if (!OCSP_resp_get0_id(basic, &key, &name))
		return false;
	if (name)
		return X509_NAME_cmp(name, X509_get_subject_name(cert)) == 0;
	return X509_pubkey_digest(cert, EVP_sha1(), hash, &len) &&
	       (unsigned int)ASN1_STRING_length(key) == len &&
	       memcmp(ASN1_STRING_get0_data(key), hash, len) == 0;
}

static bool signed_by(const OCSP_BASICRESP *basic, X509 *cert)
{
	return ASN1_item_verify(ASN1_ITEM_rptr(OCSP_RESPDATA),
				OCSP_resp_get0_tbs_sigalg(basic),
				OCSP_resp_get0_signature(basic),
				OCSP_resp_get0_respdata(basic),
				X509_get0_pubkey(cert)) == 1;
}

bool ocsp_issued_by(X509 *cert, X509 *issuer)
{
	return X509_NAME_cmp(X509_get_issuer_name(cert),
			     X509_get_subject_name(issuer)) == 0 &&
	       X509_verify(cert, X509_get0_pubkey(issuer)) == 1;
}

static bool has_unknown_critical(const X509 *cert)
{
	X509_EXTENSION *ext;
	int i;

	for (i = 0; i < X509_get_ext_count(cert); i++) {
		ext = X509_get_ext(cert, i);
		if (X509_EXTENSION_get_critical(ext) &&
		    !X509_supported_extension(ext))
			return true;
	}
	return false;
}

static enum ocsp_verdict check_dates(const X509 *cert, int64_t now,
				     int64_t *until)
{
	int64_t from, last;

	if (!ocsp_der_time(X509_get0_notBefore(cert), &from) || now < from)
		return OCSP_DELEGATE_NOT_YET;
	if (!ocsp_der_time(X509_get0_notAfter(cert), &last) || now > last)
		return OCSP_DELEGATE_EXPIRED;
	*until = last + 1;
	return OCSP_OK;
}

/*
 * The issuer's word first: a key that the issuer did not sign is never used.
 * Key usage as RFC 5280 4.2.1.12 pairs it with id-kp-OCSPSigning; a certificate
 * without that extension has all bits.
 */
static enum ocsp_verdict check_delegate(const OCSP_BASICRESP *basic,
					X509 *cert, X509 *issuer, int64_t now,
					int64_t *until)
{
	const X509_ALGOR *alg;
	enum ocsp_verdict verdict;
	uint32_t flags;

	if (!ocsp_issued_by(cert, issuer))
		return OCSP_DELEGATE_NOT_ISSUED;
	X509_get0_signature(NULL, &alg, cert);
	if (!algorithm_strong(alg) || !key_strong(cert))
		return OCSP_DELEGATE_WEAK;
	flags = X509_get_extension_flags(cert);
	if ((flags & EXFLAG_INVALID) || has_unknown_critical(cert))
		return OCSP_DELEGATE_EXTENSION;
	if (!(flags & EXFLAG_XKUSAGE) ||
	    !(X509_get_extended_key_usage(cert) & XKU_OCSP_SIGN))
		return OCSP_DELEGATE_EKU;
	if (!(X509_get_key_usage(cert) &
	      (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)))
		return OCSP_DELEGATE_KEY_USAGE;
	verdict = check_dates(cert, now, until);
	if (verdict != OCSP_OK)
		return verdict;
	return signed_by(basic, cert) ? OCSP_OK : OCSP_BAD_SIGNATURE;
}

static enum ocsp_verdict find_signer(const OCSP_BASICRESP *basic, X509 *issuer,
				     int64_t now, int64_t *until,
				     X509 **signer)
{
	const STACK_OF(X509) *certs = OCSP_resp_get0_certs(basic);
	enum ocsp_verdict verdict, furthest = OCSP_NO_SIGNER;
	X509 *cert;
	int i;

	*signer = NULL;
	if (!algorithm_strong(OCSP_resp_get0_tbs_sigalg(basic)) ||
	    !key_strong(issuer))
		return OCSP_WEAK_ALGORITHM;
	if (is_responder(basic, issuer)) {
		*until = INT64_MAX;
		if (signed_by(basic, issuer))
			return OCSP_OK;
		furthest = OCSP_BAD_SIGNATURE;
	}
	/* A name says little: there may be several of it, old keys and new. */
	for (i = 0; i < sk_X509_num(certs); i++) {
		cert = sk_X509_value(certs, i);
		if (!is_responder(basic, cert))
			continue;
		verdict = check_delegate(basic, cert, issuer, now, until);
		*signer = cert;
		if (verdict == OCSP_OK)
			return OCSP_OK;
		if (verdict > furthest)
			furthest = verdict;
	}
	return furthest;
}

enum ocsp_verdict ocsp_check_signer(OCSP_BASICRESP *basic, X509 *issuer,
				    int64_t now, int64_t *until)
{
	X509 *signer;

	return find_signer(basic, issuer, now, until, &signer);
}

bool ocsp_find_signer(OCSP_BASICRESP *basic, X509 *issuer, int64_t now,
		      X509 **signer)
{
	int64_t until;

	return find_signer(basic, issuer, now, &until, signer) == OCSP_OK;
}
