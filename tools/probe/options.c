// SPDX-License-Identifier: MIT
#include "tools/probe/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define WATCH_S 2
#define WATCH_MAX_S 3600

/* No characters: there are no short ones. */
enum { JSON = 256, SOCKS, WATCH };

/* Returns 0, or -EINVAL: it is no number that will do. */
static int parse_seconds(const char *text, unsigned int *seconds)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n < 1 ||
	    n > WATCH_MAX_S)
		return -EINVAL;
	*seconds = (unsigned int)n;
	return 0;
}

static int wrong_seconds(const char *text, char *error, size_t error_len)
{
	snprintf(error, error_len, "--watch: '%.40s' is no number from 1 to %d",
		 text, WATCH_MAX_S);
	return -EINVAL;
}

/* @last: what getopt_long() took last; it may yet be within it, at optopt */
static int wrong_option(const char *last, char *error, size_t error_len)
{
	if (optopt && optopt < JSON)
		snprintf(error, error_len, "-%c: no such option", optopt);
	else
		snprintf(error, error_len, "%.60s: no such option, or it takes "
			 "no value", last);
	return -EINVAL;
}

/* What getopt_long() left over: --watch's seconds; @seconds: they are known */
static int take_rest(struct probe_options *o, bool seconds, int n, char **rest,
		     char *error, size_t error_len)
{
	const bool takes = o->watch_s && !seconds;

	if (n && takes && parse_seconds(rest[0], &o->watch_s))
		return wrong_seconds(rest[0], error, error_len);
	if (n > takes) {
		snprintf(error, error_len, "what is '%.40s' for?", rest[n - 1]);
		return -EINVAL;
	}
	if (o->watch_s && !o->socks) {
		snprintf(error, error_len, "--watch is nothing without --socks");
		return -EINVAL;
	}
	return 0;
}

int probe_parse_options(struct probe_options *o, int argc, char **argv,
			char *error, size_t error_len)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, JSON },
		{ "socks", no_argument, NULL, SOCKS },
		{ "watch", optional_argument, NULL, WATCH },
		{ 0 },
	};
	bool seconds = false;
	int option;

	*o = (struct probe_options){ .watch_s = 0 };
	optind = 0;	/* all anew, for whoever parses twice */
	while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (option == JSON) {
			o->json = true;
		} else if (option == SOCKS) {
			o->socks = true;
		} else if (option == WATCH) {
			o->watch_s = WATCH_S;
			seconds = optarg;
			if (optarg && parse_seconds(optarg, &o->watch_s))
				return wrong_seconds(optarg, error, error_len);
		} else {
			return wrong_option(argv[optind - 1], error, error_len);
		}
	}
	return take_rest(o, seconds, argc - optind, argv + optind, error,
			 error_len);
}
