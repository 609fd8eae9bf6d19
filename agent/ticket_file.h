/* SPDX-License-Identifier: MIT */
/*
 * Ticket keys that somebody else makes, so that many machines have the same: a
 * file of lines, each the 80 bytes of a key in base64, as HAProxy has it.
 */
#ifndef AGENT_TICKET_FILE_H
#define AGENT_TICKET_FILE_H

#include <stdbool.h>

#include "config/config.h"
#include "handshake/tickets.h"

/*
 * ticket_file_read - the last three keys of the file
 * @keys: gets them; the caller wipes it in any case
 * Empty lines are skipped. Logs what is wrong, with its line. Returns whether
 * there are keys.
 */
bool ticket_file_read(const struct config_file *file,
		      struct hs_ticket_keys *keys);

/* ticket_file_warn - log that others than its owner can access the file */
void ticket_file_warn(const char *path);

#endif
