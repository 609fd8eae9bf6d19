/* SPDX-License-Identifier: MIT */
/*
 * The stapler: a process that asks responders for master, and keeps what they
 * say. It is executed anew, so that it has no private key, and it holds no
 * client's socket. All it knows is what master tells it (staple_msg.h).
 */
#ifndef AGENT_STAPLER_H
#define AGENT_STAPLER_H

/* Where `ktlsd --stapler` finds master's socket. */
#define STAPLER_FD 3
/* What it gets to end when master has closed that, before it is killed. */
#define STAPLER_STOP_MS 2000

/*
 * stapler_run - a stapler's whole life
 * @master: SEQPACKET socket; every other descriptor above 2 is closed
 * Returns the process's exit status: 0 when master ended it.
 */
int stapler_run(int master);

#endif
