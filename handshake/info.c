// SPDX-License-Identifier: MIT
/*
 * What was agreed, by the names that the PROXY protocol and IANA use.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/objects.h>

#include "handshake/internal.h"

uint16_t hs_max_fragment(const SSL *ssl)
{
	const SSL_SESSION *session = SSL_get_session(ssl);
	uint8_t mode = session ? SSL_SESSION_get_max_fragment_length(session) :
				 TLSEXT_max_fragment_length_DISABLED;

	/* RFC 6066 4: 1 is 2^9 … 4 is 2^12 */
	if (mode < TLSEXT_max_fragment_length_512 ||
	    mode > TLSEXT_max_fragment_length_4096)
		return 0;
	return 256 << mode;
}

/* The kind of key that makes signatures of @type, or is of it. */
static enum hs_key key_of(int type)
{
	switch (type) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		return HS_KEY_RSA;
	case EVP_PKEY_EC:
		return HS_KEY_EC;
	case EVP_PKEY_ED25519:
		return HS_KEY_ED25519;
	case EVP_PKEY_ED448:
		return HS_KEY_ED448;
	default:
		return HS_KEY_OTHER;
	}
}

const struct hs_cert *hs_cert_used(const struct hs *hs)
{
	const struct hs_name *set = hs->set;
	int type = NID_undef;

	SSL_get_signature_type_nid(hs->ssl, &type);
	for (unsigned int i = 0; i < set->n; i++)
		if (set[i].site->cert->key_type == key_of(type))
			return set[i].site->cert;
	return set->site->cert;
}

/* "EC256", "RSA2048", "ED25519"; "SHA256" for the certificate's signature */
void hs_describe_cert(struct hs_cert *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(cert->leaf);
	int type = EVP_PKEY_get_base_id(key);
	int bits = EVP_PKEY_get_bits(key);
	int digest = NID_undef;
	int sig = NID_undef;

	cert->key_type = key_of(type);
	cert->key_is_pss = type == EVP_PKEY_RSA_PSS;
	if (type == EVP_PKEY_EC)
		snprintf(cert->key_alg, sizeof(cert->key_alg), "EC%d", bits);
	else if (type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS)
		snprintf(cert->key_alg, sizeof(cert->key_alg), "RSA%d", bits);
	else
		snprintf(cert->key_alg, sizeof(cert->key_alg), "%s",
			 OBJ_nid2sn(type));
	X509_get_signature_info(cert->leaf, &digest, &sig, NULL, NULL);
	snprintf(cert->cert_sig_alg, sizeof(cert->cert_sig_alg), "%s",
		 OBJ_nid2sn(digest != NID_undef ? digest : sig));
}

struct scheme {
	int type, digest;
	const char *name;
};

/* RFC 8446 4.2.3; those of TLS 1.2 have the same code points */
static const struct scheme schemes[] = {
	{ EVP_PKEY_EC, NID_sha256, "ecdsa_secp256r1_sha256" },
	{ EVP_PKEY_EC, NID_sha384, "ecdsa_secp384r1_sha384" },
	{ EVP_PKEY_EC, NID_sha512, "ecdsa_secp521r1_sha512" },
	{ EVP_PKEY_EC, NID_sha1, "ecdsa_sha1" },
	{ EVP_PKEY_RSA_PSS, NID_sha256, "rsa_pss_rsae_sha256" },
	{ EVP_PKEY_RSA_PSS, NID_sha384, "rsa_pss_rsae_sha384" },
	{ EVP_PKEY_RSA_PSS, NID_sha512, "rsa_pss_rsae_sha512" },
	{ EVP_PKEY_RSA, NID_sha256, "rsa_pkcs1_sha256" },
	{ EVP_PKEY_RSA, NID_sha384, "rsa_pkcs1_sha384" },
	{ EVP_PKEY_RSA, NID_sha512, "rsa_pkcs1_sha512" },
	{ EVP_PKEY_RSA, NID_sha1, "rsa_pkcs1_sha1" },
	{ EVP_PKEY_ED25519, NID_undef, "ed25519" },
	{ EVP_PKEY_ED448, NID_undef, "ed448" },
};

static const struct scheme pss_schemes[] = {
	{ EVP_PKEY_RSA_PSS, NID_sha256, "rsa_pss_pss_sha256" },
	{ EVP_PKEY_RSA_PSS, NID_sha384, "rsa_pss_pss_sha384" },
	{ EVP_PKEY_RSA_PSS, NID_sha512, "rsa_pss_pss_sha512" },
};

static const char *find_scheme(const struct scheme *s, size_t n, int type,
			       int digest)
{
	for (; n; n--, s++) {
		if (s->type == type && s->digest == digest)
			return s->name;
	}
	return "";
}

static const char *scheme_name(const struct hs *hs)
{
	int digest = NID_undef;
	int type = NID_undef;

	if (!SSL_get_signature_type_nid(hs->ssl, &type))
		return "";
	SSL_get_signature_nid(hs->ssl, &digest);
	if (hs_cert_used(hs)->key_is_pss)
		return find_scheme(pss_schemes,
				   sizeof(pss_schemes) / sizeof(*pss_schemes),
				   type, digest);
	return find_scheme(schemes, sizeof(schemes) / sizeof(*schemes), type,
			   digest);
}

static const char *group_name(const struct hs *hs)
{
	int group = SSL_get_session(hs->ssl) ?
			    SSL_get_negotiated_group(hs->ssl) : NID_undef;
	const char *name = group != NID_undef ?
				   SSL_group_to_name(hs->ssl, group) : NULL;

	return name ? name : "";
}

void hs_get_info(const struct hs *hs, struct hs_info *info)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(hs->ssl);
	const struct hs_cert *cert = hs_cert_used(hs);
	unsigned int alpn_len;

	memset(info, 0, sizeof(*info));
	info->version = SSL_version(hs->ssl);
	info->max_fragment = hs_max_fragment(hs->ssl);
	info->resumed = SSL_session_reused(hs->ssl);
	info->staple = info->resumed ? HS_STAPLE_NOT_ASKED : hs->staple;
	info->version_name = SSL_get_version(hs->ssl);
	info->cipher = cipher ? SSL_CIPHER_get_name(cipher) : "";
	info->server_name = hs->name;
	/* A session does not say which of several it was made with. */
	if (info->resumed && hs->set->n > 1) {
		info->key_alg = info->cert_sig_alg = "";
	} else {
		info->key_alg = cert->key_alg;
		info->cert_sig_alg = cert->cert_sig_alg;
	}
	/* Resumed: nothing was signed, in TLS 1.2 no group was used either. */
	info->sig_scheme = info->resumed ? "" : scheme_name(hs);
	info->group = info->resumed && info->version == KTLS_TLS12 ?
			      "" : group_name(hs);
	SSL_get0_alpn_selected(hs->ssl, &info->alpn, &alpn_len);
	info->alpn_len = alpn_len;
}

const char *hs_openssl(void)
{
	return OpenSSL_version(OPENSSL_VERSION_STRING);
}
