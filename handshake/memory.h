/* SPDX-License-Identifier: MIT */
/* The memory that libcrypto and libssl give back. */
#ifndef HANDSHAKE_MEMORY_H
#define HANDSHAKE_MEMORY_H

#include <stdbool.h>

/*
 * hs_memory_wipe - from now on it is wiped, in the whole process
 * libssl leaves a connection's traffic secrets in what it frees, and the sessions
 * that become tickets or are read from them: one would find those of as many
 * connections as there ever were at a time. Before anything else is asked of
 * either library. Returns false, with all as it was, when that is too late.
 */
bool hs_memory_wipe(void);

#endif
