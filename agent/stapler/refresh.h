/* SPDX-License-Identifier: MIT */
/*
 * When fetches begin, and how many at a time: a job is idle until it is due,
 * waits for a place at its responder's host, runs, and is idle again. What a
 * fetch is, and what follows from it, is the owner's business.
 */
#ifndef AGENT_REFRESH_H
#define AGENT_REFRESH_H

#include <stdbool.h>

#include "timers.h"

enum refresh_state { REFRESH_IDLE, REFRESH_WAITING, REFRESH_RUNNING };

struct refresh_host;

/*
 * struct refresh_job - zeroed at first; lives until it is idle and unset, or
 * refresh_fini()
 * @url: to ask when it runs; the owner's, set before it is due
 */
struct refresh_job {
	struct timer due;
	enum refresh_state state;
	const char *url;
	struct refresh_host *host;	/* where it waits or runs */
	struct refresh_job *next;	/* waiting behind it */
};

/*
 * struct refresh
 * @total, @per_host: places; at least 1
 * @start: called with the job in state RUNNING. It may end at once.
 */
struct refresh {
	struct timers due;
	void *hosts;		/* of tsearch(3), by scheme and authority */
	struct refresh_host *ready, *last_ready;
	unsigned int running, total, per_host;
	size_t jobs;
	void (*start)(struct refresh *r, struct refresh_job *job);
};

void refresh_init(struct refresh *r, unsigned int total, unsigned int per_host,
		  void (*start)(struct refresh *r, struct refresh_job *job));
void refresh_fini(struct refresh *r);

/* refresh_add - make room for one job more; 0 or -ENOMEM */
int refresh_add(struct refresh *r);
/* refresh_add_url - know a URL that a job may ever have; 0 or -ENOMEM */
int refresh_add_url(struct refresh *r, const char *url);

/* refresh_at - an idle job is due then; moves one that has a time */
void refresh_at(struct refresh *r, struct refresh_job *job, uint64_t at_ms);
/* refresh_by - the same, unless it is due sooner */
void refresh_by(struct refresh *r, struct refresh_job *job, uint64_t at_ms);

/*
 * refresh_run - let those that are due wait, and start what has a place
 * Hosts take turns, and a host's jobs go in the order in which they became due.
 * Returns when to call again; what ends in between calls for it, too.
 */
uint64_t refresh_run(struct refresh *r, uint64_t now_ms);

/*
 * refresh_again - a running job gives its place up and waits, perhaps at another
 * URL's host
 */
void refresh_again(struct refresh *r, struct refresh_job *job);
/* refresh_end - a running job gives its place up and is idle, without a time */
void refresh_end(struct refresh *r, struct refresh_job *job);

#endif
