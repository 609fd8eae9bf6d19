/* SPDX-License-Identifier: MIT */
/* Whether a file is the same as before, without reading it. */
#ifndef AGENT_FILE_ID_H
#define AGENT_FILE_ID_H

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

/* struct file_id - which file it is, and which content; zeroes: none */
struct file_id {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

static inline struct file_id file_id_of(const struct stat *st)
{
	return (struct file_id){ st->st_dev, st->st_ino, st->st_size,
				 st->st_mtim, st->st_ctim };
}

/* file_id_get - of a file, links followed; of one that is not there: zeroes */
static inline struct file_id file_id_get(const char *path)
{
	struct stat st;

	return stat(path, &st) ? (struct file_id){ 0 } : file_id_of(&st);
}

static inline bool file_id_same(const struct file_id *a,
				const struct file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec &&
	       a->ctime.tv_sec == b->ctime.tv_sec &&
	       a->ctime.tv_nsec == b->ctime.tv_nsec;
}

#endif
