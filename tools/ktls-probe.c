// SPDX-License-Identifier: MIT
/*
 * ktls-probe - what can this machine do for ktlsd? See ktls-probe(1).
 */
#include <stdio.h>

#include "tools/probe/options.h"
#include "tools/probe/sections.h"
#include "tools/probe/socks.h"
#include "tools/standard.h"

static int usage(void)
{
	fputs("usage: ktls-probe [--json]\n"
	      "       ktls-probe --socks [--watch [SECONDS]] [--json]\n"
	      "  --socks  list the sockets that are in kernel TLS\n"
	      "  --watch  again and again, every 2 seconds or SECONDS\n"
	      "  --json   for programs\n", stderr);
	return PROBE_USAGE;
}

static int probe_machine(bool json)
{
	struct report report;

	if (report_begin(&report, json, stdout)) {
		fputs("ktls-probe: out of memory\n", stderr);
		return PROBE_FAILED;
	}
	section_kernel(&report);
	section_ktls(&report);
	section_uring(&report);
	section_limits(&report);
	section_nics(&report);
	return report_end(&report);
}

int main(int argc, char **argv)
{
	struct probe_options options;
	char error[128];

	standard_fill();
	if (probe_parse_options(&options, argc, argv, error, sizeof(error))) {
		fprintf(stderr, "ktls-probe: %s\n", error);
		return usage();
	}
	return options.socks ? socks_run(&options) :
			       probe_machine(options.json);
}
