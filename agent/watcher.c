/* SPDX-License-Identifier: MIT */
#include "watcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "loop.h"
#include "watch_files.h"

#define QUIET_MS 500
#define QUIET_MAX_MS 5000
#define RETRY_MS 1000
/* How often to look where not all can be watched. */
#define POLL_MS 60000

/*
 * @events:   fd -1: not in the loop, for there is none yet or nothing to watch
 * @look:     as things were when they were last read, or were to be
 * @first_ms: of events that were not looked into; @quiet_ms: when to do so, or
 *            UINT64_MAX
 * @asked:    watcher_tick() has said yes, to a change
 */
struct watcher {
	struct watch events;	/* first */
	int loop;
	struct watch_files files;
	struct watch_folders folders;
	struct watch_look look;
	uint64_t first_ms, quiet_ms, retry_ms, poll_ms;
	bool asked;
	int error;		/* that was logged */
};

static void look_soon(struct watcher *w)
{
	uint64_t now = loop_now_ms();

	if (w->quiet_ms == UINT64_MAX)
		w->first_ms = now;
	w->quiet_ms = clock_earlier(now + QUIET_MS, w->first_ms + QUIET_MAX_MS);
}

static void on_events(struct watch *watch)
{
	struct watcher *w = (struct watcher *)watch;

	if (watch_folders_read(&w->folders))
		look_soon(w);
}

struct watcher *watcher_new(void)
{
	struct watcher *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->events = (struct watch){ -1, on_events };
	w->loop = w->folders.fd = -1;
	w->quiet_ms = w->retry_ms = w->poll_ms = UINT64_MAX;
	return w;
}

void watcher_free(struct watcher *w)
{
	if (!w)
		return;
	watch_look_fini(&w->look);
	watch_files_fini(&w->files);
	watch_folders_fini(&w->folders);
	free(w);
}

static const char *remedy(int error)
{
	if (error == ENOSPC)
		return " remedy=\"sysctl fs.inotify.max_user_watches=1048576\"";
	if (error == EMFILE)
		return " remedy=\"sysctl fs.inotify.max_user_instances=1024\"";
	return "";
}

/* Logged once, until it is another or none. */
static void note_error(struct watcher *w, int error)
{
	if (error && error != w->error)
		log_warn("event=watch_incomplete error=\"%s\" effect=\"changed "
			 "files may be noticed a minute later\"%s",
			 error == ENOSPC ? "there are too many folders for "
			 "inotify(7)" : strerror(error), remedy(error));
	w->error = error;
}

/* Returns false when out of memory, and then all is as it was. */
static bool look(struct watcher *w, struct watch_look *now)
{
	int err = watch_files_look(&w->files, &w->folders, now);

	note_error(w, err ? -err : w->folders.error);
	if (w->folders.added)
		look_soon(w);
	return !err;
}

/* The first time that there is something to watch. */
static void join_loop(struct watcher *w)
{
	if (w->loop < 0 || w->events.fd >= 0 || w->folders.fd < 0)
		return;
	w->events.fd = w->folders.fd;
	if (loop_add(w->loop, &w->events))
		note_error(w, ENOMEM);
}

void watcher_attach(struct watcher *w, int loop)
{
	w->loop = loop;
	join_loop(w);
}

void watcher_use(struct watcher *w, const struct config *config)
{
	struct watch_look now;
	int err;

	/* Its paths may be those of the files that were. */
	watch_look_fini(&w->look);
	err = watch_files_set(&w->files, config);
	if (err)
		note_error(w, -err);
	if (look(w, &now))
		w->look = now;
	join_loop(w);
}

void watcher_done(struct watcher *w, bool failed, uint64_t now_ms)
{
	if (failed && w->asked)
		w->retry_ms = now_ms + RETRY_MS;
	w->asked = false;
}

static bool has_changed(struct watcher *w)
{
	struct watch_look now;
	const char *path;

	if (!look(w, &now))
		return false;
	path = watch_look_change(&w->look, &now);
	if (path)
		log_info("event=files_changed file=\"%s\"", path);
	watch_look_fini(&w->look);
	w->look = now;
	return path;
}

/* It is looked from time to time where not all can be watched. */
static void plan_poll(struct watcher *w, uint64_t now_ms)
{
	if (!w->error)
		w->poll_ms = UINT64_MAX;
	else if (w->poll_ms <= now_ms || w->poll_ms == UINT64_MAX)
		w->poll_ms = now_ms + POLL_MS;
}

bool watcher_tick(struct watcher *w, uint64_t now_ms)
{
	bool retry = now_ms >= w->retry_ms;
	bool due = clock_earlier(w->quiet_ms, w->poll_ms) <= now_ms;
	bool changed;

	if (w->quiet_ms <= now_ms)
		w->quiet_ms = UINT64_MAX;
	changed = due && has_changed(w);
	if (retry || changed)
		w->retry_ms = UINT64_MAX;
	plan_poll(w, now_ms);
	w->asked |= changed;
	return retry || changed;
}

uint64_t watcher_due(const struct watcher *w)
{
	return clock_earlier(clock_earlier(w->quiet_ms, w->retry_ms), w->poll_ms);
}
