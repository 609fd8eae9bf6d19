// SPDX-License-Identifier: MIT
#include "cpus.h"

#include <errno.h>
#include <string.h>

#include "util.h"

struct cpus cpus_split(const cpu_set_t *all)
{
	struct cpus c = {.apart = CPU_COUNT(all) > 1};
	int i = 0;

	CPU_ZERO(&c.server);
	c.client = *all;
	while (i < CPU_SETSIZE - 1 && !CPU_ISSET(i, all))
		i++;
	CPU_SET(i, &c.server);
	if (c.apart)
		CPU_CLR(i, &c.client);
	return c;
}

struct cpus cpus_here(void)
{
	cpu_set_t all;

	if (sched_getaffinity(0, sizeof(all), &all))
		die("sched_getaffinity: %s", strerror(errno));
	return cpus_split(&all);
}
