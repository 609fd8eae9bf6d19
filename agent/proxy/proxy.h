/* SPDX-License-Identifier: MIT */
/*
 * A proxy: a process that takes connections of routes as any consumer does, and
 * moves their bytes to and from a server, inside the kernel. It is executed
 * anew, so that it has no private key; all it knows is what master tells it
 * (proxy_msg.h).
 */
#ifndef AGENT_PROXY_H
#define AGENT_PROXY_H

/* Where `ktlsd --proxy` finds master's socket. */
#define PROXY_FD 3

/*
 * proxy_run - a proxy's whole life
 * @master: SEQPACKET socket; every other descriptor above 2 is closed
 * Returns the process's exit status: 0 when master ended it.
 */
int proxy_run(int master);

#endif
