/* SPDX-License-Identifier: MIT */
/*
 * Connections that wait in a queue that nobody reads, seen from master, which
 * holds the queue's read end.
 */
#ifndef AGENT_WAITING_H
#define AGENT_WAITING_H

#include <stdbool.h>
#include <stdint.h>

/*
 * waiting_move - move what waits in one queue to another
 * Returns whether the first is empty now; false: the second is full, or there
 * was much; what is left stays in order.
 */
bool waiting_move(int read_fd, int write_fd);

/*
 * waiting_drop - close connections that have waited longer than @hold_ms
 * Returns how many, a thousand or so at most: the next call does the rest.
 */
unsigned int waiting_drop(int read_fd, unsigned int hold_ms);

#endif
