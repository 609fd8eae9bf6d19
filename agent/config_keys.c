/* SPDX-License-Identifier: MIT */
/*
 * The keys of ktlsd.conf(5), and the readers of those values that must agree
 * with other values.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "agent/config_value.h"

#define MAX_WORKERS 1024
#define MAX_CERTS 10000
#define MAX_LISTENERS 256
#define MAX_ROUTES 256
#define MAX_UIDS 1024
#define MAX_ROUTE_NAME 63
#define MAX_QUEUE 65536
#define MAX_BACKLOG 65535
#define MAX_TICKETS 8
#define SECOND 1000
#define HOUR (3600 * SECOND)

/*
 * The account of processes; nobody needs it unless there is root to drop.
 * Returns 0, -ENOENT when it is missing, -EINVAL after complaining.
 */
static int find_account(struct config_reader *r, const struct config_key *key,
			const yaml_node_t *node, char **user, uid_t *uid,
			gid_t *gid)
{
	const char *name = config_text(r, key, node, "an account");
	int ret;

	if (!name)
		return -EINVAL;
	*user = config_copy(r, name);
	*uid = r->env->geteuid();
	*gid = r->env->getegid();
	if (*uid)
		return 0;
	ret = r->env->find_user(name, uid, gid);
	if (!ret || ret == -ENOENT)
		return ret;
	config_expected(r, key, node, "an account (%s)", strerror(-ret));
	return -EINVAL;
}

static CONFIG_READER(read_user)
{
	struct config *config = item;

	if (find_account(r, key, node, &config->user, &config->uid,
			 &config->gid) == -ENOENT)
		config_error(r, &node->start_mark, key->name,
			     "expected an account that exists, found %s: name "
			     "another, or create it with useradd --system %s",
			     config_found(node).text,
			     (char *)node->data.scalar.value);
}

/* Without it only what is to be fetched has a fault, and who knows that yet. */
static CONFIG_READER(read_stapler_user)
{
	struct config *config = item;

	if (find_account(r, key, node, &config->stapler_user,
			 &config->stapler_uid,
			 &config->stapler_gid) != -ENOENT)
		return;
	config->stapler_uid = -1;
	config->stapler_gid = -1;
}

static CONFIG_READER(read_staple)
{
	static const char *const words[] = {
		[CONFIG_STAPLE_AUTO] = "auto",
		[CONFIG_STAPLE_MUST] = "must",
		[CONFIG_STAPLE_OFF] = "off",
	};
	struct config_cert *cert = item;
	const char *text = config_text(r, key, node, "auto, must, off or the "
				       "path of a file");
	size_t i;

	if (!text)
		return;
	for (i = 0; i < LENGTH(words) && strcmp(text, words[i]); i++)
		;
	cert->staple = i < LENGTH(words) ? i : CONFIG_STAPLE_FILE;
	if (cert->staple == CONFIG_STAPLE_FILE)
		config_store_path(r, key, text, item);
}

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

static CONFIG_READER(read_socket_path)
{
	static const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path);
	const char *path;

	config_read_path(r, key, node, item);
	path = *(char **)config_field(key, item);
	if (!path)
		return;
	if (strlen(path) >= max)
		config_error(r, &node->start_mark, key->name,
			     "expected a path of at most %zu bytes, found %zu "
			     "bytes: %s", max - 1, strlen(path), path);
	check_path_unused(r, key, node, path);
}

static CONFIG_READER(read_route_name)
{
	static const char *const form = "a name of 1 to 63 letters, digits, "
					"'-', '_' or '.'";
	static const char *const set = "-_.0123456789"
				       "abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *name = config_text(r, key, node, form), *other;
	struct config_route *route = item;
	size_t i;

	if (!name)
		return;
	if (strlen(name) > MAX_ROUTE_NAME || name[strspn(name, set)]) {
		config_expected(r, key, node, "%s", form);
		return;
	}
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

static const char *const ktls_words[] = {
	[CONFIG_KTLS_PREFER] = "prefer",
	[CONFIG_KTLS_REQUIRE] = "require",
	[CONFIG_KTLS_OFF] = "off",
	NULL
};

static const char *const no_consumer_words[] = { "hold", NULL };

static const struct config_key cert_keys[] = {
	{ "chain", config_read_path, FIELD(config_cert, chain),
	  .required = true },
	{ "key", config_read_path, FIELD(config_cert, key),
	  .required = true },
	{ "staple", read_staple, FIELD(config_cert, staple_file),
	  .preset = "auto" },
	{ "issuer", config_read_path, FIELD(config_cert, issuer) },
	{ "responder", config_read_url, FIELD(config_cert, responder) },
};

static const struct config_table cert_table = {
	.keys = cert_keys, .n_keys = LENGTH(cert_keys),
	.size = sizeof(struct config_cert),
	.mark = offsetof(struct config_cert, mark),
};

static const struct config_key listener_keys[] = {
	{ "bind", config_read_bind, FIELD(config_listener, bind),
	  .required = true },
	{ "route", config_read_route, FIELD(config_listener, route),
	  .required = true },
	{ "alpn", config_read_alpn, FIELD(config_listener, alpn) },
	{ "tickets", config_read_number, FIELD(config_listener, tickets),
	  .preset = "2", .min = 0, .max = MAX_TICKETS },
	{ "backlog", config_read_number, FIELD(config_listener, backlog),
	  .preset = "4096", .min = 1, .max = MAX_BACKLOG },
};

static const struct config_table listener_table = {
	.keys = listener_keys, .n_keys = LENGTH(listener_keys),
	.size = sizeof(struct config_listener),
	.mark = offsetof(struct config_listener, mark),
};

static const struct config_key route_keys[] = {
	{ "name", read_route_name, FIELD(config_route, name),
	  .required = true },
	{ "handoff", read_socket_path, FIELD(config_route, handoff),
	  .required = true },
	{ "user", config_read_uid, FIELD(config_route, user) },
	{ "group", config_read_gid, FIELD(config_route, group) },
	{ "mode", config_read_mode, FIELD(config_route, mode),
	  .preset = "0660" },
	{ "allow_uids", read_uids, FIELD(config_route, allow_uids),
	  .min = 1, .max = MAX_UIDS },
	{ "queue", config_read_number, FIELD(config_route, queue),
	  .preset = "1024", .min = 1, .max = MAX_QUEUE },
	{ "no_consumer", config_check_word, .preset = "hold",
	  .words = no_consumer_words },
	{ "hold_timeout", config_read_duration,
	  FIELD(config_route, hold_timeout_ms),
	  .preset = "30s", .min = 1, .max = 1 * HOUR },
};

/* A route's socket belongs to whoever started ktlsd, unless told otherwise. */
static void init_route(const struct config_reader *r, void *item)
{
	struct config_route *route = item;

	route->user = r->env->geteuid();
	route->group = r->env->getegid();
}

static const struct config_table route_table = {
	.keys = route_keys, .n_keys = LENGTH(route_keys),
	.size = sizeof(struct config_route),
	.mark = offsetof(struct config_route, mark),
	.init = init_route,
};

/* Routes stand before listeners, which name them. */
static const struct config_key file_keys[] = {
	{ "workers", config_read_workers, FIELD(config, workers),
	  .preset = "auto", .min = 1, .max = MAX_WORKERS },
	{ "user", read_user, FIELD(config, user), .preset = "ktlsd" },
	{ "stapler_user", read_stapler_user, FIELD(config, stapler_user),
	  .preset = "ktlsd-ocsp" },
	{ "ktls", config_read_word, FIELD(config, ktls),
	  .preset = "prefer", .words = ktls_words },
	{ "state_dir", config_read_path, FIELD(config, state_dir),
	  .preset = "/var/lib/ktlsd" },
	{ "control", read_socket_path, FIELD(config, control),
	  .preset = "/run/ktlsd/control.sock" },
	{ "handshake_timeout", config_read_duration,
	  FIELD(config, handshake_timeout_ms),
	  .preset = "10s", .min = 1, .max = 1 * HOUR },
	{ "drain_timeout", config_read_duration,
	  FIELD(config, drain_timeout_ms),
	  .preset = "30s", .min = 0, .max = 24 * HOUR },
	{ "certificates", config_read_list, FIELD(config, certs),
	  .count = offsetof(struct config, n_certs), .required = true,
	  .min = 1, .max = MAX_CERTS, .table = &cert_table },
	{ "routes", config_read_list, FIELD(config, routes),
	  .count = offsetof(struct config, n_routes), .required = true,
	  .min = 1, .max = MAX_ROUTES, .table = &route_table },
	{ "listeners", config_read_list, FIELD(config, listeners),
	  .count = offsetof(struct config, n_listeners), .required = true,
	  .min = 1, .max = MAX_LISTENERS, .table = &listener_table },
	{ "ocsp", config_read_map, FIELD(config, ocsp),
	  .table = &config_ocsp_keys },
};

const struct config_table config_keys = {
	.keys = file_keys, .n_keys = LENGTH(file_keys),
};
