/* SPDX-License-Identifier: MIT */
/*
 * The old master's side of an upgrade: it starts the program anew, from the
 * file that it was itself started from, gives it all that it needs to serve, and
 * goes when it does; or it goes on when it does not.
 */
#ifndef AGENT_UPGRADE_H
#define AGENT_UPGRADE_H

#include <stdbool.h>
#include <sys/types.h>

#include "loop.h"
#include "upgrade_msg.h"

/* In the environment: the descriptor of the new master's socket. */
#define UPGRADE_ENV "KTLSD_UPGRADE"

/*
 * struct upgrade_events - what the old master does
 * @give:    hear nobody from now on, and write all that there is
 * @go_on:   after @give: the new one is no more
 * @leave:   after @give: it serves, with what was @taken; stop
 * @answer:  tell control's clients that wait with @ticket
 */
struct upgrade_events {
	void (*give)(void *arg, struct upgrade_writer *w);
	void (*go_on)(void *arg);
	void (*leave)(void *arg, const struct upgrade_taken *taken, size_t n);
	void (*answer)(void *arg, uint64_t ticket, const char *text);
	void *arg;
};

enum upgrade_phase {
	UPGRADE_IDLE,
	UPGRADE_STARTED,	/* it reads its configuration */
	UPGRADE_GIVEN,		/* it gets ready to serve */
	UPGRADE_ENDING,		/* it was killed, and is waited for */
	UPGRADE_LEFT,		/* it serves */
};

/*
 * struct upgrade
 * @watch: first; this end of the socket, -1: there is none
 * @end:   of the new master: its pidfd, -1: there is none, or it has ended
 * @pid:   the new master's
 * @given: it may have what we have, until it has ended
 * @why:   it will not serve, as far as is known
 */
struct upgrade {
	struct watch watch, end;
	int loop;
	struct upgrade_events events;
	char *program;
	char *const *argv;
	enum upgrade_phase phase;
	bool wanted, given;
	const char *refused;	/* why; not answered yet */
	pid_t pid;
	uint64_t due_ms;
	char why[256];
	struct upgrade_in in;
};

/*
 * upgrade_init - @argv: the program's own, ended by NULL; outlives it
 * To be called before the working folder changes: it finds the file then. Where
 * that is a symbolic link it will be followed at the upgrade.
 */
void upgrade_init(struct upgrade *u, int loop,
		  const struct upgrade_events *events, char *const *argv);
/* upgrade_stop - a new master that does not serve yet is killed */
void upgrade_stop(struct upgrade *u);
void upgrade_fini(struct upgrade *u);	/* as upgrade_stop() */

/*
 * upgrade_want - begin as soon as nothing else is under way
 * Returns the ticket for events->answer().
 */
uint64_t upgrade_want(struct upgrade *u);
/* upgrade_refuse - the same, and why not, a literal; logged */
uint64_t upgrade_refuse(struct upgrade *u, const char *why);

/*
 * upgrade_tick - begin, or give up
 * @settled: nothing else is under way; after events->leave: no worker accepts
 * Returns when to be called again, in loop_now_ms() terms, or UINT64_MAX.
 */
uint64_t upgrade_tick(struct upgrade *u, uint64_t now_ms, bool settled);

/* upgrade_given - may another process have what we have, or has it? */
bool upgrade_given(const struct upgrade *u);

/* upgrade_program - an absolute path of @argv0's file, to be freed; or NULL */
char *upgrade_program(const char *argv0);

#endif
