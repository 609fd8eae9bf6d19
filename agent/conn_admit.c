/* SPDX-License-Identifier: MIT */
/*
 * From accept to the handshake: is there room for this client?
 */
#include "conn_parts.h"
#include "log.h"
#include "worker.h"

static void refuse(struct conn *c, enum metric id, const char *reason,
		   const char *error)
{
	conn_count(c, id);
	log_debug("event=refused peer=%s reason=%s error=\"%s\"", conn_peer(c),
		  reason, error);
	conn_free(c);
}

/* What is left must do for the accept of each listener. */
static bool is_slab_full(const struct worker *w)
{
	return w->slab.used + w->slab.promised + w->config->n_listeners >=
	       w->slab.size;
}

/*
 * An honest client needs some round trips, so whoever has been at it for the
 * longest is the least likely to be one.
 */
static void evict_oldest(struct worker *w)
{
	struct deadline *d = deadline_oldest(&w->handshakes);

	if (d)
		conn_give_up(container_of(d, struct conn, deadline),
			     METRIC_FAILED_EVICTED, "evicted",
			     "it has taken the longest, and others wait");
}

void conn_leave(struct conn *c)
{
	if (c->in_flight)
		limits_end(&c->worker->limits);
	if (c->joined)
		limits_leave(&c->worker->limits, &c->peer);
	c->in_flight = c->joined = false;
}

/* From here on it is in flight, perhaps in the place of another. */
static void begin(struct conn *c)
{
	struct worker *w = c->worker;

	c->in_flight = true;
	if (limits_begin(&w->limits) || is_slab_full(w))
		evict_oldest(w);
}

/* Now @c->peer is the client. Returns false after refusing it. */
static bool join(struct conn *c)
{
	c->joined = limits_join(&c->worker->limits, &c->peer);
	if (!c->joined)
		refuse(c, METRIC_REFUSED_CLIENT, "client_limit",
		       "handshakes_per_client is reached");
	return c->joined;
}

void conn_admit(struct conn *c)
{
	/* In this order: whoever is refused takes nobody's place. */
	if (!conn_choose_early(c) || !join(c))
		return;
	begin(c);
	conn_shake_hands(c);
}
