/* SPDX-License-Identifier: MIT */
/*
 * The rules for client certificates, from the files that the configuration
 * names: listeners and certificates with the same ones share them.
 */
#ifndef AGENT_CLIENT_RULES_H
#define AGENT_CLIENT_RULES_H

#include "config/config.h"
#include "handshake/client.h"

/*
 * struct client_rules - those that were read, each once; begins as zeroes
 * Holds a reference to each until client_rules_fini().
 */
struct client_rules {
	void *tree;
};

/*
 * client_rules_read - read what @config names, if it was not before
 * @config: stays until client_rules_fini()
 * @mark:   where it is, for the log
 * Returns false after logging why.
 */
bool client_rules_read(struct client_rules *rules,
		       const struct config_client *config,
		       const struct config_mark *mark);
/*
 * client_rules_find - what was read, @rules' own; NULL: nobody is asked for a
 * certificate
 */
struct hs_client *client_rules_find(const struct client_rules *rules,
				    const struct config_client *config);
void client_rules_fini(struct client_rules *rules);

#endif
