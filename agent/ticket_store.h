/* SPDX-License-Identifier: MIT */
/* Ticket keys of our own on disk, for the next ktlsd. */
#ifndef AGENT_TICKET_STORE_H
#define AGENT_TICKET_STORE_H

#include <stdint.h>

#include "handshake/tickets.h"

/* The file's name in the folder that state_dir_tickets() opens. */
#define TICKET_STORE_FILE "keys"

/* @rotate_at: when the next key becomes the current one, s since the Epoch */
struct ticket_store {
	int64_t rotate_at;
	struct hs_ticket_keys keys;
};

/*
 * ticket_store_read - what is stored, which the caller wipes
 * @dir:   the folder's descriptor
 * @error: gets a sentence with -EINVAL
 * Returns 0, -ENOENT, -EINVAL (damaged, somebody else's, or others could have
 * read it), or another -errno.
 */
int ticket_store_read(int dir, struct ticket_store *stored,
		      const char **error);

/*
 * ticket_store_write - replace it; whole at any moment, as after a power failure
 * Returns 0 or -errno, as ocsp_files_write().
 */
int ticket_store_write(int dir, const struct ticket_store *stored);

#endif
