/* SPDX-License-Identifier: MIT */
/* Which CPUs servers have, and which clients: apart, where there are two. */
#ifndef BENCH_CPUS_H
#define BENCH_CPUS_H

#include <sched.h>
#include <stdbool.h>

/*
 * struct cpus - of the affinity mask that the program was started with
 * @server: one CPU, for all that is behind the port that is measured
 * @client: all others; the same one when there is no other
 * @apart:  there is
 */
struct cpus {
	cpu_set_t server, client;
	bool apart;
};

/* cpus_split - the first one of @all is the server's; at least one is set */
struct cpus cpus_split(const cpu_set_t *all);
/* The same of this process's mask. */
struct cpus cpus_here(void);

#endif
