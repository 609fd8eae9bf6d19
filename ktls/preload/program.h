/* SPDX-License-Identifier: MIT */
/* Can the library be in a program at all? */
#ifndef PRELOAD_PROGRAM_H
#define PRELOAD_PROGRAM_H

#include <stddef.h>

/*
 * program_find - where execvp(3) finds @name
 * Returns 0, -ENOENT, or -ENAMETOOLONG.
 */
int program_find(const char *name, char *path, size_t len);

/*
 * program_check - would the program at @path load the library, and call it?
 * @why: gets a sentence if not
 * Not those linked statically, set-id ones and those with file capabilities,
 * which ignore LD_PRELOAD, those of another architecture, and Go's, which call
 * the kernel by themselves. Of a script it is its interpreter that counts.
 * Returns 0, -EACCES, or -errno of opening and reading it, without @why.
 */
int program_check(const char *path, char *why, size_t len);

#endif
