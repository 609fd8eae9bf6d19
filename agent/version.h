/* SPDX-License-Identifier: MIT */
#ifndef AGENT_VERSION_H
#define AGENT_VERSION_H

/* libktls has one of its own, for its ABI. */
#define KTLSD_VERSION "0.1.0"

#endif
