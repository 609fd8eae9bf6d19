/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL alone: handshakes between two ends in one process, on memory BIOs.
 * What no server that uses it can do without.
 */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stdint.h>

#include "scratch.h"
#include "talk.h"

/*
 * struct memory_outcome
 * @server_ns: CPU time of the server's calls, all together, less what it takes
 *             to look at the clock
 * @flights:   of the last handshake
 */
struct memory_outcome {
	uint64_t server_ns;
	unsigned int done, tickets;
	struct flights flights;
};

/*
 * memory_run - @count handshakes, after some that are not counted
 * @plan: of the client; .resume as well. die() when one fails
 */
void memory_run(const struct talk_plan *plan, enum bench_key key,
		unsigned int count, struct memory_outcome *out);

/*
 * struct memory_lap - one handshake, of both ends together: how long it is until
 * one of them has done its part, from before there is a connection
 * @taken_ns:  the server, with its last flight out, tickets and all
 * @shaken_ns: the client
 */
struct memory_lap {
	uint64_t taken_ns, shaken_ns;
};

/*
 * memory_laps - as memory_run(), one at a time, with a pause before each
 * @laps: gets @count
 */
void memory_laps(const struct talk_plan *plan, enum bench_key key,
		 unsigned int count, unsigned int pause_ms,
		 struct memory_lap *laps);

#endif
