/* SPDX-License-Identifier: MIT */
/*
 * Inside of handshake/: the CAs between a client's certificate and one that is
 * trusted. A session has the certificate alone, so what is needed of them when it
 * is resumed goes along in its ticket.
 */
#ifndef HANDSHAKE_CHAIN_H
#define HANDSHAKE_CHAIN_H

#include <openssl/ssl.h>

#include "handshake/crls.h"

/* Name's hash, serial number with its length; so many, and one for the rest */
#define HS_CHAIN_CA (4 + 1 + 20)
#define HS_CHAIN_CAS 16
#define HS_CHAIN_MAX ((HS_CHAIN_CAS + 1) * HS_CHAIN_CA)

/*
 * hs_chain_write - after a client's chain was verified; else there is nothing
 * @left: seconds from @now; shortened to the end of the one in it that ends first
 * Returns bytes.
 */
size_t hs_chain_write(SSL *ssl, int64_t now, int64_t *left,
		      uint8_t out[static HS_CHAIN_MAX]);

/*
 * hs_chain_standing - the worst that the lists say of those that were written
 * Anything else is _UNKNOWN.
 */
enum hs_standing hs_chain_standing(STACK_OF(X509_CRL) *crls,
				   const uint8_t *chain, size_t len,
				   int64_t now);

#endif
