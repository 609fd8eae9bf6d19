/* SPDX-License-Identifier: MIT */
/*
 * The keys of a listener.
 */
#include "value.h"

#define MAX_RULES 10000
#define MAX_PREFIXES 1000
#define MAX_CERTS 10000
#define MAX_TICKETS 8
#define MAX_BACKLOG 65535
#define SECOND 1000
#define HOUR (3600 * SECOND)

static const char *const alpn_mismatch_words[] = { "refuse", "ignore", NULL };
static const char *const others_words[] = { "direct", "refuse", NULL };

static const struct config_key tcp_keys[] = {
	{ "nodelay", config_read_choice, FIELD(config_tcp, nodelay),
	  .preset = "true", .words = config_bool_words },
	{ "keepalive", config_read_seconds, FIELD(config_tcp, keepalive_s),
	  .preset = "0s", .min = 0, .max = 9 * HOUR },
	{ "defer_accept", config_read_seconds,
	  FIELD(config_tcp, defer_accept_s),
	  .preset = "0s", .min = 0, .max = 1 * HOUR },
	{ "user_timeout", config_read_duration,
	  FIELD(config_tcp, user_timeout_ms),
	  .preset = "0s", .min = 0, .max = 24 * HOUR },
};

static const struct config_table tcp_table = {
	.keys = tcp_keys, .n_keys = LENGTH(tcp_keys),
};

static const struct config_key accept_proxy_keys[] = {
	{ "from", config_read_prefixes, FIELD(config_accept_proxy, from),
	  .required = true, .min = 1, .max = MAX_PREFIXES },
	{ "timeout", config_read_duration,
	  FIELD(config_accept_proxy, timeout_ms),
	  .preset = "3s", .min = 1, .max = 1 * HOUR },
	{ "others", config_read_choice,
	  FIELD(config_accept_proxy, others_refuse),
	  .preset = "direct", .words = others_words },
};

static const struct config_table accept_proxy_table = {
	.keys = accept_proxy_keys, .n_keys = LENGTH(accept_proxy_keys),
};

static bool is_passthrough(const struct config *config, unsigned int route)
{
	return route < config->n_routes && config->routes[route].passthrough;
}

/* Does TLS go on to others on each of its routes, of which there are some? */
static bool only_passes(const struct config *config,
			const struct config_listener *listener)
{
	bool passes = is_passthrough(config, listener->route);
	bool ends = config_terminates(config, listener->route);
	size_t i;

	for (i = 0; i < listener->n_rules; i++) {
		passes |= is_passthrough(config, listener->rules[i].route);
		ends |= config_terminates(config, listener->rules[i].route);
	}
	return passes && !ends;
}

static void check_handshake(struct config_reader *r,
			    const struct config_mapping *m)
{
	static const char *const keys[] = {
		"certificates", "strict_sni", "alpn", "alpn_mismatch",
		"client_ca", "client_verify", "client_depth", "client_crl",
		"crl_expired", "client_allow", "tls", "tickets",
	};
	const yaml_node_t *node;
	size_t i;

	for (i = 0; i < LENGTH(keys); i++) {
		node = config_value(m, keys[i]);
		if (node)
			config_error(r, &node->start_mark, keys[i],
				     "expected a route that terminates TLS for "
				     "this key, found passthrough only");
	}
}

static void finish_listener(struct config_reader *r,
			    const struct config_mapping *m, void *item)
{
	struct config_listener *listener = item;
	const yaml_node_t *tcp = config_value(m, "tcp");

	if (!config_value(m, "route"))
		listener->route = CONFIG_DENY;
	if (!config_value(m, "route") && !config_value(m, "rules"))
		config_error(r, &m->node->start_mark, "route",
			     "expected this key or rules here, found none");
	config_finish_client(r, m, &listener->client);
	config_note_ipv6(r->config, listener);
	if (only_passes(r->config, listener))
		check_handshake(r, m);
	if (tcp && listener->addr.ss_family == AF_UNIX)
		config_error(r, &tcp->start_mark, "tcp", "expected an address "
			     "and a port in bind for this key, found a path");
}

/* What others need to be read correctly stands before them. */
static const struct config_key listener_keys[] = {
	{ "v6only", config_read_choice, FIELD(config_listener, v6only),
	  .preset = "false", .words = config_bool_words },
	{ "bind", config_read_bind, FIELD(config_listener, bind),
	  .required = true },
	{ "certificates", config_read_cert_names,
	  FIELD(config_listener, certs), .min = 1, .max = MAX_CERTS },
	{ "strict_sni", config_read_choice, FIELD(config_listener, strict_sni),
	  .preset = "false", .words = config_bool_words },
	{ "alpn", config_read_alpn, FIELD(config_listener, alpn),
	  .max = CONFIG_MAX_PROTOCOLS },
	{ "alpn_mismatch", config_read_choice,
	  FIELD(config_listener, alpn_ignore),
	  .preset = "refuse", .words = alpn_mismatch_words },
	CONFIG_CLIENT_KEYS(config_listener),
	{ "route", config_read_route, FIELD(config_listener, route) },
	{ "rules", config_read_list, FIELD(config_listener, rules),
	  .count = offsetof(struct config_listener, n_rules),
	  .min = 1, .max = MAX_RULES, .table = &config_rule_keys },
	{ "tls", config_read_map, FIELD(config_listener, tls),
	  .table = &config_tls_keys },
	{ "tcp", config_read_map, FIELD(config_listener, tcp),
	  .table = &tcp_table },
	{ "accept_proxy", config_read_optional,
	  FIELD(config_listener, accept_proxy), .table = &accept_proxy_table },
	{ "tickets", config_read_number, FIELD(config_listener, tickets),
	  .preset = "2", .min = 0, .max = MAX_TICKETS },
	{ "backlog", config_read_number, FIELD(config_listener, backlog),
	  .preset = "4096", .min = 1, .max = MAX_BACKLOG },
};

const struct config_table config_listener_keys = {
	.keys = listener_keys, .n_keys = LENGTH(listener_keys),
	.size = sizeof(struct config_listener),
	.mark = offsetof(struct config_listener, mark),
	.finish = finish_listener,
};
