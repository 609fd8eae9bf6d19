/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: whom a struct hs_client lets in. */
#ifndef HANDSHAKE_ADMIT_H
#define HANDSHAKE_ADMIT_H

#include <openssl/ssl.h>

#include "handshake/allow.h"
#include "handshake/client.h"

struct hs;

#define HS_CLIENT_ID 32

struct hs_client {
	unsigned int references;
	X509_STORE *store;		/* CAs and lists */
	STACK_OF(X509_NAME) *names;	/* of the CAs, each once */
	STACK_OF(X509_CRL) *crls;	/* the store's */
	struct hs_allow allow;
	bool required, crl_expired_warn;
	uint8_t id[HS_CLIENT_ID];
};

/*
 * hs_client_apply - ask for a certificate in this connection
 * @client: outlives it; NULL: ask for none
 * Called with each ClientHello, before a session is looked for. Returns 0 or
 * -ENOMEM.
 */
int hs_client_apply(struct hs *hs, const struct hs_client *client);
/* hs_client_name_cas - and say whose; in full handshakes. 0 or -ENOMEM */
int hs_client_name_cas(struct hs *hs);

/*
 * hs_client_id - a digest of all that its configuration says, but for the lists'
 * content: sessions are bound to it. The same after a restart.
 */
const uint8_t *hs_client_id(const struct hs_client *client);

/* OpenSSL's callbacks: for a client's chain, and for the session in a ticket */
int hs_admit(X509_STORE_CTX *store, void *arg);
SSL_TICKET_RETURN hs_admit_again(SSL *ssl, SSL_SESSION *session,
				 const unsigned char *key_name, size_t len,
				 SSL_TICKET_STATUS status, void *arg);

#endif
