// SPDX-License-Identifier: MIT
#include "machine.h"

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "probe/cve.h"
#include "probe/limits.h"

/* What it costs, clients do not see until long after. */
static void check_rekey(const struct config *config,
			const struct ktls_support *support)
{
	size_t i;

	for (i = 0; i < config->n_routes && support->pairs; i++)
		if (config->routes[i].rekey && !support->rekey)
			log_warn("event=rekey_unavailable route=%s "
				 "error=\"this kernel takes no second key\" "
				 "effect=\"a client's KeyUpdate ends its "
				 "connection\" remedy=\"Linux 6.14 or newer\"",
				 config->routes[i].name);
}

/* What is over it is cut without a word. */
static void check_backlog(const struct config *config)
{
	const long limit = probe_backlog();
	size_t i;

	for (i = 0; i < config->n_listeners && limit >= 0; i++)
		if (config->listeners[i].backlog > (unsigned long)limit)
			log_warn("event=backlog_cut bind=%s backlog=%u limit=%ld "
				 "remedy=\"sysctl net.core.somaxconn=%u\"",
				 config->listeners[i].bind,
				 config->listeners[i].backlog, limit,
				 config->listeners[i].backlog);
}

/* The sockets' own: of no matter where everything is relayed. */
static void check_faults(void)
{
	struct probe_fault faults[PROBE_FAULTS_MAX];
	char ids[PROBE_FAULTS_MAX * 20] = "";
	struct probe_kernel kernel;
	unsigned int i, n, fixed = 0;

	probe_kernel(&kernel);
	n = probe_faults(&kernel, faults);
	for (i = 0; i < n; i++) {
		snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s%s",
			 i ? "," : "", faults[i].id);
		if (faults[i].fixed > fixed)
			fixed = faults[i].fixed;
	}
	if (n)
		log_warn("event=kernel_doubtful kernel=%s faults=%s "
			 "error=\"by its version, its TLS may have these faults, "
			 "unless the distribution has repaired them\" "
			 "remedy=\"Linux %u.%u.%u or newer\"",
			 kernel.release, ids, fixed / 1000000,
			 fixed / 1000 % 1000, fixed % 1000);
}

void machine_check(const struct config *config,
		   const struct ktls_support *support, bool first)
{
	check_rekey(config, support);
	check_backlog(config);
	if (first && support->pairs)
		check_faults();
}
