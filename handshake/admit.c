// SPDX-License-Identifier: MIT
/*
 * A client's certificate, on the spot and when its session is resumed.
 */
#include "handshake/admit.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include <openssl/x509v3.h>

#include "handshake/chain.h"
#include "handshake/internal.h"
#include "handshake/peer.h"

int hs_client_apply(struct hs *hs, const struct hs_client *client)
{
	int mode = SSL_VERIFY_NONE;

	if (client == hs->client)
		return 0;
	hs->client = client;
	if (client) {
		mode = SSL_VERIFY_PEER;
		if (client->required)
			mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
		if (!SSL_set1_verify_cert_store(hs->ssl, client->store))
			return -ENOMEM;
	}
	SSL_set_verify(hs->ssl, mode, NULL);
	return 0;
}

/* OpenSSL wants copies, which are of no use where nobody is asked. */
int hs_client_name_cas(struct hs *hs)
{
	STACK_OF(X509_NAME) *names;

	if (!hs->client)
		return 0;
	names = SSL_dup_CA_list(hs->client->names);
	if (!names)
		return -ENOMEM;
	SSL_set0_CA_list(hs->ssl, names);
	return 0;
}

/* The alerts of RFC 8446 6.2, by what is wrong. */
static uint8_t alert_for(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return SSL_AD_CERTIFICATE_EXPIRED;
	case X509_V_ERR_CERT_REVOKED:
		return SSL_AD_CERTIFICATE_REVOKED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE: /* another of that name */
	case X509_V_ERR_CERT_CHAIN_TOO_LONG:
	case X509_V_ERR_CERT_UNTRUSTED:
	case X509_V_ERR_CERT_REJECTED:
		return SSL_AD_UNKNOWN_CA;
	case X509_V_ERR_INVALID_PURPOSE:
		return SSL_AD_UNSUPPORTED_CERTIFICATE;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
	case X509_V_ERR_CRL_SIGNATURE_FAILURE:
	case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
	case X509_V_ERR_DIFFERENT_CRL_SCOPE:
		return SSL_AD_CERTIFICATE_UNKNOWN;
	case X509_V_ERR_OUT_OF_MEM:
	case X509_V_ERR_UNSPECIFIED:
	case X509_V_ERR_STORE_LOOKUP:
		return SSL_AD_INTERNAL_ERROR;
	default:
		return SSL_AD_BAD_CERTIFICATE;
	}
}

/* For log lines, where it stands in quotes. */
static void subject_text(const X509 *cert, char *text, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int len = 0;

	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
				      XN_FLAG_RFC2253) >= 0)
		len = BIO_read(bio, text, size - 1);
	text[len > 0 ? len : 0] = '\0';
	for (char *p = text; *p; p++)
		if (iscntrl((unsigned char)*p) || *p == '"' || *p == '\\')
			*p = '?';
	BIO_free(bio);
}

/* Takes the place of what OpenSSL would say and send. */
static int refuse(struct hs *hs, enum hs_failure failure, uint8_t alert,
		  const X509 *cert, const char *why, int depth)
{
	char subject[72];
	char at[40] = "";

	subject_text(cert, subject, sizeof(subject));
	if (depth > 0)
		snprintf(at, sizeof(at), " (CA %d above it)", depth);
	if (alert == SSL_AD_INTERNAL_ERROR)
		failure = HS_F_INTERNAL;
	hs_blame(hs, failure, "client certificate %s: %s%s", subject, why, at);
	hs->refusal = alert;
	return 0;
}

static struct hs *hs_of_store(X509_STORE_CTX *store)
{
	int index = SSL_get_ex_data_X509_STORE_CTX_idx();

	return hs_of(X509_STORE_CTX_get_ex_data(store, index));
}

/* Whom the configuration trusts nobody need vouch for. */
static bool is_anchor(X509_STORE_CTX *store)
{
	int depth = X509_STORE_CTX_get_error_depth(store);

	return depth &&
	       depth == sk_X509_num(X509_STORE_CTX_get0_chain(store)) - 1;
}

/* Called with each fault; 1: it is none. */
static int on_fault(int ok, X509_STORE_CTX *store)
{
	struct hs *hs = hs_of_store(store);

	switch (ok ? X509_V_OK : X509_STORE_CTX_get_error(store)) {
	case X509_V_OK:
		return 1;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return is_anchor(store);
	case X509_V_ERR_CRL_HAS_EXPIRED:
		hs->crl_expired = hs->client->crl_expired_warn;
		return hs->crl_expired;
	default:
		return 0;
	}
}

/* Bytes of a ClientHello beside the certificate in its ticket, generously */
#define HELLO_REST 2048
#define HELLO_MAX 16384		/* where there is no limit of ours */

/*
 * A ticket holds the certificate. One that makes a ClientHello longer than we
 * read would shut its client out.
 */
static void forgo_ticket(struct hs *hs)
{
	size_t max = hs->ctx->max_hello ? hs->ctx->max_hello : HELLO_MAX;

	hs->no_ticket = hs->peer->der.len + HELLO_REST > max;
	if (hs->no_ticket)
		SSL_set_num_tickets(hs->ssl, 0);
}

/* What libcrypto would say of this standing */
static int standing_error(struct hs *hs, enum hs_standing standing)
{
	switch (standing) {
	case HS_GOOD:
		return X509_V_OK;
	case HS_GOOD_EXPIRED:
		hs->crl_expired = hs->client->crl_expired_warn;
		return hs->crl_expired ? X509_V_OK : X509_V_ERR_CRL_HAS_EXPIRED;
	case HS_REVOKED:
		return X509_V_ERR_CERT_REVOKED;
	default:
		return X509_V_ERR_UNABLE_TO_GET_CRL;
	}
}

/*
 * From 3.6 on libcrypto asks no list about a certificate that signed itself and is
 * trusted. A client's own may be one.
 */
static int verify(struct hs *hs, X509_STORE_CTX *store)
{
	STACK_OF(X509_CRL) *crls = hs->client->crls;
	int error;

	if (X509_verify_cert(store) != 1) {
		error = X509_STORE_CTX_get_error(store);
		return error ? error : X509_V_ERR_UNSPECIFIED;
	}
	if (sk_X509_CRL_num(crls) <= 0 ||
	    sk_X509_num(X509_STORE_CTX_get0_chain(store)) > 1)
		return X509_V_OK;
	return standing_error(hs, hs_crls_standing(
		crls, X509_STORE_CTX_get0_cert(store), hs->now));
}

int hs_admit(X509_STORE_CTX *store, void *arg)
{
	X509 *cert = X509_STORE_CTX_get0_cert(store);
	struct hs *hs = hs_of_store(store);
	int error;

	(void)arg;
	hs->crl_expired = false;
	X509_STORE_CTX_set_time(store, 0, hs->now);
	X509_STORE_CTX_set_verify_cb(store, on_fault);
	error = verify(hs, store);
	if (error)
		return refuse(hs, HS_F_CLIENT, alert_for(error), cert,
			      X509_verify_cert_error_string(error),
			      X509_STORE_CTX_get_error_depth(store));
	X509_STORE_CTX_set_error(store, X509_V_OK);
	hs_peer_free(hs->peer);
	hs->peer = hs_peer_new(cert);
	if (!hs->peer)
		return refuse(hs, HS_F_INTERNAL, SSL_AD_INTERNAL_ERROR, cert,
			      "out of memory", 0);
	if (!hs_allow_fits(&hs->client->allow, hs->peer))
		return refuse(hs, HS_F_DENIED, SSL_AD_ACCESS_DENIED, cert,
			      "it is none of those that are allowed", 0);
	forgo_ticket(hs);
	return 1;
}

static bool is_valid(const X509 *cert, time_t now)
{
	return X509_cmp_time(X509_get0_notBefore(cert), &now) < 0 &&
	       X509_cmp_time(X509_get0_notAfter(cert), &now) > 0;
}

static enum hs_standing stands(const struct hs *hs, const X509 *cert,
			       SSL_SESSION *session)
{
	STACK_OF(X509_CRL) *crls = hs->client->crls;
	enum hs_standing above, own;
	uint8_t chain[HS_CHAIN_MAX];
	ssize_t len = hs_ticket_chain(session, chain);

	if (len < 0)
		return HS_UNKNOWN;
	own = hs_crls_standing(crls, cert, hs->now);
	above = hs_chain_standing(crls, chain, len, hs->now);
	return above > own ? above : own;
}

static bool is_good(struct hs *hs, const X509 *cert, SSL_SESSION *session)
{
	return !sk_X509_CRL_num(hs->client->crls) ||
	       !standing_error(hs, stands(hs, cert, session));
}

/*
 * Would the session's client still be let in? Who had no certificate then has none
 * now; and what does not change with time, like the entries that allow it, is what
 * the session is bound to: hs_client_id().
 */
static bool still_admitted(struct hs *hs, SSL_SESSION *session)
{
	X509 *cert = SSL_SESSION_get0_peer(session);

	hs->crl_expired = false;
	if (!hs->client || !cert)
		return true;
	return is_valid(cert, hs->now) && is_good(hs, cert, session);
}

/*
 * What is not resumed goes on as a full handshake, and ends in the right alert.
 * The session may be of another policy still, which OpenSSL finds out later.
 */
SSL_TICKET_RETURN hs_admit_again(SSL *ssl, SSL_SESSION *session,
				 const unsigned char *key_name, size_t len,
				 SSL_TICKET_STATUS status, void *arg)
{
	bool renew = status == SSL_TICKET_SUCCESS_RENEW;

	(void)key_name;
	(void)len;
	(void)arg;
	if ((status != SSL_TICKET_SUCCESS && !renew) ||
	    !still_admitted(hs_of(ssl), session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return renew ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}
