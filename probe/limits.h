/* SPDX-License-Identifier: MIT */
/* Limits of the system that ktlsd meets, and what it needs of them. */
#ifndef PROBE_LIMITS_H
#define PROBE_LIMITS_H

#include <sys/resource.h>

/* Connections that a worker can have at a time, and the fewest that serve. */
#define PROBE_SLOTS_MAX 16384
#define PROBE_SLOTS_MIN 64
/* Slots per listener: one is set aside for its accept, and one for the next. */
#define PROBE_LISTENER_SLOTS 2
/* Descriptors per slot: the client's and both ends of a relay's pair. */
#define PROBE_SLOT_DESCRIPTORS 3
/*
 * What newer kernels count of a ring as uring_open() makes it against
 * RLIMIT_MEMLOCK, with pages of 4 KiB.
 */
#define PROBE_RING_BYTES 53248

/*
 * probe_descriptors - what RLIMIT_NOFILE must be, at least
 * @listeners: how many
 * @queued:    connections that all routes' queues take: they count, too
 * @slots:     connections that a worker has at a time
 */
rlim_t probe_descriptors(rlim_t listeners, rlim_t queued, rlim_t slots);

/*
 * probe_raise - raise a limit of this process, RLIMIT_*, as far as may be
 * To its hard limit, and with the privilege for it to @want, if that is more.
 * Returns 0 with what it is now in *@limit, or -errno.
 */
int probe_raise(int resource, rlim_t want, struct rlimit *limit);

/* probe_backlog - net.core.somaxconn, to which a backlog is cut; or -1 */
long probe_backlog(void);

#endif
