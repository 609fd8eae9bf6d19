/* SPDX-License-Identifier: MIT */
/* The folders below state_dir. */
#ifndef AGENT_STATE_DIR_H
#define AGENT_STATE_DIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"

/* A folder's path, with its NUL. */
#define STATE_DIR_MAX 4096

/*
 * struct state_dir - the folder of OCSP responses; zeroed at first
 * @path:       empty when it cannot be had
 * @error:      why not, as -errno, so that a change is told once
 * @dev, @ino:  which folder it is
 */
struct state_dir {
	char path[STATE_DIR_MAX];
	int error;
	dev_t dev;
	ino_t ino;
};

/*
 * state_dir_ocsp - have the folder, made when it is missing, and put right
 * state_dir 0755 and whoever's it is, state_dir/ocsp 0700 and stapler_user's, and
 * a folder, not a link to one: the stapler is to write nowhere else. To be called
 * again when writing there fails. Logs that it cannot be had, or can be again.
 * Returns whether there is one that is not the one that was there before.
 */
bool state_dir_ocsp(const struct config *config, struct state_dir *dir);

/*
 * state_dir_tickets - open the folder of ticket keys, made when it is missing
 * state_dir/tickets, 0700. Whoever could write there could take any client's
 * place: a link is not followed, and a folder that is not this process's own is
 * left alone. Returns the descriptor (CLOEXEC), -EPERM (somebody else's), -ENOTDIR
 * or -ELOOP (it is no folder, or a link to one), or another -errno.
 */
int state_dir_tickets(const char *state_dir);

#endif
