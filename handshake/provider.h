/* SPDX-License-Identifier: MIT */
/*
 * Inside of handshake/: a provider (provider(7)) of what libcrypto spends more of
 * a handshake on than it must: the key schedules, HMAC, and new keys of X25519.
 */
#ifndef HANDSHAKE_PROVIDER_H
#define HANDSHAKE_PROVIDER_H

#include <stdbool.h>

/*
 * The property (property(7)) of what is fetched from it, and the wish for it, so
 * that whatever it lacks comes from where the system's openssl.cnf says. Short,
 * because that is hashed and compared some sixty times a handshake; with a dot, as
 * libcrypto wants it from those who are not itself.
 */
#define HS_PROPERTY "k.tls"
#define HS_PROPERTIES "?" HS_PROPERTY

/*
 * hs_provider_load - make it known to this process, at the first call
 * Returns whether the key schedules are its own from now on with HS_PROPERTIES.
 * They are not where openssl.cnf demands others, like those of a FIPS module.
 */
bool hs_provider_load(void);

#endif
