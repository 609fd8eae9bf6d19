/* SPDX-License-Identifier: MIT */
#include "backends.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "agent/log.h"

static struct proxy_health *health(const struct backends *b, unsigned int i)
{
	return proxy_board_health(b->board, b->order->first + i);
}

static uint64_t down_until(const struct backends *b, unsigned int i)
{
	return __atomic_load_n(&health(b, i)->down_until, __ATOMIC_RELAXED);
}

/* Of all processes, one connection; the others take it for down meanwhile. */
static bool may_try(const struct backends *b, unsigned int i, uint64_t now)
{
	uint64_t until = down_until(b, i);

	return until && until <= now &&
	       __atomic_compare_exchange_n(&health(b, i)->down_until, &until,
					   now + b->order->fail_ms, false,
					   __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* Of those that are up, or of all. */
static int least_loaded(struct backends *b, uint64_t tried, bool all)
{
	uint32_t n = b->order->n, load, least = UINT32_MAX, i, k;
	int best = -1;

	for (k = 1; k <= n; k++) {
		i = (b->last + k) % n;
		if (tried >> i & 1 || (!all && down_until(b, i)))
			continue;
		load = proxy_board_load(b->board, b->order->first + i);
		if (load >= least)
			continue;
		least = load;
		best = (int)i;
	}
	if (best >= 0)
		b->last = (uint32_t)best;
	return best;
}

int backends_pick(struct backends *b, uint64_t tried, uint64_t now)
{
	unsigned int i;
	int best;

	for (i = 0; i < b->order->n; i++)
		if (!(tried >> i & 1) && may_try(b, i, now))
			return (int)i;
	best = least_loaded(b, tried, false);
	return best >= 0 ? best : least_loaded(b, tried, true);
}

void backends_print(const struct backends *b, unsigned int i,
		    char text[BACKEND_TEXT])
{
	const struct sockaddr_storage *addr = &b->order->backend[i].addr;
	const struct sockaddr_in6 *in6 = (const void *)addr;
	const struct sockaddr_in *in = (const void *)addr;
	char host[INET6_ADDRSTRLEN] = "";

	if (addr->ss_family == AF_UNIX) {
		snprintf(text, BACKEND_TEXT, "unix:%s",
			 ((const struct sockaddr_un *)addr)->sun_path);
	} else if (addr->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(text, BACKEND_TEXT, "%s:%u", host,
			 ntohs(in->sin_port));
	} else {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(text, BACKEND_TEXT, "[%s]:%u", host,
			 ntohs(in6->sin6_port));
	}
}

/* Failures further apart than fail_timeout are not in a row. */
static bool too_many(const struct backends *b, struct proxy_health *h,
		     uint64_t now)
{
	uint64_t since = __atomic_load_n(&h->since_ms, __ATOMIC_RELAXED);

	if (now - since > b->order->fail_ms) {
		__atomic_store_n(&h->since_ms, now, __ATOMIC_RELAXED);
		__atomic_store_n(&h->fails, 0, __ATOMIC_RELAXED);
	}
	return __atomic_add_fetch(&h->fails, 1, __ATOMIC_RELAXED) >=
	       b->order->max_fails;
}

void backends_failed(const struct backends *b, unsigned int i, int error,
		     uint64_t now)
{
	struct proxy_health *h = health(b, i);
	char text[BACKEND_TEXT];
	uint64_t was;

	if (!b->order->max_fails || !(too_many(b, h, now) || down_until(b, i)))
		return;
	was = __atomic_exchange_n(&h->down_until, now + b->order->fail_ms,
				  __ATOMIC_RELAXED);
	if (was)
		return;
	backends_print(b, i, text);
	log_warn("event=backend_down route=%s backend=\"%s\" error=\"%s\"",
		 b->order->name, text, strerror(error));
}

void backends_ok(const struct backends *b, unsigned int i)
{
	struct proxy_health *h = health(b, i);
	char text[BACKEND_TEXT];

	if (__atomic_load_n(&h->fails, __ATOMIC_RELAXED))
		__atomic_store_n(&h->fails, 0, __ATOMIC_RELAXED);
	if (!down_until(b, i) ||
	    !__atomic_exchange_n(&h->down_until, 0, __ATOMIC_RELAXED))
		return;
	backends_print(b, i, text);
	log_info("event=backend_up route=%s backend=\"%s\"", b->order->name,
		 text);
}

void backends_count(const struct backends *b, unsigned int i, int more)
{
	uint32_t *active = proxy_board_active(b->board, b->process,
					      b->order->first + i);

	__atomic_store_n(active, *active + (uint32_t)more, __ATOMIC_RELAXED);
}
