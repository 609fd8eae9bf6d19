/* SPDX-License-Identifier: MIT */
/*
 * Inside of handshake/: X25519 (RFC 7748) for our provider. It is the default
 * provider's, but for one thing: libsodium computes the public half of a new key,
 * in half the time.
 */
#ifndef HANDSHAKE_X25519_H
#define HANDSHAKE_X25519_H

#include <stdbool.h>

#include <openssl/core.h>
#include <openssl/provider.h>

/*
 * hs_x25519_load - take over what the default provider has
 * @properties: of our algorithms (property(7)); borrowed for good
 * To be called once. Returns the context that the functions in the tables are to
 * be called with, or NULL, and the tables are empty: there is no default provider
 * in use, or it has no X25519.
 */
void *hs_x25519_load(const char *properties);

/* What a provider answers when it is asked for OSSL_OP_KEYMGMT, OSSL_OP_KEYEXCH. */
extern OSSL_ALGORITHM hs_x25519_keymgmt[2], hs_x25519_keyexch[2];

/*
 * hs_x25519_capabilities - a provider's OSSL_FUNC_provider_get_capabilities: libssl
 * takes a group from the provider alone that has its keys
 */
int hs_x25519_capabilities(void *context, const char *capability,
			   OSSL_CALLBACK *callback, void *arg);

#endif
