/* SPDX-License-Identifier: MIT */
/*
 * The parts of the report. Each finds out by itself, and reports, also what it
 * could not find out: none keeps another one from its turn.
 */
#ifndef TOOLS_PROBE_SECTIONS_H
#define TOOLS_PROBE_SECTIONS_H

#include "tools/probe/report.h"

void section_kernel(struct report *r);	/* version, and known faults */
void section_ktls(struct report *r);
void section_uring(struct report *r);
void section_nics(struct report *r);	/* interfaces that encrypt */
void section_limits(struct report *r);

#endif
