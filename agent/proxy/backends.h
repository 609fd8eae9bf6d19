/* SPDX-License-Identifier: MIT */
/*
 * Which server a connection goes to: one that is up and has the fewest, counted
 * over all proxies. Whether one is up is learnt from connections to it alone.
 */
#ifndef AGENT_PROXY_BACKENDS_H
#define AGENT_PROXY_BACKENDS_H

#include "agent/proxy_board.h"
#include "agent/proxy_msg.h"

/*
 * struct backends - those of a route
 * @process: this one's number on the board
 * @last:    where the last search ended, so that equals take turns
 */
struct backends {
	const struct proxy_board *board;
	uint32_t process;
	const struct proxy_order *order;
	uint32_t last;
};

/* A server's name for the log. */
#define BACKEND_TEXT 128

/*
 * backends_pick - choose one
 * @tried: bits of those that are not to be chosen again
 * A server that was down for long enough is tried by one connection. While all
 * are down, all are tried. Returns its index, or -1: each has been tried.
 */
int backends_pick(struct backends *b, uint64_t tried, uint64_t now_ms);

/* backends_failed - it could not be connected to; logs if it is down now */
void backends_failed(const struct backends *b, unsigned int i, int error,
		     uint64_t now_ms);
/* backends_ok - it could; logs when it was down */
void backends_ok(const struct backends *b, unsigned int i);

/* backends_count - this process has one connection more to it, or fewer */
void backends_count(const struct backends *b, unsigned int i, int more);

void backends_print(const struct backends *b, unsigned int i,
		    char text[BACKEND_TEXT]);

#endif
