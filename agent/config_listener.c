/* SPDX-License-Identifier: MIT */
/*
 * The keys of a listener.
 */
#include "agent/config_value.h"

#define MAX_RULES 10000
#define MAX_TICKETS 8
#define MAX_BACKLOG 65535

static void finish_listener(struct config_reader *r,
			    const struct config_mapping *m, void *item)
{
	struct config_listener *listener = item;

	if (config_value(m, "route"))
		return;
	listener->route = CONFIG_DENY;
	if (!config_value(m, "rules"))
		config_error(r, &m->node->start_mark, "route",
			     "expected this key or rules here, found none");
}

static const struct config_key listener_keys[] = {
	{ "bind", config_read_bind, FIELD(config_listener, bind),
	  .required = true },
	{ "route", config_read_route, FIELD(config_listener, route) },
	{ "alpn", config_read_alpn, FIELD(config_listener, alpn),
	  .max = CONFIG_MAX_PROTOCOLS },
	{ "rules", config_read_list, FIELD(config_listener, rules),
	  .count = offsetof(struct config_listener, n_rules),
	  .min = 1, .max = MAX_RULES, .table = &config_rule_keys },
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
