/* SPDX-License-Identifier: MIT */
/* Which processes have a socket open, by its inode number and /proc. */
#ifndef TOOLS_PROBE_OWNERS_H
#define TOOLS_PROBE_OWNERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* struct owner - @name: escaped */
struct owner {
	uint32_t inode;
	pid_t pid;
	char name[64];
};

/* struct owners - by inode, then process; all zeros: none */
struct owners {
	struct owner *all;
	size_t n, room;
};

/*
 * owners_read - replace them by those of today
 * @inodes: of the sockets that matter, ascending
 * Processes that may not be looked into are left out: of other users, without
 * CAP_SYS_PTRACE. Returns 0, or -errno: no /proc, no memory.
 */
int owners_read(struct owners *o, const uint32_t *inodes, size_t n);
void owners_free(struct owners *o);

/* owners_find - the first of a socket's, of *@n; NULL: it has none */
const struct owner *owners_find(const struct owners *o, uint32_t inode,
				size_t *n);

#endif
