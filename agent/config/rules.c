/* SPDX-License-Identifier: MIT */
/*
 * The keys of a listener's rules, and the readers of routes' names.
 */
#include <netinet/in.h>
#include <string.h>

#include "value.h"

#define MAX_NAMES 1000
#define MAX_PREFIXES 1000
#define V4_BITS 96	/* that all of IPv4 has in common */

CONFIG_READER(config_read_route)
{
	static const char *const form = "the name of a route, or deny";
	unsigned int *route = config_field(key, item);
	const char *name = config_text(r, key, node, form);
	const struct config_route *routes = r->config->routes;
	size_t i;

	if (!name)
		return;
	if (!strcmp(name, "deny")) {
		*route = CONFIG_DENY;
		return;
	}
	for (i = 0; i < r->config->n_routes; i++) {
		if (routes[i].name && !strcmp(routes[i].name, name)) {
			*route = i;
			return;
		}
	}
	/* Without routes that is the error, and was said. */
	if (r->config->n_routes)
		config_expected(r, key, node, "%s", form);
}

bool config_terminates(const struct config *config, unsigned int route)
{
	return route < config->n_routes && !config->routes[route].passthrough;
}

/* On a Unix socket there are clients that come from nowhere. */
static bool fits_everybody(const struct config_listener *listener,
			   const struct config_rule *rule)
{
	bool everywhere = !rule->from.n;
	size_t i;

	for (i = 0; i < rule->from.n; i++)
		everywhere |= !rule->from.prefix[i].bits &&
			      listener->addr.ss_family != AF_UNIX;
	return !rule->sni.n && !rule->alpn.len && everywhere;
}

/* What load balancers say of their clients may be of any family. */
static bool has_ipv6(const struct config_listener *listener)
{
	const struct sockaddr_in6 *in6 = (const void *)&listener->addr;

	return listener->accept_proxy.from.n ||
	       (in6->sin6_family == AF_INET6 &&
		!IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr));
}

static bool fits_ipv6(const struct config_rule *rule)
{
	bool fits = !rule->from.n;
	size_t i;

	for (i = 0; i < rule->from.n; i++)
		fits |= rule->from.prefix[i].bits < V4_BITS ||
			!IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)
					      rule->from.prefix[i].addr);
	return fits;
}

static void note_route(struct config *config, unsigned int route)
{
	if (route < config->n_routes)
		config->routes[route].ipv6 = true;
}

void config_note_ipv6(struct config *config,
		      const struct config_listener *listener)
{
	const struct config_rule *rule;
	size_t i;

	if (!has_ipv6(listener))
		return;
	for (i = 0; i < listener->n_rules; i++) {
		rule = &listener->rules[i];
		if (fits_ipv6(rule))
			note_route(config, rule->route);
		if (fits_everybody(listener, rule))
			return;
	}
	note_route(config, listener->route);
}

static bool is_offered(const struct config *config,
		       const struct config_listener *listener,
		       const yaml_node_t *protocol)
{
	bool offered = config_has_protocol(&listener->alpn, protocol);
	size_t i;

	for (i = 0; i < listener->n_certs && !offered; i++)
		offered = config_has_protocol(
			&config->certs[listener->certs[i]].alpn, protocol);
	for (i = 0; !listener->n_certs && i < config->n_certs && !offered; i++)
		offered = config_has_protocol(&config->certs[i].alpn, protocol);
	return offered;
}

/* Only what can be agreed on leads to a route that terminates TLS. */
static void check_protocols(struct config_reader *r,
			    const struct config_listener *listener,
			    const yaml_node_t *list)
{
	const yaml_node_t *name;
	size_t i, n = list->data.sequence.items.top -
		      list->data.sequence.items.start;

	for (i = 0; i < n && !config_too_many_errors(r); i++) {
		name = config_list_item(r, list, i);
		if (!is_offered(r->config, listener, name))
			config_error(r, &name->start_mark, "alpn", "expected a "
				     "protocol that the listener or one of its "
				     "certificates has, found %s",
				     config_found(name).text);
	}
}

static void finish_rule(struct config_reader *r, const struct config_mapping *m,
			void *item)
{
	/* Those that are being read are the next ones to be counted. */
	const struct config_listener *listener =
		&r->config->listeners[r->config->n_listeners];
	const struct config_rule *rule = item;
	const struct config_rule *last = rule == listener->rules ? NULL :
					 rule - 1;

	/* What was wrong with the last one must not be taken for missing. */
	if (last && !r->n_errors && fits_everybody(listener, last))
		config_error(r, &m->node->start_mark, "rules", "expected no "
			     "rule behind the one on line %u, which everybody "
			     "fits, found one", last->mark.line);
	if (rule->alpn.len && config_terminates(r->config, rule->route))
		check_protocols(r, listener, config_value(m, "alpn"));
}

static const struct config_key rule_keys[] = {
	{ "sni", config_read_texts, FIELD(config_rule, sni),
	  .min = 1, .max = MAX_NAMES, .entry = config_name_pattern },
	{ "alpn", config_read_alpn, FIELD(config_rule, alpn),
	  .min = 1, .max = CONFIG_MAX_PROTOCOLS },
	{ "from", config_read_prefixes, FIELD(config_rule, from),
	  .min = 1, .max = MAX_PREFIXES },
	{ "route", config_read_route, FIELD(config_rule, route),
	  .required = true },
};

const struct config_table config_rule_keys = {
	.keys = rule_keys, .n_keys = LENGTH(rule_keys),
	.size = sizeof(struct config_rule),
	.mark = offsetof(struct config_rule, mark),
	.finish = finish_rule,
};
