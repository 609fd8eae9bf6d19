/* SPDX-License-Identifier: MIT */
/*
 * The new master's side of an upgrade: it gets what the old one has, and says
 * when it serves.
 */
#ifndef AGENT_UPGRADE_JOIN_H
#define AGENT_UPGRADE_JOIN_H

#include "inherit.h"
#include "upgrade_msg.h"

/*
 * struct upgrade_join
 * @sock: to the old master; -1: there is none
 * @fds:  those of all records, of which their owners have taken some
 */
struct upgrade_join {
	int sock;
	int *fds;
	size_t n_fds;
	uint8_t *state;
	size_t len;
};

/*
 * upgrade_join - get all that the old master has, if there is one
 * @wait_ms: how long this one may wait for staples before it serves
 * Once the configuration was read: from then on the old one does not listen to
 * consumers. Waits for it. Returns 0, or -errno after logging what went wrong.
 */
int upgrade_join(struct upgrade_join *j, unsigned int wait_ms);

/* upgrade_join_sockets - those of listeners, routes and control into @set */
int upgrade_join_sockets(const struct upgrade_join *j, struct inherit *set);

/* upgrade_join_reader - for generation_take() */
struct upgrade_reader upgrade_join_reader(const struct upgrade_join *j);

/*
 * upgrade_join_serves - the old one may go
 * @set: what nobody has taken from it is the old one's to end
 */
void upgrade_join_serves(const struct upgrade_join *j,
			 const struct inherit *set);

/* upgrade_join_end - say nothing more. Descriptors stay */
void upgrade_join_end(struct upgrade_join *j);

#endif
