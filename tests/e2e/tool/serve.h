/* SPDX-License-Identifier: MIT */
/*
 * The test consumer's serving half: one process, one epoll, a queue's read end.
 *
 * Speaks just enough HTTP/1.1: GET /bytes/N gives N bytes of pattern(), PUT
 * takes a body and answers with its SHA-256, GET /info tells what ktlsd told
 * about the connection, any other path is answered with itself. A connection
 * whose ClientHello is unread it closes.
 */
#ifndef SERVE_H
#define SERVE_H

#include <stdbool.h>

/*
 * struct serve_config
 * @queue_fd: read end of a queue; borrowed
 * @take:     die by SIGKILL at once when so many connections were taken; 0: no
 * @nofile:   descriptor limit while serving; 0: as it is
 * @hold_ms:  older connections are not taken; 0: all are
 * @rekey:    change our key after so many bytes; 0: as libktls does
 * @hold:     take nothing
 * @drain:    at SIGTERM serve what waits, finish what is under way, then leave
 * @ledger:   a file, see ledger.h: note there what is in hand, and print no
 *            lines about connections; NULL: no
 */
struct serve_config {
	int queue_fd, take, nofile, hold_ms, rekey;
	bool hold, drain;
	const char *ledger;
};

/*
 * Serve until SIGTERM, which is answered with `event=stats` and exit 0.
 * SIGUSR1 prints the same line and goes on; SIGUSR2 lifts the descriptor
 * limit. Lines on stdout: event=serving, accept, end, full, lost, stats.
 */
void serve(const struct serve_config *config) __attribute__((noreturn));

#endif
