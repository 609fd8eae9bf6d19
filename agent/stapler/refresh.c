/* SPDX-License-Identifier: MIT */
#include "refresh.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/ring.h"

/* What the tree is searched by. */
struct name {
	const char *text;
	size_t len;
};

/*
 * struct refresh_host - its places and who waits for them
 * @ready: in the list of hosts that have both somebody waiting and a place
 */
struct refresh_host {
	struct name name;
	struct refresh_job *first, *last;
	struct refresh_host *next_ready;
	unsigned int running;
	bool ready;
	char text[];
};

/* "http://host:port", as far as the path. */
static struct name name_of(const char *url)
{
	const char *authority = strstr(url, "://");

	authority = authority ? authority + 3 : url;
	return (struct name){
		url, (size_t)(authority - url) + strcspn(authority, "/?#")
	};
}

static int compare(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return strncasecmp(x->text, y->text, x->len);
}

static struct refresh_host *find(struct refresh *r, const char *url)
{
	struct name name = name_of(url);

	return *(struct refresh_host **)tfind(&name, &r->hosts, compare);
}

int refresh_add_url(struct refresh *r, const char *url)
{
	struct name name = name_of(url);
	struct refresh_host *host;

	if (tfind(&name, &r->hosts, compare))
		return 0;
	host = calloc(1, sizeof(*host) + name.len + 1);
	if (!host)
		return -ENOMEM;
	memcpy(host->text, name.text, name.len);
	host->name = (struct name){ host->text, name.len };
	if (tsearch(host, &r->hosts, compare))
		return 0;
	free(host);
	return -ENOMEM;
}

void refresh_init(struct refresh *r, unsigned int total, unsigned int per_host,
		  void (*start)(struct refresh *r, struct refresh_job *job))
{
	*r = (struct refresh){
		.total = total,
		.per_host = per_host,
		.start = start,
	};
}

void refresh_fini(struct refresh *r)
{
	tdestroy(r->hosts, free);
	timers_fini(&r->due);
	*r = (struct refresh){ 0 };
}

int refresh_add(struct refresh *r)
{
	int err = timers_reserve(&r->due, r->jobs + 1);

	if (!err)
		r->jobs++;
	return err;
}

void refresh_at(struct refresh *r, struct refresh_job *job, uint64_t at_ms)
{
	timer_set(&r->due, &job->due, at_ms);
}

void refresh_by(struct refresh *r, struct refresh_job *job, uint64_t at_ms)
{
	if (!job->due.place || job->due.at_ms > at_ms)
		refresh_at(r, job, at_ms);
}

static void get_ready(struct refresh *r, struct refresh_host *host)
{
	if (host->ready || !host->first || host->running >= r->per_host)
		return;
	host->ready = true;
	host->next_ready = NULL;
	if (r->ready)
		r->last_ready->next_ready = host;
	else
		r->ready = host;
	r->last_ready = host;
}

static void wait_for_place(struct refresh *r, struct refresh_job *job)
{
	struct refresh_host *host = find(r, job->url);

	job->state = REFRESH_WAITING;
	job->host = host;
	job->next = NULL;
	if (host->first)
		host->last->next = job;
	else
		host->first = job;
	host->last = job;
	get_ready(r, host);
}

static void start_next(struct refresh *r)
{
	struct refresh_host *host = r->ready;
	struct refresh_job *job = host->first;

	r->ready = host->next_ready;
	host->ready = false;
	host->first = job->next;
	host->running++;
	r->running++;
	job->state = REFRESH_RUNNING;
	/* Behind the other hosts: they take turns. */
	get_ready(r, host);
	r->start(r, job);
}

static void leave(struct refresh *r, struct refresh_job *job)
{
	struct refresh_host *host = job->host;

	host->running--;
	r->running--;
	job->state = REFRESH_IDLE;
	job->host = NULL;
	get_ready(r, host);
}

void refresh_again(struct refresh *r, struct refresh_job *job)
{
	leave(r, job);
	wait_for_place(r, job);
}

void refresh_end(struct refresh *r, struct refresh_job *job)
{
	leave(r, job);
}

uint64_t refresh_run(struct refresh *r, uint64_t now_ms)
{
	struct timer *t;

	while ((t = timers_due(&r->due, now_ms)))
		wait_for_place(r, container_of(t, struct refresh_job, due));
	while (r->ready && r->running < r->total)
		start_next(r);
	return timers_next(&r->due);
}
