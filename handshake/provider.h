/* SPDX-License-Identifier: MIT */
/*
 * Inside of handshake/: a provider (provider(7)) of what libcrypto spends more of
 * a handshake on than it must: the key schedules, HMAC, and new keys of X25519.
 */
#ifndef HANDSHAKE_PROVIDER_H
#define HANDSHAKE_PROVIDER_H

#include <stdbool.h>

/*
 * Properties (property(7)) of what is fetched from it: a wish, so that whatever
 * it lacks comes from where the system's openssl.cnf says.
 */
#define HS_PROPERTIES "?provider=ktlsd"

/*
 * hs_provider_load - make it known to this process, at the first call
 * Returns whether the key schedules are its own from now on with HS_PROPERTIES.
 * They are not where openssl.cnf demands others, like those of a FIPS module.
 */
bool hs_provider_load(void);

#endif
