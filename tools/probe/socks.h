/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_PROBE_SOCKS_H
#define TOOLS_PROBE_SOCKS_H

#include "tools/probe/options.h"
#include "tools/probe/report.h"

/* socks_run - list the sockets in kTLS, or watch them; the exit status */
int socks_run(const struct probe_options *options);

#endif
