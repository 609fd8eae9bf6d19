/* SPDX-License-Identifier: MIT */
/*
 * master: holds what outlives a worker (listeners, certificates, queues), and
 * supervises. It reads from no client's socket, and has no ring.
 */
#ifndef AGENT_MASTER_H
#define AGENT_MASTER_H

#include "certs.h"
#include "config.h"
#include "ktls/install.h"

/*
 * master_run - serve until told to stop by SIGTERM or SIGINT
 * @certs:   as loaded; borrowed
 * @support: what the kernel can; pairs 0: every connection is relayed
 * Logs what goes wrong. Returns the process's exit status; never returns
 * twice, although it forks: workers end in it.
 */
int master_run(const struct config *config, struct certs *certs,
	       const struct ktls_support *support);

#endif
