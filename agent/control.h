/* SPDX-License-Identifier: MIT */
/*
 * The control socket: one line in, text and a NUL out, end. ktlsctl(1) speaks it,
 * and writes its line with one call: what the first read brings is the request. An
 * answer of any length is written as the client reads it; by the NUL it knows that
 * nothing is missing.
 */
#ifndef AGENT_CONTROL_H
#define AGENT_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "loop.h"

/*
 * struct control_command - a word and what answers it
 * @argument: may anything follow the word and a space?
 * @print:    writes the answer; @arg is control_open()'s, @argument NULL when
 *            nothing followed
 * @later:    instead of @print: begins something, and returns a number other
 *            than 0 for control_answer() when it is over
 * An answer that begins with "error:" says that nothing was done.
 */
struct control_command {
	const char *name;
	bool argument;
	void (*print)(void *arg, const char *argument, FILE *out);
	uint64_t (*later)(void *arg);
};

struct control;

/*
 * control_open - listen at @path, for ktlsd's user and root, nobody else
 * @fd:       a socket that does, taken; or -1
 * @commands: ends with an empty one; borrowed
 * Returns NULL with a sentence in @error.
 */
struct control *control_open(const char *path, int fd, int loop,
			     const struct control_command *commands, void *arg,
			     char *error, size_t error_len);
/* Ends the connections of its clients too. Takes NULL. */
void control_close(struct control *control);

/*
 * control_listen - a socket at another path, for control_move()
 * Returns the descriptor, whose backlog waits until then, or -errno with a
 * sentence in @error.
 */
int control_listen(const char *path, char *error, size_t error_len);
/* control_path - where it listens */
const char *control_path(const struct control *control);
/*
 * control_move - listen there from now on and at the old path no more
 * @fd: of control_listen(), taken. Clients stay. Returns 0 or -ENOMEM, having
 * done nothing.
 */
int control_move(struct control *control, const char *path, int fd);

/*
 * When another process takes this one's place: control_pause() accepts no more
 * clients, until control_resume(), or control_leave(), which ends listening for
 * good. Clients that wait for an answer get it in any case; others, at the end, do
 * not.
 */
void control_pause(struct control *control);
void control_resume(struct control *control);
/* @taken: somebody else goes on with the socket, so its file stays */
void control_leave(struct control *control, bool taken);
/* control_fd - the socket; -1: it was left */
int control_fd(const struct control *control);

/* control_answer - to all those whose command's later() returned @ticket */
void control_answer(struct control *control, uint64_t ticket,
		    const char *text);

/*
 * control_tick - hang up on clients that do not read their answers
 * Returns when to be called again, in loop_now_ms() terms, or UINT64_MAX. Takes
 * NULL.
 */
uint64_t control_tick(struct control *control, uint64_t now_ms);

#endif
