/* SPDX-License-Identifier: MIT */
#include "tools/staple/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define OPTIONS_MAX 10

void staple_complain(const char *format, ...)
{
	va_list ap;

	fputs("ktls-staple: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

bool staple_needs(const char *what, const char *value)
{
	if (!value)
		staple_complain("%s is missing", what);
	return value;
}

bool staple_set_text(const struct staple_option *option, const char *value)
{
	*(const char **)option->to = value;
	return true;
}

bool staple_set_number(const struct staple_option *option, const char *value)
{
	const char *digits = value + (value[0] == '-');
	char *end;
	intmax_t n;

	errno = 0;
	n = strtoimax(value, &end, 10);
	if (!isdigit((unsigned char)digits[0]) || *end || errno ||
	    n < option->min || n > option->max) {
		staple_complain("--%s: not a number from %" PRId64
				" to %" PRId64 ": %s",
				option->name, option->min, option->max, value);
		return false;
	}
	*(int64_t *)option->to = n;
	return true;
}

bool staple_options(int argc, char **argv, const struct staple_option *options,
		    const char **rest)
{
	struct option names[OPTIONS_MAX + 1] = { 0 };
	int i, n;

	for (n = 0; options[n].name; n++)
		names[n] = (struct option){
			.name = options[n].name,
			.has_arg = required_argument,
			.val = n,
		};
	while ((i = getopt_long(argc, argv, "", names, NULL)) != -1)
		if (i == '?' || !options[i].set(&options[i], optarg))
			return false;
	if (rest)
		*rest = argv[optind];
	if (argc - optind > (rest ? 1 : 0)) {
		staple_complain("one argument too many: %s", argv[argc - 1]);
		return false;
	}
	return true;
}
