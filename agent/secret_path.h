/* SPDX-License-Identifier: MIT */
/*
 * Paths of files with secrets. Who gives the secret itself where its file should
 * be named must not find it in the log: of such a path only what exists is shown.
 */
#ifndef AGENT_SECRET_PATH_H
#define AGENT_SECRET_PATH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * secret_path_missing - is there nothing at @path?
 * @error: gets a sentence then, which can be shown; what else is wrong with the
 *         file whoever opens it says, and may name it
 */
bool secret_path_missing(const char *path, char *error, size_t error_len);

#endif
