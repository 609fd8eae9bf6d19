/* SPDX-License-Identifier: MIT */
/*
 * What a master leaves to the one that takes its place, as bytes: records, some
 * with descriptors, which travel beside them in the same order. Both ends are
 * on one machine and of one version: integers are in host order.
 */
#ifndef AGENT_UPGRADE_STATE_H
#define AGENT_UPGRADE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ocsp/cert.h"

/* The version of all that two masters say to each other. */
#define UPGRADE_VERSION 1

enum upgrade_type {
	UPGRADE_LISTENER = 1,	/* its socket; data: its address */
	UPGRADE_CONTROL,	/* its socket; data: its path */
	UPGRADE_ROUTE,		/* likewise */
	UPGRADE_QUEUE,		/* of the last route: read end, write end */
	UPGRADE_REGISTRATION,	/* of the last route: its connection */
	UPGRADE_STAPLE,		/* data: the response; none: none is known */
	UPGRADE_PROXY,		/* a proxy's route, no socket; data: its name */
};

/* enum upgrade_flag - of a listener, and of a staple: its certificate's */
enum upgrade_flag {
	UPGRADE_V6ONLY = 1, UPGRADE_FOREIGN = 2, UPGRADE_REVOKED = 4,
};

/* How far a registration has come. */
enum upgrade_stage {
	UPGRADE_SILENT, UPGRADE_WAITS, UPGRADE_LIVE, UPGRADE_STAGES
};

/*
 * struct upgrade_record - the head of one, as it is
 * @number: of a listener or a route, among their like
 * @queue:  of UPGRADE_LIVE: its queue's read end's inode number
 */
struct upgrade_record {
	uint32_t type, flags, number, data_len;
	union {
		struct {
			uint64_t queue;
			uint32_t stage;
			int32_t pid;
			uint32_t uid, gid;
		} registration;
		struct {
			uint8_t fingerprint[OCSP_FINGERPRINT_LEN];
			int64_t this_update, next_update;
		} staple;
	};
};

/* struct upgrade_writer - zeroed, with a stream of the caller's */
struct upgrade_writer {
	FILE *file;
	int *fds;		/* borrowed ones; the array is upgrade_write()'s */
	size_t n_fds;
	int err;		/* -errno: not everything was written */
};

/*
 * upgrade_write - one more record
 * @fds:  as many as its type has, borrowed
 * @data: record->data_len bytes
 */
void upgrade_write(struct upgrade_writer *w,
		   const struct upgrade_record *record, const int *fds,
		   const void *data);

/* upgrade_fds - how many descriptors a record of this type has */
size_t upgrade_fds(uint32_t type);

/* struct upgrade_reader - @n_fds: descriptors that belong to what is left */
struct upgrade_reader {
	const uint8_t *at, *end;
	size_t n_fds;
	bool in_route;
};

/*
 * upgrade_read - the next record
 * @data: gets where its data is
 * A path has no NUL and fits sun_path with one; a queue or a registration comes
 * behind its route. Returns 1, 0 at the end, or -EBADMSG.
 */
int upgrade_read(struct upgrade_reader *r, struct upgrade_record *record,
		 const uint8_t **data);

#endif
