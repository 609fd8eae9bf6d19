// SPDX-License-Identifier: MIT
/*
 * A client's certificate as text, for those who decide by it. A name that could
 * be taken for two, or for another, is left out.
 */
#include "handshake/peer.h"

#include <errno.h>
#include <string.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "handshake/internal.h"

static bool keep_der(struct hs_peer *peer, const X509 *cert)
{
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);

	if (len <= 0)
		return false;
	peer->der = (struct ocsp_bytes){ der, len };
	return EVP_Digest(der, len, peer->sha256, NULL, EVP_sha256(), NULL);
}

static bool digest_key(struct hs_peer *peer, const X509 *cert)
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	bool ok = len > 0 && EVP_Digest(der, len, peer->spki_sha256, NULL,
					EVP_sha256(), NULL);

	OPENSSL_free(der);
	return ok;
}

static bool is_plain(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] < ' ' || p[i] == 0x7f)
			return false;
	return true;
}

static void keep_cn(struct hs_peer *peer, const X509_NAME *subject)
{
	int i = X509_NAME_get_index_by_NID((X509_NAME *)subject,
					   NID_commonName, -1);
	unsigned char *cn = NULL;
	int len;

	if (i < 0)
		return;
	len = ASN1_STRING_to_UTF8(&cn, X509_NAME_ENTRY_get_data(
					       X509_NAME_get_entry(subject, i)));
	if (len > 0 && is_plain(cn, len))
		peer->cn = (struct ocsp_bytes){ cn, len };
	else
		OPENSSL_free(cn);
}

/* What was written to @bio, copied; false when out of memory. */
static bool keep_text(struct ocsp_bytes *text, BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	if (len <= 0)
		return true;
	data = OPENSSL_memdup(data, len);
	*text = (struct ocsp_bytes){ (uint8_t *)data, data ? len : 0 };
	return data;
}

static bool keep_subject(struct hs_peer *peer, const X509_NAME *subject)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool ok = bio &&
		  X509_NAME_print_ex(bio, subject, 0, XN_FLAG_RFC2253) >= 0 &&
		  keep_text(&peer->subject, bio);

	BIO_free(bio);
	return ok;
}

/* One with a NUL would look like two, or like its beginning. */
static bool put_name(BIO *bio, const char *kind, const ASN1_IA5STRING *name)
{
	const uint8_t *p = ASN1_STRING_get0_data(name);
	int len = ASN1_STRING_length(name);

	for (int i = 0; i < len; i++)
		if (p[i] <= ' ' || p[i] > '~')
			return true;
	return len <= 0 || (BIO_puts(bio, kind) > 0 &&
			    BIO_write(bio, p, len) == len &&
			    BIO_write(bio, "", 1) == 1);
}

static bool put_address(BIO *bio, const ASN1_OCTET_STRING *ip)
{
	int len = ASN1_STRING_length(ip);
	char text[INET6_ADDRSTRLEN];

	if (len != 4 && len != 16)
		return true;
	inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(ip),
		  text, sizeof(text));
	return BIO_puts(bio, "ip:") > 0 &&
	       BIO_write(bio, text, strlen(text) + 1) > 0;
}

static bool put_san(BIO *bio, const GENERAL_NAME *san)
{
	switch (san->type) {
	case GEN_DNS:
		return put_name(bio, "dns:", san->d.dNSName);
	case GEN_URI:
		return put_name(bio, "uri:", san->d.uniformResourceIdentifier);
	case GEN_EMAIL:
		return put_name(bio, "email:", san->d.rfc822Name);
	case GEN_IPADD:
		return put_address(bio, san->d.iPAddress);
	default:
		return true;
	}
}

static bool keep_sans(struct hs_peer *peer, const X509 *cert)
{
	GENERAL_NAMES *sans = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL,
					       NULL);
	int n = sans ? sk_GENERAL_NAME_num(sans) : 0;
	BIO *bio = BIO_new(BIO_s_mem());
	bool ok = bio;

	for (int i = 0; ok && i < n; i++)
		ok = put_san(bio, sk_GENERAL_NAME_value(sans, i));
	ok = ok && keep_text(&peer->sans, bio);
	BIO_free(bio);
	GENERAL_NAMES_free(sans);
	return ok;
}

struct hs_peer *hs_peer_new(const X509 *cert)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	struct hs_peer *peer = OPENSSL_zalloc(sizeof(*peer));

	if (!peer)
		return NULL;
	ERR_set_mark();
	keep_cn(peer, subject);
	if (keep_der(peer, cert) && digest_key(peer, cert) &&
	    keep_subject(peer, subject) && keep_sans(peer, cert)) {
		ERR_pop_to_mark();
		return peer;
	}
	ERR_pop_to_mark();
	hs_peer_free(peer);
	return NULL;
}

void hs_peer_free(struct hs_peer *peer)
{
	if (!peer)
		return;
	OPENSSL_free((void *)peer->der.data);
	OPENSSL_free((void *)peer->cn.data);
	OPENSSL_free((void *)peer->subject.data);
	OPENSSL_free((void *)peer->sans.data);
	OPENSSL_free(peer);
}

int hs_get_peer(struct hs *hs, const struct hs_peer **peer)
{
	X509 *cert = hs->client && hs->step == HS_DONE ?
			     SSL_get0_peer_certificate(hs->ssl) : NULL;

	*peer = NULL;
	if (!cert)
		return 0;
	/* Of a resumed session: it was verified when that began. */
	if (!hs->peer)
		hs->peer = hs_peer_new(cert);
	if (!hs->peer)
		return -ENOMEM;
	hs->peer->crl_expired = hs->crl_expired;
	*peer = hs->peer;
	return 0;
}
