/* SPDX-License-Identifier: MIT */
#ifndef AGENT_MACHINE_H
#define AGENT_MACHINE_H

#include <stdbool.h>

#include "config/config.h"
#include "ktls/install.h"

/*
 * machine_check - log what of this machine will bite with this configuration
 * @first: at the start, where known faults of the kernel are named, too
 * What forbids to serve at all is found elsewhere: ktls_probe(), process_try(),
 * process_limit().
 */
void machine_check(const struct config *config,
		   const struct ktls_support *support, bool first);

#endif
