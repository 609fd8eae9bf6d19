/* SPDX-License-Identifier: MIT */
/*
 * Certificates and their staples, from the files that the configuration names
 * to one context per listener.
 */
#ifndef AGENT_CERTS_H
#define AGENT_CERTS_H

#include "config.h"
#include "handshake/ctx.h"

/*
 * certs_load - a context for every listener
 * @pairs: versions and ciphers to offer, see struct hs_config
 * Logs what is wrong, one line per finding, each with its file. A staple that
 * is past its nextUpdate is left out with a warning, as it would be were
 * ktlsd already running; one that was never right is an error.
 * Returns an array of config->n_listeners, for certs_free(), or NULL.
 */
struct hs_ctx **certs_load(const struct config *config, unsigned int pairs);
void certs_free(struct hs_ctx **contexts, size_t n);

#endif
