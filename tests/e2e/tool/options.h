/* SPDX-License-Identifier: MIT */
/* The client's command line, see its text in options.c. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stddef.h>

enum write_mode { PLAIN, COALESCE, SPLIT, BYTEWISE };
enum end_mode { BY_SERVER, CLOSE, CUT, KEEP };

/* The flags and modes are ints because getopt_long() sets them. */
struct options {
	const char *label, *where, *ca, *name, *version, *cipher, *groups;
	const char *sigalgs, *alpn, *cert, *before, *path, *staple;
	size_t get, put, pause, rekey;
	int mode, end;
	int split_ms, timeout_ms, max_fragment;
	int fin, resume, no_tickets, exporter, wait, late, batch;
};
extern struct options opt;

/* Fill @opt from main()'s arguments, or die. */
void parse_options(int argc, char **argv);
/* Add to @opt a line of "LABEL [option...]". @opt points into @line then. */
void parse_line(char *line);

#endif
