/* SPDX-License-Identifier: MIT */
/*
 * How many processes can truly run at once.
 */
#ifndef AGENT_CPUS_H
#define AGENT_CPUS_H

/*
 * cpus_auto - CPUs in the affinity mask, capped by the cgroup's CPU quota
 * The quota is rounded up. Where something cannot be read there is no cap.
 * Returns at least 1.
 */
unsigned int cpus_auto(void);

/*
 * cpus_capped - cap @cpus by the quotas on this process's cgroup and on all
 * that hold it, cgroup v2 (cpu.max) and v1 (cpu.cfs_quota_us)
 * @root: put before /proc and every mount point; "" for the real ones
 * Returns 1 to @cpus.
 */
unsigned int cpus_capped(const char *root, unsigned int cpus);

#endif
