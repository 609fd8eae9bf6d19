/* SPDX-License-Identifier: MIT */
#ifndef STAPLE_OPTIONS_H
#define STAPLE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * struct staple_option - an option with a value, as in --name value
 * @set: takes the value; false, having said why, when it is no good
 */
struct staple_option {
	const char *name;
	bool (*set)(const struct staple_option *option, const char *value);
	void *to;
	int64_t min, max; /* of a number */
};

bool staple_set_text(const struct staple_option *option, const char *value);
bool staple_set_number(const struct staple_option *option, const char *value);

/*
 * staple_options - take all options, up to one without a name
 * @rest: gets what is no option, NULL if nothing; may be NULL itself: then
 *        there must be nothing
 */
bool staple_options(int argc, char **argv, const struct staple_option *options,
		    const char **rest);

/* staple_needs - was this given? If not, that is said. */
bool staple_needs(const char *what, const char *value);

/* staple_complain - a sentence to standard error, behind the program's name */
void staple_complain(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif
