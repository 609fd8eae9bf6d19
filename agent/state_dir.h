/* SPDX-License-Identifier: MIT */
/* The folders below state_dir. */
#ifndef AGENT_STATE_DIR_H
#define AGENT_STATE_DIR_H

#include <stdbool.h>

#include "config.h"

/* A folder's path, with its NUL. */
#define STATE_DIR_MAX 4096

/*
 * state_dir_ocsp - the folder of OCSP responses, made when it is missing
 * state_dir 0755 and whoever's it is, state_dir/ocsp 0700 and stapler_user's, and
 * a folder, not a link to one: the stapler is to write nowhere else.
 * @path: gets it; empty when it cannot be had, which is logged
 */
void state_dir_ocsp(const struct config *config, char path[STATE_DIR_MAX]);

#endif
