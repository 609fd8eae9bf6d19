/* SPDX-License-Identifier: MIT */
/* A slot's response on disk, and what is said of it in the log. */
#ifndef AGENT_SLOT_STORE_H
#define AGENT_SLOT_STORE_H

#include "slot.h"

/*
 * slot_store_read - what is stored for it, as it is
 * Empty, with data NULL, when there is nothing; what cannot be read is logged.
 * Valid until the next call.
 */
struct ocsp_bytes slot_store_read(const struct slot *slot,
				  const struct slot_policy *policy);

/* slot_store_refuse - log why what was read is of no use */
void slot_store_refuse(const struct slot *slot,
		       const struct slot_policy *policy, const char *error);

/*
 * slot_store_write - write it, and leave in slot->store_error how that went
 * Logged when that changes: for all slots at once, unless it is this one's file
 * alone that something is in the way of.
 */
void slot_store_write(struct slot *slot, struct slot_policy *policy,
		      struct ocsp_bytes der);

#endif
