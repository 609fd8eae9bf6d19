/* SPDX-License-Identifier: MIT */
/*
 * What a server with the library listens on, as that reports. IPv4 alone will
 * not do where IPv6 clients may come: they could not be told to it.
 */
#ifndef RUN_LISTENS_H
#define RUN_LISTENS_H

#include <stdbool.h>
#include <stdint.h>

/* Which family a server binds first is its business: so long for the other. */
#define RUN_LISTENS_MS 5000

/*
 * struct run_listens - in the place of one queue
 * @strict: IPv6 clients may come, and the library knows: until the server
 *          listens on IPv6 it gets nobody
 * @port:   where it listens on IPv4, as it believes
 * @due_ms: when it is to be judged, 0: there is nothing to judge
 */
struct run_listens {
	bool strict, v4, v6;
	int port;
	uint64_t due_ms;
};

/* run_listens_note - it listens, on AF_INET or AF_INET6; others are passed over */
void run_listens_note(struct run_listens *l, int family, int port,
		      uint64_t now_ms);
/* run_listens_again - ktlsd has registered the queue anew: judge it at once */
void run_listens_again(struct run_listens *l, uint64_t now_ms);

/*
 * run_listens_judge - what to do, if it is time
 * @ipv6: what ktlsd said last: IPv6 clients may come
 * RUN_END:  it has served nobody and is not to begin
 * RUN_WARN: ktlsd has changed its mind while it served, and IPv4's clients are
 *           not to lose it: those of IPv6 are refused one by one
 */
enum run_verdict { RUN_FINE, RUN_WARN, RUN_END };
enum run_verdict run_listens_judge(struct run_listens *l, bool ipv6,
				   uint64_t now_ms);

#endif
