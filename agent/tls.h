/* SPDX-License-Identifier: MIT */
/* What listeners say of TLS, in the terms of handshake/. */
#ifndef AGENT_TLS_H
#define AGENT_TLS_H

#include "config/config.h"
#include "handshake/tls.h"

/*
 * tls_settings - a listener's, checked
 * @pairs: versions and ciphers that there are, see struct hs_config
 * Its strings are @listener's. Returns NULL after logging what cannot be offered
 * with its place in the configuration, else something for free(3).
 */
struct hs_tls *tls_settings(const struct config_listener *listener,
			    unsigned int pairs);

/* tls_told - what consumers of any of the listener's routes are to be told */
unsigned int tls_told(const struct config *config,
		      const struct config_listener *listener);

#endif
