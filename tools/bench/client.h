/* SPDX-License-Identifier: MIT */
/* One process of the load generator. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "talk.h"

/*
 * struct client_part - what one process found; in memory that is shared
 * @begin_ns, @end_ns: CLOCK_MONOTONIC
 * @cpu_ns, @wait_ns:  in between: on a CPU; ready to run, without one
 * @since_ns: when the connection that began last did, just before connect(2)
 * @latency_ns: @done of them, from then until the task was done
 */
struct client_part {
	unsigned int done, failed, resumed, tickets;
	uint64_t begin_ns, end_ns, since_ns, cpu_ns, wait_ns;
	char error[200];
	uint64_t latency_ns[];
};

/*
 * struct client_task - connections, and what each does behind its handshake
 * @count, @parallel: in all, and at a time
 * @hold:     stay open, beside those before; see client_dropped()
 * @request:  an HTTP request, sent then; NULL: none
 * @upload:   bytes behind it, @record of them in each TLS record
 * @download: bytes of the answer's body
 * @gate:     called when all of the first @parallel have shaken hands; they ask
 *            when it returns. Times begin then. NULL: each asks at once
 * Else, and then, it ends its direction, and is over when the server has ended
 * the other one: so all that the server does is in what is measured.
 */
struct client_task {
	unsigned int count, parallel;
	bool hold;
	const char *request;
	uint64_t upload, download;
	unsigned int record;
	void (*gate)(void *arg);
	void *gate_arg;
};

struct client;
struct client *client_new(const struct talk_plan *plan, uint16_t port);
void client_free(struct client *c);

/*
 * client_run - do it, and tell what came of it
 * @part: is filled anew, and has room for @task->count latencies
 */
void client_run(struct client *c, const struct client_task *task,
		struct client_part *part);

/* How many of those that were held have been ended by the server, in all. */
unsigned int client_dropped(struct client *c);

#endif
