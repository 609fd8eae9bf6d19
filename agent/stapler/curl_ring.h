/* SPDX-License-Identifier: MIT */
/*
 * libcurl's transfers on the process's ring: its sockets are polled there, its
 * timer is one of the times that the owner waits for. No thread of ours.
 */
#ifndef AGENT_CURL_RING_H
#define AGENT_CURL_RING_H

#include <curl/curl.h>

#include "agent/ring.h"

struct curl_poll;

/*
 * struct curl_ring
 * @ended: a transfer is over, and its handle out again. New ones may be added
 *         from there.
 */
struct curl_ring {
	struct ring *ring;
	CURLM *multi;
	struct curl_poll *polls;
	uint64_t due_ms;	/* libcurl's timer; UINT64_MAX: not set */
	void (*ended)(struct curl_ring *curl, void *arg, CURLcode code);
};

/*
 * curl_ring_init - curl_global_init() was called; @ring is borrowed
 * @connections: kept open for other transfers, at most
 * Returns 0 or -ENOMEM.
 */
int curl_ring_init(struct curl_ring *curl, struct ring *ring,
		   unsigned int connections,
		   void (*ended)(struct curl_ring *curl, void *arg,
				 CURLcode code));

/*
 * curl_ring_fini - after ring_fini(), when no completion can come any more
 * Handles that are still in must have been taken out by curl_ring_remove().
 */
void curl_ring_fini(struct curl_ring *curl);

/*
 * curl_ring_add - begin a transfer
 * @easy: the caller's; @arg, for @ended, becomes its CURLOPT_PRIVATE
 * Returns 0 or -ENOMEM.
 */
int curl_ring_add(struct curl_ring *curl, CURL *easy, void *arg);
/* curl_ring_remove - break a transfer off; @ended is not called for it */
void curl_ring_remove(struct curl_ring *curl, CURL *easy);

/*
 * curl_ring_run - what time has brought, on CLOCK_MONOTONIC
 * Returns when to call again, UINT64_MAX: when something completed.
 */
uint64_t curl_ring_run(struct curl_ring *curl, uint64_t now_ms);

#endif
