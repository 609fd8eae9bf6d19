/* SPDX-License-Identifier: MIT */
#include "watch_folders.h"

#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* A name in it is, or leads to, something else now. */
#define CONTENT (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | \
		 IN_CLOSE_WRITE | IN_ATTRIB)
/* It is not at its path any more. */
#define SELF (IN_MOVE_SELF | IN_DELETE_SELF)

/* As many as the kernel follows. */
#define MAX_LINKS 40

/*
 * struct folder - a path that was watched
 * @content: what is in it counts; else only that it stays where it is
 * @wd:      -1: it is not watched
 */
struct folder {
	char *path;
	bool content;
	int wd;
	dev_t dev;
	ino_t ino;
	unsigned int round;
};

static int by_path(const void *a, const void *b)
{
	const struct folder *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static void folder_free(void *folder)
{
	struct folder *d = folder;

	free(d->path);
	free(d);
}

/* NULL: out of memory */
static struct folder *find(struct watch_folders *f, const char *path)
{
	struct folder key = { .path = (char *)path }, *made, **found;

	found = tfind(&key, &f->tree, by_path);
	if (found)
		return *found;
	made = calloc(1, sizeof(*made));
	if (made)
		made->path = strdup(path);
	if (made && made->path && tsearch(made, &f->tree, by_path)) {
		made->wd = -1;
		made->round = f->round - 1;
		return made;
	}
	if (made)
		folder_free(made);
	f->error = ENOMEM;
	return NULL;
}

static int open_once(struct watch_folders *f)
{
	if (f->fd < 0)
		f->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	return f->fd < 0 ? -errno : 0;
}

/* What is gone, or hidden from us, is seen by what is above it. */
static void add(struct watch_folders *f, struct folder *d)
{
	uint32_t mask = SELF | IN_ONLYDIR | (d->content ? CONTENT : 0);
	int err = open_once(f);

	if (!err)
		d->wd = inotify_add_watch(f->fd, d->path, mask | IN_MASK_ADD);
	if (!err && d->wd < 0)
		err = -errno;
	if (!err)
		f->added++;
	else if (err != -ENOENT && err != -ENOTDIR &&
		 (d->content || err != -EACCES))
		f->error = -err;
}

static void watch(struct watch_folders *f, struct folder *d,
		  const struct stat *st, bool content)
{
	bool same = d->wd >= 0 && d->dev == st->st_dev && d->ino == st->st_ino;

	if (same && d->content >= content)
		return;
	d->content |= content;
	d->dev = st->st_dev;
	d->ino = st->st_ino;
	add(f, d);
}

/* --- paths -------------------------------------------------------------------- */

/* They may be the same. */
static void parent_of(const char *path, char parent[PATH_MAX])
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n && path[n - 1] != '/')
		n--;
	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n >= PATH_MAX)
		n = 0;
	memmove(parent, n ? path : ".", n ? n : 1);
	parent[n ? n : 1] = '\0';
}

static bool has_parent(const char *path)
{
	return strcmp(path, "/") && strcmp(path, ".");
}

static bool is_above(const char *path)
{
	size_t n = strlen(path);

	return n >= 2 && !strcmp(path + n - 2, "..");
}

/* That it is a folder itself, and not by a link, is known of what is watched. */
static bool is_folder(const struct watch_folders *f, const char *path)
{
	struct folder key = { .path = (char *)path }, **found;

	found = tfind(&key, &f->tree, by_path);
	return found && (*found)->wd >= 0;
}

/* Goes up as far as that is safe; returns how much of @target says no more. */
static size_t climb(const struct watch_folders *f, char folder[PATH_MAX],
		    const char *target)
{
	size_t n = 0;

	while (!strncmp(target + n, "../", 3) && has_parent(folder) &&
	       !is_above(folder) && is_folder(f, folder)) {
		parent_of(folder, folder);
		n += 3;
	}
	return n;
}

/* Where a link leads to, seen from where it is; false: it is none, or too long. */
static bool follow(const struct watch_folders *f, const char *path,
		   char to[PATH_MAX])
{
	char target[PATH_MAX], folder[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	const char *rest;
	int len;

	if (n <= 0)
		return false;
	target[n] = '\0';
	parent_of(path, folder);
	rest = target + climb(f, folder, target);
	len = target[0] == '/' ? snprintf(to, PATH_MAX, "%s", target) :
	      snprintf(to, PATH_MAX, "%s/%s", folder, rest);
	return len < PATH_MAX;
}

/* --- what decides what is at a path ------------------------------------------- */

static void note(struct watch_folders *f, const char *path, bool content,
		 unsigned int links);

/*
 * What is above it: it stays there as long as each of those stays where it is. A
 * link is one of the names in its folder, and so is what is not there yet.
 */
static void note_above(struct watch_folders *f, const char *path,
		       const struct stat *st, bool content, unsigned int links)
{
	char parent[PATH_MAX], to[PATH_MAX];

	if (!has_parent(path))
		return;
	parent_of(path, parent);
	note(f, parent, !st || S_ISLNK(st->st_mode), links);
	if (st && S_ISLNK(st->st_mode) && links < MAX_LINKS &&
	    follow(f, path, to))
		note(f, to, content, links + 1);
}

static void note(struct watch_folders *f, const char *path, bool content,
		 unsigned int links)
{
	struct folder *d = find(f, path);
	struct stat st;
	bool first;

	if (!d)
		return;
	first = d->round != f->round;
	if (!first && d->content >= content)
		return;
	d->round = f->round;
	if (lstat(path, &st)) {
		d->wd = -1;
		d->content |= content;
		note_above(f, path, NULL, content, links);
		return;
	}
	if (S_ISDIR(st.st_mode))
		watch(f, d, &st, content);
	else
		d->content |= content;
	if (first || S_ISLNK(st.st_mode))
		note_above(f, path, &st, content, links);
}

void watch_folders_begin(struct watch_folders *f)
{
	f->round++;
	f->error = 0;
	f->added = 0;
	f->last = NULL;
}

void watch_folders_folder(struct watch_folders *f, const char *path)
{
	note(f, path, true, 0);
}

/* Files come by folder: no need to look for it for each of thousands. */
static bool is_in(const char *path, const char *folder)
{
	size_t n = folder ? strlen(folder) : 0;

	return n && !strncmp(path, folder, n) && path[n] == '/' &&
	       path[n + 1] && !strchr(path + n + 1, '/');
}

static void note_parent(struct watch_folders *f, const char *path)
{
	char parent[PATH_MAX];
	struct folder *d;

	if (is_in(path, f->last))
		return;
	parent_of(path, parent);
	note(f, parent, true, 0);
	d = find(f, parent);
	f->last = d ? d->path : NULL;
}

void watch_folders_file(struct watch_folders *f, const char *path, bool link)
{
	char at[PATH_MAX], to[PATH_MAX];
	unsigned int links;

	note_parent(f, path);
	if (!link || strlen(path) >= PATH_MAX)
		return;
	strcpy(at, path);
	for (links = 0; links < MAX_LINKS; links++) {
		if (!follow(f, at, to))
			break;
		note_parent(f, to);
		strcpy(at, to);
	}
}

/* --- what is to be watched no more -------------------------------------------- */

/*
 * struct leftover - of a tree, after a round
 * @wds: those that are still wanted, sorted
 */
struct leftover {
	unsigned int round;
	struct folder **old;
	int *wds;
	size_t n_old, n_wds;
};

static void count(const void *node, VISIT visit, void *arg)
{
	const struct folder *d = *(struct folder *const *)node;
	struct leftover *l = arg;

	if (visit != postorder && visit != leaf)
		return;
	l->n_old += d->round != l->round;
	l->n_wds += d->round == l->round;
}

static void collect(const void *node, VISIT visit, void *arg)
{
	struct folder *d = *(struct folder *const *)node;
	struct leftover *l = arg;

	if (visit != postorder && visit != leaf)
		return;
	if (d->round != l->round)
		l->old[l->n_old++] = d;
	else
		l->wds[l->n_wds++] = d->wd;
}

static int by_number(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Another path may lead to the same folder. */
static void drop(struct watch_folders *f, const struct leftover *l)
{
	size_t i;

	qsort(l->wds, l->n_wds, sizeof(*l->wds), by_number);
	for (i = 0; i < l->n_old; i++) {
		struct folder *d = l->old[i];

		if (d->wd >= 0 && !bsearch(&d->wd, l->wds, l->n_wds,
					   sizeof(*l->wds), by_number))
			inotify_rm_watch(f->fd, d->wd);
		tdelete(d, &f->tree, by_path);
		folder_free(d);
	}
}

void watch_folders_end(struct watch_folders *f)
{
	struct leftover l = { .round = f->round };

	f->last = NULL;
	twalk_r(f->tree, count, &l);
	if (!l.n_old)
		return;
	l.old = calloc(l.n_old, sizeof(struct folder *));
	l.wds = calloc(l.n_wds + 1, sizeof(*l.wds));
	if (l.old && l.wds) {
		l.n_old = l.n_wds = 0;
		twalk_r(f->tree, collect, &l);
		drop(f, &l);
	}
	free(l.old);
	free(l.wds);
}

/* --- events -------------------------------------------------------------------- */

/* The kernel has forgotten @wd, or with -1 may have forgotten any. */
struct forgotten {
	int wd;
};

static void forget_one(const void *node, VISIT visit, void *arg)
{
	struct folder *d = *(struct folder *const *)node;
	const struct forgotten *w = arg;

	if ((visit == postorder || visit == leaf) &&
	    (w->wd < 0 || d->wd == w->wd))
		d->wd = -1;
}

static void forget(struct watch_folders *f, int wd)
{
	twalk_r(f->tree, forget_one, &(struct forgotten){ wd });
}

bool watch_folders_read(struct watch_folders *f)
{
	char buf[16384] __attribute__((aligned(8)));
	const struct inotify_event *e;
	bool any = false;
	ssize_t n, at;

	while ((n = read(f->fd, buf, sizeof(buf))) > 0) {
		for (at = 0; at < n; at += sizeof(*e) + e->len) {
			e = (const void *)(buf + at);
			if (e->mask & IN_Q_OVERFLOW)
				forget(f, -1);
			if (e->mask & IN_IGNORED)
				forget(f, e->wd);
			else
				any = true;
		}
	}
	return any;
}

void watch_folders_fini(struct watch_folders *f)
{
	tdestroy(f->tree, folder_free);
	if (f->fd >= 0)
		close(f->fd);
	*f = (struct watch_folders){ .fd = -1 };
}
