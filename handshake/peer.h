/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: what a client's certificate says. */
#ifndef HANDSHAKE_PEER_H
#define HANDSHAKE_PEER_H

#include <openssl/x509.h>

#include "handshake/info.h"

/* hs_peer_new - copies all of it; NULL when out of memory */
struct hs_peer *hs_peer_new(const X509 *cert);
void hs_peer_free(struct hs_peer *peer);	/* takes NULL */

#endif
