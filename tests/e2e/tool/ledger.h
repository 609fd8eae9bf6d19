/* SPDX-License-Identifier: MIT */
/*
 * Which connection a consumer has in hand, in a file that outlives it: what a
 * killed process knew is there to be read. Connections have numbers, by the
 * address that the client came from: 127.1.0.0 is number 0.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdint.h>

#include "ktls/ktls.h"

#define LEDGER_FIRST UINT32_C(0x7f010000)
#define LEDGER_MAX (1u << 18)

/*
 * WANTED:    it was first in the queue, and somebody was about to take it
 * HELD:      taken, and not answered
 * ANSWERING: the answer was about to be sent
 * ANSWERED:  all of it was sent; GONE: and the client knows
 */
enum ledger_state {
	LEDGER_NONE, LEDGER_WANTED, LEDGER_HELD, LEDGER_ANSWERING,
	LEDGER_ANSWERED, LEDGER_GONE,
};

/*
 * struct ledger_line - one connection's
 * @pid:   who wrote last
 * @state: enum ledger_state
 * @times: how often it was taken
 */
struct ledger_line {
	uint32_t pid;
	uint16_t state, times;
};

/* Maps LEDGER_MAX lines of @file, made if need be. */
void ledger_open(const char *file);
/* NULL: no ledger is open. */
struct ledger_line *ledger_lines(void);

/*
 * ledger_accept - ktls_accept(), with no moment in which a killed process has
 * a connection that the ledger does not know of
 * Consumers of one ledger take turns. Without a ledger just ktls_accept().
 * @number: gets the connection's
 */
int ledger_accept(struct ktls_queue *q, int queue_fd, struct ktls_conn *c,
		  struct ktls_info *info, long *number);
/* Does nothing without a ledger. */
void ledger_note(long number, enum ledger_state state);

#endif
