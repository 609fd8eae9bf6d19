/* SPDX-License-Identifier: MIT */
/*
 * Memory that master and the proxies of a generation share: counts, how many
 * connections each server has, and which ones are down. A proxy that dies
 * leaves its counts behind.
 */
#ifndef AGENT_PROXY_BOARD_H
#define AGENT_PROXY_BOARD_H

#include <stddef.h>
#include <stdint.h>

enum proxy_counter {
	PROXY_CONNECTED,	/* connections taken to a server */
	PROXY_CONNECT_FAILED,	/* attempts */
	PROXY_NO_BACKEND,	/* connections lost: none could be reached, */
	PROXY_CLIENT_CUT,	/* the client went without close_notify, */
	PROXY_BACKEND_CUT,	/* the server made a reset, */
	PROXY_DRAINED,		/* time was up, */
	PROXY_RESOURCES,	/* no memory or descriptors */
	PROXY_BYTES_UP,		/* from clients to servers */
	PROXY_BYTES_DOWN,
	PROXY_COUNTERS,
};

/* Of one process and one route; only that process writes. */
struct proxy_counts {
	uint64_t value[PROXY_COUNTERS];
};

/*
 * struct proxy_health - of one server; all processes write
 * @fails:      in a row, since @since_ms
 * @down_until: CLOCK_MONOTONIC in ms, when one connection may try it; 0: up
 */
struct proxy_health {
	uint64_t down_until, since_ms;
	uint32_t fails, zero;
};

/* struct proxy_board - zeroed: there is none */
struct proxy_board {
	uint32_t n_processes, n_routes, n_backends;
	size_t size;
	uint8_t *map;
};

/*
 * proxy_board_new - all zero
 * Returns the memory's descriptor (CLOEXEC), the caller's, or -errno.
 */
int proxy_board_new(struct proxy_board *board);
/* proxy_board_map - the same in another process; @fd stays. 0 or -errno */
int proxy_board_map(struct proxy_board *board, int fd);
void proxy_board_free(struct proxy_board *board);

struct proxy_health *proxy_board_health(const struct proxy_board *board,
					uint32_t backend);
struct proxy_counts *proxy_board_counts(const struct proxy_board *board,
					uint32_t process, uint32_t route);
/* proxy_board_active - connections that the process has to the server now */
uint32_t *proxy_board_active(const struct proxy_board *board, uint32_t process,
			     uint32_t backend);
/* proxy_board_load - those of all processes */
uint32_t proxy_board_load(const struct proxy_board *board, uint32_t backend);
/* proxy_board_ended - the process has none any more */
void proxy_board_ended(const struct proxy_board *board, uint32_t process);

#endif
