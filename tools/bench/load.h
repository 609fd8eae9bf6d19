/* SPDX-License-Identifier: MIT */
/*
 * The load generator: processes of their own, on CPUs of their own where there
 * are any, each with a ring (io_uring) and many connections.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "talk.h"

/*
 * struct load - what to do
 * @task:      of all processes together
 * @port:      at 127.0.0.1
 * @processes: that share this out; no more than there are connections at a time
 */
struct load {
	struct talk_plan talk;
	struct client_task task;
	uint16_t port;
	unsigned int processes;
	cpu_set_t cpus;
};

/*
 * struct load_outcome - what came of it
 * @done, @failed, @resumed: connections; their task is done
 * @tickets:   session tickets for each connection, on average
 * @wall_ns:   from the first connection, or request, to the last one's end
 * @cpu_ns:    of all processes
 * @busy:      the part of @wall_ns in which the busiest process ran, or wanted a
 *             CPU and did not get one
 * @latency_ns: of those done, sorted: from connect(2) to the end of the task,
 *             without a request of the handshake; the caller frees it
 * @error:     why the first one failed
 */
struct load_outcome {
	unsigned int done, failed, resumed;
	double tickets, busy;
	uint64_t wall_ns, cpu_ns;
	uint64_t *latency_ns;
	char error[200];
};

/*
 * load_start - start the processes, and wait until all are ready
 * Each has made one connection by then, outside of any count: it warms up, and
 * gets the session to be resumed. die() if that fails, saying it of @name. Those
 * that are to ask for something have their connections, and have shaken hands.
 * @l: stays the caller's until load_finish()
 */
struct load_run;
struct load_run *load_start(const struct load *l, const char *name);
/* load_finish - let them go, and wait until all is over. Frees @run. */
void load_finish(struct load_run *run, struct load_outcome *out);

/*
 * load_hold - connections that stay open, of one process; waits until they are
 * @l: .processes is of no interest, .task.hold is meant; stays the caller's
 */
struct load_hold;
struct load_hold *load_hold(const struct load *l, const char *name);
/* load_hold_more - as many again; does not wait: load_hold_state() does */
void load_hold_more(struct load_hold *hold);

/*
 * struct hold_state - in all
 * @failed: that could not be had; @dropped: of those @opened, by the server
 */
struct hold_state {
	unsigned int opened, failed, dropped;
	char error[200];
};
struct hold_state load_hold_state(struct load_hold *hold);
/* End them all, and wait until the process is gone. */
void load_release(struct load_hold *hold);

/*
 * load_limits - was it the client that could do no more?
 * @client, @server: the parts of the time in which they were busy, see .busy
 */
bool load_limits(double client, double server);

#endif
