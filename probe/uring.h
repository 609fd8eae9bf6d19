/* SPDX-License-Identifier: MIT */
/* What of io_uring(7) ktlsd uses, and whether it is there. */
#ifndef PROBE_URING_H
#define PROBE_URING_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * struct uring_feature - a flag of io_uring_setup(2), or an operation
 * @setup: the flags to set one up with: it and those it depends on; or 0
 * @op:    IORING_OP_*, where @setup is 0
 */
struct uring_feature {
	const char *name;
	unsigned int setup;
	int op;
};

/* uring_features - all of them, *@n in number */
const struct uring_feature *uring_features(size_t *n);

/* uring_try - is there this one? Returns 0 or -errno. */
int uring_try(const struct uring_feature *feature);

/*
 * uring_open - a ring as each of ktlsd's processes has it, with every feature
 * Returns 0 or -errno, -EOPNOTSUPP: an operation is missing; uring_denied()
 * says what the error means.
 */
int uring_open(struct io_uring *uring);

/*
 * uring_denied - why there is no ring, and what to do
 * @error: from uring_open(), negative
 * One sentence: seccomp, kernel.io_uring_disabled, a limit or the kernel's age; of two
 * causes that cannot be told apart both, of one that is not known none.
 */
const char *uring_denied(int error);

#endif
