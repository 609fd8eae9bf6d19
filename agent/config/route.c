/* SPDX-License-Identifier: MIT */
/*
 * The keys of a route, and the reader of sockets' paths.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "value.h"

#define MAX_UIDS 1024
#define MAX_QUEUE 65536
#define SECOND 1000
#define HOUR (3600 * SECOND)

/* Complain if the socket path of @node is one that was read before. */
static void check_path_unused(struct config_reader *r,
			      const struct config_key *key,
			      const yaml_node_t *node, const char *path)
{
	const struct config *config = r->config;
	const struct config_route *route;
	size_t i;

	for (i = 0; i < config->n_routes; i++) {
		route = &config->routes[i];
		if (route->handoff && !strcmp(route->handoff, path))
			config_expected(r, key, node, "another path than the "
					"route's on line %u",
					route->mark.line);
	}
	if (config->control && config->control != path &&
	    !strcmp(config->control, path))
		config_expected(r, key, node, "another path than control's");
}

bool config_check_socket(struct config_reader *r, const struct config_key *key,
			 const yaml_node_t *node, const char *path)
{
	static const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path);

	check_path_unused(r, key, node, path);
	if (strlen(path) < max)
		return true;
	config_error(r, &node->start_mark, key->name,
		     "expected a path of at most %zu bytes, found %zu bytes: "
		     "%s", max - 1, strlen(path), path);
	return false;
}

CONFIG_READER(config_read_socket)
{
	const char *path;

	config_read_path(r, key, node, item);
	path = *(char **)config_field(key, item);
	if (path)
		config_check_socket(r, key, node, path);
}

static CONFIG_READER(read_route_name)
{
	const char *name = config_name(r, key, node), *other;
	struct config_route *route = item;
	size_t i;

	if (!name)
		return;
	if (!strcmp(name, "deny"))
		config_expected(r, key, node, "another name than that which "
				"means no route");
	for (i = 0; i < r->config->n_routes; i++) {
		other = r->config->routes[i].name;
		if (other && !strcmp(other, name))
			config_expected(r, key, node, "another name than the "
					"route's on line %u",
					r->config->routes[i].mark.line);
	}
	route->name = config_copy(r, name);
}

static CONFIG_READER(read_uids)
{
	struct config_route *route = item;
	const yaml_node_item_t *list;
	size_t n, i;

	if (node->type != YAML_SEQUENCE_NODE) {
		config_expected(r, key, node, "a list of accounts");
		return;
	}
	list = node->data.sequence.items.start;
	n = node->data.sequence.items.top - list;
	/* An empty list could be meant as "nobody" or as "anybody". */
	if (n < key->min || n > key->max) {
		config_error(r, &node->start_mark, key->name,
			     "expected %u to %u accounts, found %zu", key->min,
			     key->max, n);
		return;
	}
	route->allow_uids = calloc(n, sizeof(*route->allow_uids));
	if (!route->allow_uids) {
		r->no_memory = true;
		return;
	}
	route->n_allow_uids = n;
	for (i = 0; i < n && !config_too_many_errors(r); i++) {
		node = yaml_document_get_node(r->document, list[i]);
		config_parse_uid(r, key, node, &route->allow_uids[i]);
	}
}

/* Nothing is known of a handshake that others perform. */
static void finish_route(struct config_reader *r,
			 const struct config_mapping *m, void *item)
{
	const struct config_route *route = item;

	if (route->passthrough && route->tell)
		config_error(r, &config_value(m, "tell")->start_mark, "tell",
			     "expected no entries, since tls is passthrough, "
			     "found a list");
	if (route->passthrough && route->rekey)
		config_error(r, &config_value(m, "rekey")->start_mark, "rekey",
			     "expected false, since tls is passthrough, found "
			     "true");
	config_finish_proxy(r, m, item);
}

/* A route's socket belongs to whoever started ktlsd, unless told otherwise. */
static void init_route(const struct config_reader *r, void *item)
{
	struct config_route *route = item;

	route->user = r->env->geteuid();
	route->group = r->env->getegid();
}

static const char *const tls_words[] = { "terminate", "passthrough", NULL };
static const char *const no_consumer_words[] = { "hold", "refuse", NULL };
/* Those of enum config_tell, from its first bit */
static const char *const tell_words[] = {
	"client_certificate", "tls_exporter", "tls_server_end_point", "ja4",
	NULL
};

/* Those of enum config_header, and what is as good as the last. */
static const char *const header_words[] = { "false", "v1", "v2", "true", NULL };

static const struct config_key route_keys[] = {
	{ "name", read_route_name, FIELD(config_route, name),
	  .required = true },
	{ "handoff", config_read_socket, FIELD(config_route, handoff) },
	{ "proxy", config_read_backends, FIELD(config_route, proxy),
	  .min = 1, .max = CONFIG_MAX_BACKENDS },
	{ "proxy_protocol", config_read_word,
	  FIELD(config_route, proxy.header),
	  .preset = "false", .words = header_words },
	{ "connect_timeout", config_read_duration,
	  FIELD(config_route, proxy.connect_timeout_ms),
	  .preset = "3s", .min = 1, .max = 1 * HOUR },
	{ "max_fails", config_read_number,
	  FIELD(config_route, proxy.max_fails),
	  .preset = "1", .min = 0, .max = 1000 },
	{ "fail_timeout", config_read_duration,
	  FIELD(config_route, proxy.fail_timeout_ms),
	  .preset = "10s", .min = 1, .max = 1 * HOUR },
	{ "user", config_read_uid, FIELD(config_route, user) },
	{ "group", config_read_gid, FIELD(config_route, group) },
	{ "mode", config_read_mode, FIELD(config_route, mode),
	  .preset = "0660" },
	{ "allow_uids", read_uids, FIELD(config_route, allow_uids),
	  .min = 1, .max = MAX_UIDS },
	{ "queue", config_read_number, FIELD(config_route, queue),
	  .preset = "1024", .min = 1, .max = MAX_QUEUE },
	{ "tls", config_read_choice, FIELD(config_route, passthrough),
	  .preset = "terminate", .words = tls_words },
	{ "no_consumer", config_read_choice, FIELD(config_route, refuse),
	  .preset = "hold", .words = no_consumer_words },
	{ "hold_timeout", config_read_duration,
	  FIELD(config_route, hold_timeout_ms),
	  .preset = "30s", .min = 1, .max = 1 * HOUR },
	{ "tell", config_read_flags, FIELD(config_route, tell),
	  .max = LENGTH(tell_words), .words = tell_words },
	{ "rekey", config_read_choice, FIELD(config_route, rekey),
	  .preset = "false", .words = config_bool_words },
};

const struct config_table config_route_keys = {
	.keys = route_keys, .n_keys = LENGTH(route_keys),
	.size = sizeof(struct config_route),
	.mark = offsetof(struct config_route, mark),
	.init = init_route,
	.finish = finish_route,
};
