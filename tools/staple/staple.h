/* SPDX-License-Identifier: MIT */
/* The parts of ktls-staple: a command each. They take what follows its name. */
#ifndef STAPLE_H
#define STAPLE_H

enum staple_exit {
	STAPLE_GOOD,	/* what ktlsd would staple */
	STAPLE_REFUSED,
	STAPLE_USAGE,	/* wrong options, files; nobody to ask */
};

enum staple_exit staple_check(int argc, char **argv);
enum staple_exit staple_fetch(int argc, char **argv);
enum staple_exit staple_probe(int argc, char **argv);

/* What every command answers to options that it cannot take. */
enum staple_exit staple_usage(void);

#endif
