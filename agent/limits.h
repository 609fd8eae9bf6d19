/* SPDX-License-Identifier: MIT */
/*
 * One worker's share of the configured limits, which are for all workers
 * together: an equal part of each, rounded up. It counts and compares; what to
 * do about it is its callers' part.
 */
#ifndef AGENT_LIMITS_H
#define AGENT_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "clients.h"
#include "config/config.h"

/*
 * struct limits - 0 is no limit
 * @in_flight: handshakes that were begun and have not ended
 * @rate:      accepted connections per second
 * @credit:    thousandths of a connection that may be accepted now; below 0
 *             where several were accepted at once
 * @filled_ms: when it was last added to
 */
struct limits {
	unsigned int handshakes, in_flight;
	unsigned int per_client, client_v4, client_v6;
	struct clients clients;
	unsigned int rate;
	int64_t credit;
	uint64_t filled_ms;
};

/*
 * limits_init - @slots: connections that this worker can have
 * Returns 0 or as clients_init(). Zeros are no limits, without this.
 */
int limits_init(struct limits *l, const struct config_limits *config,
		unsigned int workers, unsigned int slots);
void limits_fini(struct limits *l);

/* limits_begin - a handshake begins; returns whether that is one too many */
bool limits_begin(struct limits *l);
void limits_end(struct limits *l);

/*
 * limits_join - the client of a handshake is known
 * Returns false, and does not count it, when it has its share already. One
 * without an IP address has no limit.
 */
bool limits_join(struct limits *l, const struct sockaddr_storage *client);
void limits_leave(struct limits *l, const struct sockaddr_storage *client);

/*
 * limits_accept_at - when the next connection may be accepted
 * Returns 0 for now, or a time in ms after @now_ms. After a pause a second's
 * worth comes at once.
 */
uint64_t limits_accept_at(struct limits *l, uint64_t now_ms);
void limits_accepted(struct limits *l);

#endif
