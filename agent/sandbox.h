/* SPDX-License-Identifier: MIT */
/* What a process that reads strangers' bytes is left able to do. */
#ifndef AGENT_SANDBOX_H
#define AGENT_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

/*
 * sandbox_limits - no core files, @files descriptors at most, no memory without
 * end, and little of it for each thread to come
 * Returns how many descriptors there are, or -errno.
 */
int sandbox_limits(unsigned int files);

/*
 * sandbox_enter - from now on files are made, changed or removed below @dir
 * alone, none is executed, no TCP port bound and nobody else sent a signal; for
 * good, and for threads to come
 * @dir: descriptor of a folder, or -1: nowhere
 * What is open stays usable, and reading is not restricted. By Landlock, as
 * far as the kernel has it. After prctl(PR_SET_NO_NEW_PRIVS).
 * Returns 0, -ENOSYS or -EOPNOTSUPP when there is no Landlock, or another
 * -errno.
 */
int sandbox_enter(int dir);

/*
 * sandbox_connects - from now on no file is opened, made, changed or executed,
 * no TCP port bound, none but @ports connected to, no abstract Unix socket, and
 * nobody else sent a signal
 * As sandbox_enter(). Unix sockets with a path can be connected to.
 */
int sandbox_connects(const uint16_t *ports, size_t n);

#endif
