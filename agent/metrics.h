/* SPDX-License-Identifier: MIT */
/*
 * Counters: each worker writes its own slot of memory shared with master, which
 * only ever adds them up. So counting is one store, and a worker that dies
 * leaves its counts behind. Slots outlive their workers: the next one goes on
 * where the last one stopped, so no counter ever goes back.
 */
#ifndef AGENT_METRICS_H
#define AGENT_METRICS_H

#include <stdint.h>
#include <stdio.h>

#define METRICS(X) \
	X(HANDSHAKES_TLS12, "handshakes_total", "version=\"TLSv1.2\"") \
	X(HANDSHAKES_TLS13, "handshakes_total", "version=\"TLSv1.3\"") \
	X(HANDSHAKES_RESUMED, "handshakes_resumed_total", "") \
	X(FAILED_PROBE, "handshakes_failed_total", "reason=\"probe\"") \
	X(FAILED_TIMEOUT, "handshakes_failed_total", "reason=\"timeout\"") \
	X(FAILED_EVICTED, "handshakes_failed_total", "reason=\"evicted\"") \
	X(FAILED_HTTP, "handshakes_failed_total", "reason=\"http\"") \
	X(FAILED_SSLV2, "handshakes_failed_total", "reason=\"sslv2\"") \
	X(FAILED_GARBAGE, "handshakes_failed_total", "reason=\"garbage\"") \
	X(FAILED_RECORD_OVERFLOW, "handshakes_failed_total", \
	  "reason=\"record_overflow\"") \
	X(FAILED_ALERT, "handshakes_failed_total", "reason=\"alert\"") \
	X(FAILED_VERSION, "handshakes_failed_total", "reason=\"version\"") \
	X(FAILED_CIPHER, "handshakes_failed_total", "reason=\"cipher\"") \
	X(FAILED_PROTOCOL, "handshakes_failed_total", "reason=\"protocol\"") \
	X(FAILED_TRUNCATED, "handshakes_failed_total", "reason=\"truncated\"") \
	X(FAILED_STAPLE, "handshakes_failed_total", "reason=\"staple\"") \
	X(FAILED_HELLO, "handshakes_failed_total", \
	  "reason=\"client_hello\"") \
	X(FAILED_NAME, "handshakes_failed_total", "reason=\"server_name\"") \
	X(FAILED_ALPN, "handshakes_failed_total", "reason=\"alpn\"") \
	X(FAILED_CLIENT, "handshakes_failed_total", \
	  "reason=\"client_certificate\"") \
	X(FAILED_DENIED, "handshakes_failed_total", \
	  "reason=\"access_denied\"") \
	X(FAILED_INTERNAL, "handshakes_failed_total", "reason=\"internal\"") \
	X(REFUSED_DENIED, "refused_total", "reason=\"denied\"") \
	X(REFUSED_NO_CONSUMER, "refused_total", "reason=\"no_consumer\"") \
	X(REFUSED_CLIENT, "refused_total", "reason=\"client_limit\"") \
	X(REFUSED_HEADER, "refused_total", "reason=\"proxy_header\"") \
	X(REFUSED_HEADER_LATE, "refused_total", "reason=\"proxy_timeout\"") \
	X(REFUSED_DIRECT, "refused_total", "reason=\"no_proxy\"") \
	X(CLIENT_CRL_EXPIRED, "client_crl_expired_total", "") \
	X(PASSED, "passed_total", "") \
	X(HANDED_OFF_KTLS, "handed_off_total", "mode=\"ktls\"") \
	X(HANDED_OFF_RELAY, "handed_off_total", "mode=\"relay\"") \
	X(RELAYED_OFF, "relayed_total", "reason=\"off\"") \
	X(RELAYED_UNAVAILABLE, "relayed_total", "reason=\"unavailable\"") \
	X(RELAYED_MAX_FRAGMENT, "relayed_total", "reason=\"max_fragment\"") \
	X(RELAYED_UNIX, "relayed_total", "reason=\"unix\"") \
	X(WAITED_FULL, "queue_waits_total", "reason=\"full\"") \
	X(WAITED_NO_CONSUMER, "queue_waits_total", "reason=\"no_consumer\"") \
	X(WAITED_REFS, "queue_waits_total", "reason=\"too_many_refs\"") \
	X(QUEUE_EXPIRED, "queue_expired_total", "") \
	X(STAPLE_SENT, "staples_total", "result=\"sent\"") \
	X(STAPLE_EXPIRED, "staples_total", "result=\"expired\"") \
	X(STAPLE_NOT_YET, "staples_total", "result=\"not_yet\"") \
	X(STAPLE_NONE, "staples_total", "result=\"none\"") \
	X(STAPLE_REFUSED, "staples_total", "result=\"refused\"") \
	X(PAUSED_DESCRIPTORS, "accept_pauses_total", \
	  "reason=\"descriptors\"") \
	X(PAUSED_SLOTS, "accept_pauses_total", "reason=\"slots\"") \
	X(PAUSED_RATE, "accept_pauses_total", "reason=\"rate\"") \
	X(STAPLE_FETCHES_NEW, "staple_fetches_total", "result=\"new\"") \
	X(STAPLE_FETCHES_SAME, "staple_fetches_total", "result=\"same\"") \
	X(STAPLE_FETCHES_REVOKED, "staple_fetches_total", \
	  "result=\"revoked\"") \
	X(STAPLE_FETCHES_REFUSED, "staple_fetches_total", \
	  "result=\"refused\"") \
	X(STAPLE_FETCHES_FAILED, "staple_fetches_total", "result=\"failed\"") \
	X(STAPLE_STORE_FAILURES, "staple_store_failures_total", "") \
	X(WORKER_RESTARTS, "worker_restarts_total", "") \
	X(STAPLER_RESTARTS, "stapler_restarts_total", "") \
	X(PROXY_RESTARTS, "proxy_restarts_total", "") \
	X(ACCEPTED, "connections_accepted_total", NULL) /* one per worker */

enum metric {
#define METRICS_ID(id, name, labels) METRIC_##id,
	METRICS(METRICS_ID)
#undef METRICS_ID
	METRIC_COUNT,
};

struct metrics {
	uint64_t value[METRIC_COUNT];
} __attribute__((aligned(64)));	/* no two processes write to a cache line */

/* struct metrics_pool - master's slot, and those of all workers there were */
struct metrics_pool;

/* NULL when out of memory. */
struct metrics_pool *metrics_pool_new(void);
void metrics_pool_free(struct metrics_pool *pool);	/* takes NULL */

/* metrics_master - master's own slot; lives as long as @pool */
struct metrics *metrics_master(const struct metrics_pool *pool);

/*
 * metrics_take - a slot for a process to be forked; NULL when out of memory
 * @worker: its label, from 0. Several may have the same one at a time, as while
 *          one takes over from another: their counts are shown as one.
 * Whoever counts there gives it back once that process has ended.
 */
struct metrics *metrics_take(struct metrics_pool *pool, unsigned int worker);
/* metrics_give - @slot: of this pool, or NULL */
void metrics_give(struct metrics_pool *pool, const struct metrics *slot);

/* Only ever called by the slot's own process, so no atomic addition. */
static inline void metrics_add(struct metrics *slot, enum metric id, uint64_t n)
{
	__atomic_store_n(&slot->value[id], slot->value[id] + n,
			 __ATOMIC_RELAXED);
}

static inline void metrics_count(struct metrics *slot, enum metric id)
{
	metrics_add(slot, id, 1);
}

/* metrics_label - a label's value, escaped as the text format has it */
void metrics_label(FILE *out, const char *value);

/* Sums in Prometheus' text format. */
void metrics_print(const struct metrics_pool *pool, FILE *out);

#endif
