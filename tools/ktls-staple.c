/* SPDX-License-Identifier: MIT */
/*
 * ktls-staple - look into OCSP stapling as ktlsd does it; see ktls-staple(1)
 */
#include <stdio.h>
#include <string.h>

#include "tools/staple/options.h"
#include "tools/staple/staple.h"
#include "tools/standard.h"

enum staple_exit staple_usage(void)
{
	fputs("usage: ktls-staple check --cert FILE --issuer FILE "
	      "--response FILE\n"
	      "                         [--at UNIXTIME] [--max-age SECONDS]\n"
	      "       ktls-staple fetch --cert FILE [--issuer FILE] "
	      "[--out FILE] [--url URL]\n"
	      "                         [--proxy URL] [--ca FILE] "
	      "[--hash sha1|sha256]\n"
	      "                         [--timeout SECONDS]\n"
	      "       ktls-staple probe HOST:PORT [--sni NAME] [--ca FILE]\n",
	      stderr);
	return STAPLE_USAGE;
}

/* A verdict that nobody can read is none. */
static int finish(enum staple_exit status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return (int)status;
	staple_complain("cannot write");
	return STAPLE_USAGE;
}

int main(int argc, char **argv)
{
	static char self[] = "ktls-staple"; /* as getopt_long() is to say it */
	static const struct {
		const char *name;
		enum staple_exit (*run)(int argc, char **argv);
	} commands[] = {
		{ "check", staple_check },
		{ "fetch", staple_fetch },
		{ "probe", staple_probe },
	};
	size_t i;

	standard_fill();
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (argc > 1 && !strcmp(argv[1], commands[i].name)) {
			argv[1] = self;
			return finish(commands[i].run(argc - 1, argv + 1));
		}
	if (argc > 1)
		staple_complain("'%s' is no command", argv[1]);
	return staple_usage();
}
