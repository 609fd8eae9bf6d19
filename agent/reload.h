/* SPDX-License-Identifier: MIT */
/*
 * Which generation serves, which one is being made ready, and which ones still
 * end: all changes of the configuration.
 */
#ifndef AGENT_RELOAD_H
#define AGENT_RELOAD_H

#include "generation.h"

/*
 * struct reload
 * @host:     outlives it
 * @serving:  NULL before the first one is ready
 * @next:     being made ready, or NULL
 * @draining: stopped, with processes that finish what they began
 * @leaving:  of these the one that served last, while its workers may still
 *            accept, and at most until @leave_by_ms
 * @attempts: that were begun, the first start aside
 * @last:     when the last one ended, in seconds since the epoch; 0: none did
 */
struct reload {
	const char *file;
	struct generation_host *host;
	struct generation *serving, *next, *draining, *leaving;
	uint64_t leave_by_ms;
	unsigned int number;
	bool wanted, held, stopping;
	uint64_t attempts, begun_ms;
	FILE *said;			/* what is wrong, while there is @next */
	char *text;
	size_t text_len;
	bool failed;
	int64_t last;
};

/*
 * reload_init - @file: is read at each reload; borrowed, like @host
 */
void reload_init(struct reload *r, const char *file,
		 struct generation_host *host);
void reload_fini(struct reload *r);

/*
 * reload_first - the generation to begin with, taken
 * Returns 0, or a negative number after logging what is wrong.
 */
int reload_first(struct reload *r, struct generation *first);

/*
 * reload_want - read the configuration again, as soon as nothing else is under way
 * Returns the attempt's number, for control_answer(): "ok" and what serves now,
 * and nothing else any more, or "error:" and what is wrong.
 */
uint64_t reload_want(struct reload *r);

/*
 * reload_tick - go on with what is under way
 * @next_ms: gets when to be called again, in loop_now_ms() terms, or UINT64_MAX
 * Returns 0, or a negative number when not even the first generation is to be
 * had.
 */
int reload_tick(struct reload *r, uint64_t now_ms, uint64_t *next_ms);

/*
 * reload_settled - is nothing under way? Once stopped: does no worker accept any
 * more?
 */
bool reload_settled(const struct reload *r);
/* reload_hold - begin nothing from now on; or do, what was wanted meanwhile */
void reload_hold(struct reload *r, bool hold);

/* reload_ended - was waited for. Returns false when @pid is no generation's. */
bool reload_ended(struct reload *r, pid_t pid, int status);

/* reload_stop - end all of them; nothing is begun any more */
void reload_stop(struct reload *r);
/* reload_running - is there any generation left? */
bool reload_running(const struct reload *r);

/* reload_current - the one that serves, or at first the one that is to */
struct generation *reload_current(const struct reload *r);

/* reload_tell - as generation_tell(), to all */
void reload_tell(const struct reload *r, const struct route *route,
		 enum channel_type type, uint64_t queue, int fd);

/* reload_tickets - the keys have changed */
void reload_tickets(const struct reload *r);

void reload_print_metrics(const struct reload *r, FILE *out);

#endif
