/* SPDX-License-Identifier: MIT */
/*
 * Where a connection goes, and whether it goes anywhere.
 */
#include "conn_parts.h"
#include "log.h"
#include "rules.h"
#include "worker.h"

const char *conn_route_name(const struct conn *c)
{
	if (c->route == CONFIG_DENY)
		return "-";
	return c->worker->config->routes[c->route].name;
}

static bool passes(const struct conn *c, unsigned int route)
{
	return c->worker->config->routes[route].passthrough;
}

/* Nobody is there to serve it, and it is not to wait for somebody. */
static bool is_down(const struct conn *c, unsigned int route)
{
	return c->worker->config->routes[route].refuse &&
	       c->worker->routes[route].down;
}

static void deny(struct conn *c)
{
	conn_count(c, METRIC_REFUSED_DENIED);
	conn_free(c);
}

static void log_denied(const struct conn *c, const char *server_name)
{
	log_debug("event=denied peer=%s server_name=\"%s\"", conn_peer(c),
		  server_name);
}

enum hs_choice conn_choose(void *arg, struct hs_hello *hello)
{
	struct conn *c = arg;
	struct rules_client client = {
		.server_name = hello->server_name,
		.offered = hello->offered,
		.protocol = hello->protocol,
		.peer = &c->peer,
	};

	c->route = rules_choose(c->listener->rules, &client);
	if (c->route == CONFIG_DENY) {
		log_denied(c, hello->server_name);
		return HS_STOP;
	}
	hello->realm = conn_route_name(c);
	if (is_down(c, c->route))
		return HS_STOP;
	if (!passes(c, c->route))
		return HS_GO_ON;
	/* Not at a second ClientHello: the first one was taken. */
	if (c->peeking)
		conn_note_hello(c, hello);
	return HS_STOP;
}

static void refuse_down(struct conn *c)
{
	conn_count(c, METRIC_REFUSED_NO_CONSUMER);
	log_debug("event=refused peer=%s route=%s reason=no_consumer",
		  conn_peer(c), conn_route_name(c));
	/* To answer a client that is another server's is not for us. */
	if (passes(c, c->route)) {
		conn_free(c);
		return;
	}
	hs_abort(c->hs, ALERT_INTERNAL_ERROR);
	c->step = HS_FAIL;
	conn_flush(c);
}

void conn_stopped(struct conn *c)
{
	if (c->route == CONFIG_DENY)
		deny(c);
	else if (is_down(c, c->route))
		refuse_down(c);
	else
		conn_pass(c);
}

bool conn_choose_early(struct conn *c)
{
	const struct rules *rules = c->listener->rules;
	unsigned int route;

	c->peeking = rules_may_pass(rules);
	if (!rules_choose_early(rules, &c->peer, &route))
		return true;
	if (route == CONFIG_DENY) {
		log_denied(c, "");
		deny(c);
		return false;
	}
	c->peeking = passes(c, route);
	if (!c->peeking || !is_down(c, route))
		return true;
	c->route = route;
	refuse_down(c);
	return false;
}
