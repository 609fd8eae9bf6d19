/* SPDX-License-Identifier: MIT */
/*
 * What two masters say to each other while one takes the other's place, over a
 * SEQPACKET socketpair:
 *
 *   new: HELLO                     it has read its configuration whole
 *   old: STATE FDS...              or REFUSED; it does not listen any more to
 *                                  consumers and to control, its workers go on
 *   new: SERVES                    or its end; the old one goes, or goes on
 */
#ifndef AGENT_UPGRADE_MSG_H
#define AGENT_UPGRADE_MSG_H

#include <stdint.h>

#include "ktls/descriptors.h"
#include "upgrade_state.h"

enum upgrade_msg_type {
	UPGRADE_HELLO = 1,	/* number: how long it may wait for staples, ms */
	UPGRADE_REFUSED,	/* text: why */
	UPGRADE_STATE,		/* with a file of records; number: of all their
				 * descriptors */
	UPGRADE_FDS,		/* with the next of them */
	UPGRADE_SERVES,		/* number: of struct upgrade_taken behind it */
	UPGRADE_FAILED,		/* text: why it will not serve */
};

/* struct upgrade_msg - of every version at least @magic and @version are so */
struct upgrade_msg {
	char magic[8];
	uint32_t version, type, number;
	char text[204];
};

/* struct upgrade_taken - a socket that the new one goes on with */
struct upgrade_taken {
	uint32_t type, number;	/* as its record */
};

/* The most of them that fit. */
#define UPGRADE_TAKEN_MAX 4096

/* struct upgrade_in - what was heard */
struct upgrade_in {
	struct upgrade_msg msg;
	struct upgrade_taken taken[UPGRADE_TAKEN_MAX];
};

/*
 * upgrade_say - a message of ours
 * @type, @number: its own
 * @text:          or NULL
 * @fds:           as many as go along, at most KTLS_FDS_MAX; borrowed
 * Never waits. Returns 0 or -errno of sendmsg(2).
 */
int upgrade_say(int sock, enum upgrade_msg_type type, uint32_t number,
		const char *text, const int *fds, size_t n_fds);
/* upgrade_say_serves - likewise */
int upgrade_say_serves(int sock, const struct upgrade_taken *taken, uint32_t n);

/*
 * upgrade_hear - the next one, never waits
 * @fds: gets what came along, the caller's, with 1 only
 * Returns 1, 0 at the end, or -errno: -EPROTO: of another version, and
 * in->msg.version is it; -EBADMSG: no message of this protocol.
 */
int upgrade_hear(int sock, struct upgrade_in *in, struct ktls_fds *fds);

#endif
