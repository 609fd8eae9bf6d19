/* SPDX-License-Identifier: MIT */
/*
 * The keys of a route whose connections a proxy takes to servers.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "value.h"

#define UNIX "unix:"

static bool has_port(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET6 ?
	       ((const struct sockaddr_in6 *)addr)->sin6_port :
	       ((const struct sockaddr_in *)addr)->sin_port;
}

static bool read_unix(struct config_reader *r, const struct config_key *key,
		      const yaml_node_t *node, const char *name,
		      struct config_backend *backend)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&backend->addr;
	char *path = config_path(r, name);
	bool fits = path && strlen(path) < sizeof(un->sun_path);

	if (fits) {
		un->sun_family = AF_UNIX;
		strcpy(un->sun_path, path);
		backend->addr_len = sizeof(*un);
	} else if (path) {
		config_error(r, &node->start_mark, key->name,
			     "expected a path of at most %zu bytes, found %zu "
			     "bytes: %s", sizeof(un->sun_path) - 1,
			     strlen(path), path);
	}
	free(path);
	return fits;
}

static bool read_address(struct config_reader *r, const struct config_key *key,
			 const yaml_node_t *node, const char *text,
			 struct config_backend *backend)
{
	if (!strncmp(text, UNIX, strlen(UNIX)) && text[strlen(UNIX)])
		return read_unix(r, key, node, text + strlen(UNIX), backend);
	if (text[0] != '*' &&
	    !config_parse_address(text, &backend->addr, &backend->addr_len) &&
	    has_port(&backend->addr))
		return true;
	config_expected(r, key, node, "a numeric address and port such as "
			"\"127.0.0.1:8080\" or \"[::1]:8080\", or "
			"\"unix:PATH\", in quotes");
	return false;
}

static void read_backend(struct config_reader *r, const struct config_key *key,
			 const yaml_node_t *node, struct config_proxy *proxy)
{
	struct config_backend *backend = &proxy->backends[proxy->n], *other;
	const char *text = config_text(r, key, node, "an address and port");
	size_t i;

	if (!text || !read_address(r, key, node, text, backend))
		return;
	for (i = 0; i < proxy->n; i++) {
		other = &proxy->backends[i];
		if (other->addr_len != backend->addr_len ||
		    memcmp(&other->addr, &backend->addr, other->addr_len))
			continue;
		config_expected(r, key, node, "each server once");
		return;
	}
	backend->text = config_copy(r, text);
	proxy->n++;
}

/* One, or a list of them. */
CONFIG_READER(config_read_backends)
{
	struct config_proxy *proxy = config_field(key, item);
	bool list = node->type == YAML_SEQUENCE_NODE;
	size_t n = list ? config_list_length(r, key, node) : 1, i;

	if (!n)
		return;
	proxy->backends = calloc(n, sizeof(*proxy->backends));
	if (!proxy->backends) {
		r->no_memory = true;
		return;
	}
	for (i = 0; i < n && !config_too_many_errors(r); i++)
		read_backend(r, key, list ? config_list_item(r, node, i) : node,
			     proxy);
}

static void refuse(struct config_reader *r, const struct config_mapping *m,
		   const char *const *keys, const char *other)
{
	const yaml_node_t *node;

	for (; *keys; keys++) {
		node = config_value(m, *keys);
		if (node)
			config_error(r, &node->start_mark, *keys, "expected "
				     "this key beside %s only, found it "
				     "without", other);
	}
}

/* Nothing else leaves the machine's own consumers. */
static void check_tell(struct config_reader *r, const struct config_mapping *m,
		       const struct config_route *route)
{
	const yaml_node_t *tell = config_value(m, "tell");

	if (!route->tell || route->passthrough)
		return;
	if (route->tell != CONFIG_TELL_CLIENT_CERT ||
	    route->proxy.header != CONFIG_HEADER_V2)
		config_error(r, &tell->start_mark, "tell", "expected at most "
			     "client_certificate, and proxy_protocol: v2, "
			     "since servers behind a proxy are told no more, "
			     "found another list");
}

void config_finish_proxy(struct config_reader *r,
			 const struct config_mapping *m,
			 struct config_route *route)
{
	static const char *const of_proxy[] = {
		"proxy_protocol", "connect_timeout", "max_fails",
		"fail_timeout", NULL
	};
	static const char *const of_handoff[] = {
		"user", "group", "mode", "allow_uids", NULL
	};
	const yaml_node_t *proxy = config_value(m, "proxy");
	const yaml_node_t *handoff = config_value(m, "handoff");

	/* "true" is behind the last of them. */
	if (route->proxy.header > CONFIG_HEADER_V2)
		route->proxy.header = CONFIG_HEADER_V2;
	if (!proxy && !handoff)
		config_error(r, &m->node->start_mark, "handoff", "expected "
			     "this key or proxy here, found none");
	if (proxy && handoff)
		config_error(r, &proxy->start_mark, "proxy",
			     "expected this key or handoff, found both");
	if (proxy && !handoff) {
		refuse(r, m, of_handoff, "handoff");
		check_tell(r, m, route);
	} else {
		refuse(r, m, of_proxy, "proxy");
	}
}
