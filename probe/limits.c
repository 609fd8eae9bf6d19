// SPDX-License-Identifier: MIT
#include "probe/limits.h"

#include <errno.h>

#include "probe/kernel.h"

/* Descriptors for everything else: listeners, ring, channel, log. */
#define OTHER_DESCRIPTORS 256

rlim_t probe_descriptors(rlim_t listeners, rlim_t queued, rlim_t slots)
{
	return OTHER_DESCRIPTORS + listeners + queued +
	       slots * PROBE_SLOT_DESCRIPTORS;
}

int probe_raise(int resource, rlim_t want, struct rlimit *limit)
{
	const struct rlimit raised = { want, want };

	if (getrlimit(resource, limit))
		return -errno;
	if (limit->rlim_max < want && !setrlimit(resource, &raised))
		*limit = raised;
	limit->rlim_cur = limit->rlim_max;
	/* No more than fs.nr_open, which may have been lowered since. */
	if (setrlimit(resource, limit) && getrlimit(resource, limit))
		return -errno;
	return 0;
}

long probe_backlog(void)
{
	return probe_number("/proc/sys/net/core/somaxconn", "");
}
