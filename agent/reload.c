/* SPDX-License-Identifier: MIT */
#include "reload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "handshake/info.h"
#include "log.h"
#include "loop.h"
#include "notify.h"
#include "version.h"

void reload_init(struct reload *r, const char *file,
		 struct generation_host *host)
{
	*r = (struct reload){ .file = file, .host = host };
}

static void free_all(struct generation **list)
{
	struct generation *g;

	while ((g = *list)) {
		*list = g->next;
		generation_free(g);
	}
}

void reload_fini(struct reload *r)
{
	free_all(&r->draining);
	free_all(&r->serving);
	free_all(&r->next);
}

struct generation *reload_current(const struct reload *r)
{
	return r->serving ? r->serving : r->next;
}

static void drain(struct reload *r, struct generation *g)
{
	g->next = r->draining;
	r->draining = g;
}

static void free_ended(struct reload *r)
{
	struct generation **p = &r->draining, *g;

	while ((g = *p)) {
		if (generation_running(g)) {
			p = &g->next;
			continue;
		}
		*p = g->next;
		log_debug("event=generation_ended generation=%u", g->number);
		generation_free(g);
	}
}

/* A worker that is stopped accepts nothing either, so it is not waited for. */
#define LEAVE_MS 1000

/* --- an attempt ---------------------------------------------------------- */

/* What a client of control hears, instead of @text when that cannot be had. */
static void answer(struct reload *r, const char *head, const char *text)
{
	char *all;

	if (asprintf(&all, "%s%s", head, text ? text : "") < 0)
		all = NULL;
	control_answer(r->host->control, r->attempts, all ? all : head);
	free(all);
}

static void finish(struct reload *r, bool failed)
{
	watcher_done(r->host->watcher, failed, loop_now_ms());
	log_copy(NULL);
	if (r->said)
		fclose(r->said);
	r->said = NULL;
	r->failed = failed;
	r->last = (int64_t)time(NULL);
}

static void forget_text(struct reload *r)
{
	free(r->text);
	r->text = NULL;
}

static void fail(struct reload *r)
{
	char head[128];

	finish(r, true);
	notify_ready();
	log_error("event=reload_failed generation=%u error=\"the "
		  "configuration cannot be had, and the old one serves on\"",
		  r->serving->number);
	snprintf(head, sizeof(head), "error: generation=%u serves on\n",
		 r->serving->number);
	answer(r, head, r->text);
	forget_text(r);
}

static void succeed(struct reload *r)
{
	const struct generation *g = r->serving;
	char head[128];

	notify_ready();
	snprintf(head, sizeof(head), "ok generation=%u workers=%u\n",
		 g->number, g->config->workers);
	answer(r, head, NULL);
}

/* Each line is an event of its own, and stays a line in the answer. */
static void log_lines(const char *text)
{
	char line[512];
	size_t len, i;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		for (i = 0; line[i]; i++)
			if (line[i] == '"')
				line[i] = '\'';
		log_error("event=config_refused error=\"%s\"", line);
	}
}

static struct generation *build(struct reload *r)
{
	struct config *config = config_load(r->file, r->said ? r->said :
					    stderr);
	struct generation *g;

	if (!config && r->said && !fflush(r->said))
		log_lines(r->text);
	if (!config)
		return NULL;
	log_copy(r->said);
	watcher_use(r->host->watcher, config);
	g = generation_new(config, r->host->tickets, r->serving);
	if (!g || !generation_open(g, r->host, r->number + 1, r->serving))
		return g;
	generation_stop(g, r->serving);
	generation_free(g);
	return NULL;
}

static void begin(struct reload *r)
{
	r->wanted = false;
	r->attempts++;
	r->begun_ms = loop_now_ms();
	notify_reloading();
	r->said = open_memstream(&r->text, &r->text_len);
	r->next = build(r);
	if (!r->next) {
		fail(r);
		return;
	}
	r->number = r->next->number;
}

static void give_up(struct reload *r)
{
	generation_stop(r->next, r->serving);
	drain(r, r->next);
	r->next = NULL;
	if (r->serving)
		fail(r);
}

static void log_ready(const struct generation *g)
{
	log_info("event=ready pid=%d workers=%u slots=%u ktls=%s",
		 (int)getpid(), g->config->workers, g->slots,
		 g->support.pairs ? "yes" : "no");
}

static void take_over(struct reload *r)
{
	struct generation *previous = r->serving, *g;

	r->serving = r->next;
	r->next = NULL;
	if (!previous) {
		log_ready(r->serving);
		return;
	}
	drain(r, previous);
	for (g = r->draining; g; g = g->next)
		generation_forget(g, r->serving);
	reload_tickets(r);
	finish(r, false);
	forget_text(r);
	log_info("event=reloaded generation=%u workers=%u ms=%" PRIu64,
		 r->serving->number, r->serving->config->workers,
		 loop_now_ms() - r->begun_ms);
	r->leaving = previous;
	r->leave_by_ms = loop_now_ms() + LEAVE_MS;
}

/* Returns a negative number when nothing serves, nor will. */
static int advance(struct reload *r, uint64_t now)
{
	int ret = generation_ready(r->next, now);

	if (!ret)
		return 0;
	if (ret > 0)
		ret = generation_take_over(r->next, r->serving);
	if (!ret) {
		take_over(r);
		return 0;
	}
	give_up(r);
	return r->serving ? 0 : ret;
}

/* Whoever was told that it serves is not to meet the old one. */
static void see_off(struct reload *r, uint64_t now)
{
	if (!workers_left(r->leaving->workers) && now < r->leave_by_ms)
		return;
	r->leaving = NULL;
	succeed(r);
}

int reload_first(struct reload *r, struct generation *first)
{
	r->next = first;
	r->number = 1;
	return generation_open(first, r->host, r->number, NULL);
}

uint64_t reload_want(struct reload *r)
{
	r->wanted = true;
	return r->attempts + 1;
}

/* --- all of them ------------------------------------------------------------ */

static bool is_busy(const struct reload *r)
{
	return r->next || r->leaving || r->held || r->stopping;
}

bool reload_settled(const struct reload *r)
{
	const struct generation *g;

	if (!r->stopping)
		return !r->next && !r->leaving;
	for (g = r->draining; g; g = g->next)
		if (g->workers && !workers_left(g->workers))
			return false;
	return true;
}

void reload_hold(struct reload *r, bool hold)
{
	r->held = hold;
}

int reload_tick(struct reload *r, uint64_t now, uint64_t *next_ms)
{
	struct generation *g;
	int err = 0;

	if (r->wanted && !is_busy(r))
		begin(r);
	if (r->next)
		err = advance(r, now);
	if (r->leaving)
		see_off(r, now);
	free_ended(r);
	*next_ms = r->wanted && !is_busy(r) ? now : UINT64_MAX;
	if (r->leaving)
		*next_ms = clock_earlier(*next_ms, r->leave_by_ms);
	if (r->next && r->next->started)
		*next_ms = clock_earlier(*next_ms, r->next->ready_by_ms);
	if (r->next)
		*next_ms = clock_earlier(*next_ms, generation_tick(r->next, now));
	if (r->serving)
		*next_ms = clock_earlier(*next_ms, generation_tick(r->serving, now));
	for (g = r->draining; g; g = g->next)
		*next_ms = clock_earlier(*next_ms, generation_tick(g, now));
	return err;
}

bool reload_ended(struct reload *r, pid_t pid, int status)
{
	struct generation *g;

	if ((r->serving && generation_ended(r->serving, pid, status)) ||
	    (r->next && generation_ended(r->next, pid, status)))
		return true;
	for (g = r->draining; g; g = g->next)
		if (generation_ended(g, pid, status))
			return true;
	return false;
}

void reload_stop(struct reload *r)
{
	struct generation *g;

	r->stopping = true;
	r->leaving = NULL;
	if (r->next) {
		generation_stop(r->next, r->serving);
		drain(r, r->next);
		r->next = NULL;
		finish(r, true);
		forget_text(r);
	}
	if (r->serving) {
		generation_stop(r->serving, NULL);
		drain(r, r->serving);
		r->serving = NULL;
	}
	for (g = r->draining; g; g = g->next)
		generation_forget(g, NULL);
}

bool reload_running(const struct reload *r)
{
	return r->serving || r->next || r->draining;
}

void reload_tell(const struct reload *r, const struct route *route,
		 enum channel_type type, uint64_t queue, int fd)
{
	const struct generation *g;

	if (r->serving)
		generation_tell(r->serving, route, type, queue, fd);
	if (r->next)
		generation_tell(r->next, route, type, queue, fd);
	for (g = r->draining; g; g = g->next)
		generation_tell(g, route, type, queue, fd);
}

static void say_tickets(const struct generation *g)
{
	if (g && g->workers)
		workers_tickets(g->workers);
}

void reload_tickets(const struct reload *r)
{
	const struct generation *g;

	say_tickets(r->serving);
	say_tickets(r->next);
	for (g = r->draining; g; g = g->next)
		say_tickets(g);
}

static void print_gauge(const char *name, int64_t value, FILE *out)
{
	fprintf(out, "# TYPE ktlsd_%s gauge\nktlsd_%s %" PRId64 "\n", name,
		name, value);
}

/* As exporters have it: what there is to know is in the labels. */
static void print_version(FILE *out)
{
	fprintf(out, "# TYPE ktlsd_build_info gauge\n"
		"ktlsd_build_info{version=\"%s\",openssl=\"%s\"} 1\n",
		KTLSD_VERSION, hs_openssl());
}

void reload_print_metrics(const struct reload *r, FILE *out)
{
	const struct generation *g;
	unsigned int n = 0;

	for (g = r->draining; g; g = g->next)
		n += workers_count(g->workers);
	print_version(out);
	print_gauge("generation", r->serving ? r->serving->number : 0, out);
	print_gauge("workers", r->serving ?
		    workers_count(r->serving->workers) : 0, out);
	print_gauge("workers_draining", n, out);
	print_gauge("last_reload_timestamp_seconds", r->last, out);
	print_gauge("last_reload_failed", r->failed, out);
}
