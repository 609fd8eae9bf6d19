/* SPDX-License-Identifier: MIT */
/*
 * The control socket: one line in, text out, end. ktlsctl(1) speaks it, and
 * writes its line with one call: what the first read brings is the request.
 */
#ifndef AGENT_CONTROL_H
#define AGENT_CONTROL_H

#include <stdio.h>

#include "loop.h"

/*
 * struct control_command - a word and what answers it
 * @print: writes the answer; @arg is control_open()'s
 */
struct control_command {
	const char *name;
	void (*print)(void *arg, FILE *out);
};

struct control;

/*
 * control_open - listen at @path, for ktlsd's user and root, nobody else
 * @commands: ends with an empty one; borrowed
 * Returns NULL with a sentence in @error.
 */
struct control *control_open(const char *path, int loop,
			     const struct control_command *commands, void *arg,
			     char *error, size_t error_len);
/* Ends the connections of its clients too. */
void control_close(struct control *control);

#endif
