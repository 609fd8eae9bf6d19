/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: which of the verified clients may come in. */
#ifndef HANDSHAKE_ALLOW_H
#define HANDSHAKE_ALLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handshake/info.h"

/* One entry of struct hs_client_config's allow */
struct hs_allow_entry;

struct hs_allow {
	struct hs_allow_entry *entry;
	size_t n;
};

/* Returns 0 or -ENOMEM; -EINVAL and *@bad: the index of one that is none. */
int hs_allow_init(struct hs_allow *allow, const char *const *entries, size_t n,
		  size_t *bad);
void hs_allow_fini(struct hs_allow *allow);

/* hs_allow_fits - one of the entries does, or there are none */
bool hs_allow_fits(const struct hs_allow *allow, const struct hs_peer *peer);

#endif
