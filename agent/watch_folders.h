/* SPDX-License-Identifier: MIT */
/*
 * Folders in which files may come and go, by inotify(7): those that files are in,
 * and all those by whose links, names and moves another file could come to be at
 * the same path.
 */
#ifndef AGENT_WATCH_FOLDERS_H
#define AGENT_WATCH_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * struct watch_folders - begins as { .fd = -1 }
 * @fd:    to be polled; -1 while there is nothing to watch
 * @error: errno of what could not be watched in the last round; 0: all is
 * @added: folders that were new in the last round
 * @last:  the folder of a file of this round, by its path; NULL: none
 */
struct watch_folders {
	int fd;
	int error;
	size_t added;
	unsigned int round;
	const char *last;
	void *tree;
};

/*
 * A round says all that is to be watched from then on: watch_folders_begin(),
 * then each file and folder, in any order, then watch_folders_end().
 */
void watch_folders_begin(struct watch_folders *f);
/*
 * watch_folders_file - @path need not be there
 * @link: it is a symbolic link
 */
void watch_folders_file(struct watch_folders *f, const char *path, bool link);
/* watch_folders_folder - whatever comes into it */
void watch_folders_folder(struct watch_folders *f, const char *path);
void watch_folders_end(struct watch_folders *f);

/*
 * watch_folders_read - take what has happened
 * Returns whether anything has; what is to be seen by looking.
 */
bool watch_folders_read(struct watch_folders *f);

void watch_folders_fini(struct watch_folders *f);

#endif
