/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_PROBE_OPTIONS_H
#define TOOLS_PROBE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* @watch_s: seconds between two lists; 0: one list, and the end */
struct probe_options {
	bool json, socks;
	unsigned int watch_s;
};

/* probe_parse_options - 0, or -EINVAL with a sentence in @error */
int probe_parse_options(struct probe_options *o, int argc, char **argv,
			char *error, size_t error_len);

#endif
