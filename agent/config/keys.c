/* SPDX-License-Identifier: MIT */
/*
 * The keys of ktlsd.conf(5), and the readers of those values that must agree
 * with other values.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

#define MAX_WORKERS 1024
#define MAX_CERTS 10000
#define MAX_LISTENERS 256
#define MAX_ROUTES 256
#define MAX_LIMIT 10000000
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

static void read_user(struct config_reader *r, const struct config_key *key,
		      const yaml_node_t *node, char **user, uid_t *uid,
		      gid_t *gid)
{
	if (find_account(r, key, node, user, uid, gid) == -ENOENT)
		config_error(r, &node->start_mark, key->name,
			     "expected an account that exists, found %s: name "
			     "another, or create it with useradd --system %s",
			     config_found(node).text,
			     (char *)node->data.scalar.value);
}

static CONFIG_READER(read_workers_user)
{
	struct config *config = item;

	read_user(r, key, node, &config->user, &config->uid, &config->gid);
	config->proxy_uid = config->uid;
	config->proxy_gid = config->gid;
}

static CONFIG_READER(read_proxy_user)
{
	struct config *config = item;

	read_user(r, key, node, &config->proxy_user, &config->proxy_uid,
		  &config->proxy_gid);
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

static const char *const ktls_words[] = {
	[CONFIG_KTLS_PREFER] = "prefer",
	[CONFIG_KTLS_REQUIRE] = "require",
	[CONFIG_KTLS_OFF] = "off",
	NULL
};

static const struct config_key limit_keys[] = {
	{ "handshakes", config_read_number, FIELD(config_limits, handshakes),
	  .preset = "0", .min = 0, .max = MAX_LIMIT },
	{ "handshakes_per_client", config_read_number,
	  FIELD(config_limits, handshakes_per_client),
	  .preset = "0", .min = 0, .max = MAX_LIMIT },
	{ "client_prefix_v4", config_read_number,
	  FIELD(config_limits, client_v4),
	  .preset = "32", .min = 1, .max = 32 },
	{ "client_prefix_v6", config_read_number,
	  FIELD(config_limits, client_v6),
	  .preset = "64", .min = 1, .max = 128 },
	{ "accept_rate", config_read_number, FIELD(config_limits, accept_rate),
	  .preset = "0", .min = 0, .max = MAX_LIMIT },
	{ "client_hello", config_read_number,
	  FIELD(config_limits, client_hello),
	  .preset = "16384", .min = 512, .max = 131072 },
};

static const struct config_table limits_table = {
	.keys = limit_keys, .n_keys = LENGTH(limit_keys),
};

/* Listeners stand behind what they name, and what they inherit from. */
static const struct config_key file_keys[] = {
	{ "workers", config_read_workers, FIELD(config, workers),
	  .preset = "auto", .min = 1, .max = MAX_WORKERS },
	{ "user", read_workers_user, FIELD(config, user), .preset = "ktlsd" },
	{ "proxy_user", read_proxy_user, FIELD(config, proxy_user) },
	{ "stapler_user", read_stapler_user, FIELD(config, stapler_user),
	  .preset = "ktlsd-ocsp" },
	{ "ktls", config_read_word, FIELD(config, ktls),
	  .preset = "prefer", .words = ktls_words },
	{ "state_dir", config_read_path, FIELD(config, state_dir),
	  .preset = "/var/lib/ktlsd" },
	{ "control", config_read_socket, FIELD(config, control),
	  .preset = "/run/ktlsd/control.sock" },
	{ "handshake_timeout", config_read_duration,
	  FIELD(config, handshake_timeout_ms),
	  .preset = "10s", .min = 1, .max = 1 * HOUR },
	{ "drain_timeout", config_read_duration,
	  FIELD(config, drain_timeout_ms),
	  .preset = "30s", .min = 0, .max = 24 * HOUR },
	{ "limits", config_read_map, FIELD(config, limits),
	  .table = &limits_table },
	{ "tls", config_read_map, FIELD(config, tls),
	  .table = &config_tls_keys },
	{ "ticket_lifetime", config_read_seconds,
	  FIELD(config, ticket_lifetime_s),
	  .preset = "12h", .min = 1 * SECOND, .max = 7 * 24 * HOUR },
	{ "ticket_keys", config_read_file, FIELD(config, ticket_keys) },
	{ "keylog", config_read_path, FIELD(config, keylog) },
	{ "watch", config_read_choice, FIELD(config, watch),
	  .preset = "false", .words = config_bool_words },
	{ "certificates", config_read_certs, FIELD(config, certs),
	  .count = offsetof(struct config, n_certs), .required = true,
	  .min = 1, .max = MAX_CERTS, .table = &config_cert_keys },
	{ "routes", config_read_list, FIELD(config, routes),
	  .count = offsetof(struct config, n_routes), .required = true,
	  .min = 1, .max = MAX_ROUTES, .table = &config_route_keys },
	{ "listeners", config_read_list, FIELD(config, listeners),
	  .count = offsetof(struct config, n_listeners), .required = true,
	  .min = 1, .max = MAX_LISTENERS, .table = &config_listener_keys },
	{ "ocsp", config_read_map, FIELD(config, ocsp),
	  .table = &config_ocsp_keys },
};

const struct config_table config_keys = {
	.keys = file_keys, .n_keys = LENGTH(file_keys),
};
