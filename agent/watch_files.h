/* SPDX-License-Identifier: MIT */
/*
 * Which files count: those that a configuration names and wants to be watched,
 * and those in folders that it names; and what they were at a time.
 */
#ifndef AGENT_WATCH_FILES_H
#define AGENT_WATCH_FILES_H

#include "cert_files.h"
#include "file_id.h"
#include "watch_folders.h"

/*
 * struct watch_files - begins as zeroes; a copy of what a configuration says
 * @certs: chains and keys, to look into folders again; the rest of it is empty
 * @other: paths
 */
struct watch_files {
	struct config certs;
	struct config_texts other;
};

/*
 * watch_files_set - lists of revoked certificates and ticket keys, and with watch:
 * all that is read for certificates
 * @config: not needed afterwards
 * Returns 0, or -ENOMEM; @files stays what it was.
 */
int watch_files_set(struct watch_files *files, const struct config *config);
void watch_files_fini(struct watch_files *files);

/*
 * struct watch_look - how things are, begins as zeroes
 * @item: in an order that depends on the paths only; theirs are @found's, or
 *        those of struct watch_files
 */
struct watch_look {
	struct cert_files found;
	struct watch_item {
		const char *path;
		struct file_id id;
	} *item;
	size_t n;
};

/*
 * watch_files_look - what they are now
 * @folders: watches from now on what these files depend on; where folders were
 *           added, things may have changed before they were, so look again
 * Returns 0, or -ENOMEM with @look zeroes.
 */
int watch_files_look(const struct watch_files *files,
		     struct watch_folders *folders, struct watch_look *look);
/* watch_look_change - the first path at which they differ; NULL: none */
const char *watch_look_change(const struct watch_look *a,
			      const struct watch_look *b);
void watch_look_fini(struct watch_look *look);

#endif
