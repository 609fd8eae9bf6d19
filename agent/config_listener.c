/* SPDX-License-Identifier: MIT */
/*
 * Readers of a listener's values: addresses, protocols, its route.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config_value.h"

#define MAX_ALPN 65535	/* RFC 7301 3.1: the list's length has 16 bits */

/* "*", "[IPv6]" or "IPv4", @len bytes of @host. */
static int parse_host(const char *host, size_t len,
		      struct sockaddr_storage *addr)
{
	struct sockaddr_in *in = (struct sockaddr_in *)addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)addr;
	char text[INET6_ADDRSTRLEN + 2];
	void *bytes = &in->sin_addr;
	char *start = text;

	memset(addr, 0, sizeof(*addr));
	addr->ss_family = AF_INET;
	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, host, len);
	text[len] = '\0';
	if (!strcmp(text, "*"))
		strcpy(text, "[::]");
	len = strlen(text);
	if (text[0] == '[' && text[len - 1] == ']') {
		text[len - 1] = '\0';
		start++;
		addr->ss_family = AF_INET6;
		bytes = &in6->sin6_addr;
	}
	return inet_pton(addr->ss_family, start, bytes) == 1 ? 0 : -EINVAL;
}

static int parse_bind(const char *text, struct sockaddr_storage *addr,
		      socklen_t *addr_len)
{
	const char *colon = strrchr(text, ':');
	unsigned int port;

	if (!colon || colon == text || parse_host(text, colon - text, addr) ||
	    config_parse_number(colon + 1, strlen(colon + 1), 65535, &port))
		return -EINVAL;
	if (addr->ss_family == AF_INET6) {
		((struct sockaddr_in6 *)addr)->sin6_port = htons(port);
		*addr_len = sizeof(struct sockaddr_in6);
	} else {
		((struct sockaddr_in *)addr)->sin_port = htons(port);
		*addr_len = sizeof(struct sockaddr_in);
	}
	return 0;
}

/* An address as the kernel sees it behind a socket that takes both families. */
static struct sockaddr_in6 as_v6(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
	struct sockaddr_in6 in6 = { .sin6_port = in->sin_port };

	if (addr->ss_family == AF_INET6)
		return *(const struct sockaddr_in6 *)addr;
	in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&in6.sin6_addr.s6_addr[12], &in->sin_addr, 4);
	return in6;
}

static bool covers(const struct in6_addr *a, const struct in6_addr *b)
{
	static const struct in6_addr any4 = {
		.s6_addr = { [10] = 0xff, [11] = 0xff },
	};

	return IN6_IS_ADDR_UNSPECIFIED(a) ||
	       (IN6_ARE_ADDR_EQUAL(a, &any4) && IN6_IS_ADDR_V4MAPPED(b)) ||
	       IN6_ARE_ADDR_EQUAL(a, b);
}

/* Would bind(2) refuse to have both? */
static bool same_address(const struct config_listener *a,
			 const struct config_listener *b)
{
	struct sockaddr_in6 x = as_v6(&a->addr), y = as_v6(&b->addr);

	return x.sin6_port && x.sin6_port == y.sin6_port &&
	       (covers(&x.sin6_addr, &y.sin6_addr) ||
		covers(&y.sin6_addr, &x.sin6_addr));
}

CONFIG_READER(config_read_bind)
{
	static const char *const form = "a numeric address and port such as "
		"\"[::]:443\", \"192.0.2.1:443\" or \"*:443\", in quotes";
	struct config_listener *listener = item, *other;
	const char *text = config_text(r, key, node, form);
	size_t i;

	if (!text)
		return;
	if (parse_bind(text, &listener->addr, &listener->addr_len)) {
		listener->addr_len = 0;
		config_expected(r, key, node, "%s", form);
		return;
	}
	for (i = 0; i < r->config->n_listeners; i++) {
		other = &r->config->listeners[i];
		if (other->addr_len && same_address(listener, other))
			config_expected(r, key, node, "an address that the "
					"listener on line %u does not take",
					other->mark.line);
	}
	listener->bind = config_copy(r, text);
}

CONFIG_READER(config_read_route)
{
	struct config_listener *listener = item;
	const char *name = config_text(r, key, node, "the name of a route");
	const struct config_route *routes = r->config->routes;
	size_t i;

	if (!name)
		return;
	for (i = 0; i < r->config->n_routes; i++) {
		if (routes[i].name && !strcmp(routes[i].name, name)) {
			listener->route = i;
			return;
		}
	}
	/* Without routes that is the error, and was said. */
	if (r->config->n_routes)
		config_expected(r, key, node, "the name of a route");
}

/* The list's size in wire format; -EINVAL after complaining. */
static ssize_t alpn_size(struct config_reader *r, const struct config_key *key,
			 const yaml_node_t *list)
{
	const yaml_node_item_t *i = list->data.sequence.items.start;
	const yaml_node_t *name;
	ssize_t size = 0;
	bool bad = false;

	for (; i < list->data.sequence.items.top && size <= MAX_ALPN; i++) {
		name = yaml_document_get_node(r->document, *i);
		if (config_too_many_errors(r))
			return -EINVAL;
		if (name->type != YAML_SCALAR_NODE ||
		    !name->data.scalar.length ||
		    name->data.scalar.length > 255) {
			config_expected(r, key, name,
					"a protocol of 1 to 255 bytes");
			bad = true;
		} else {
			size += 1 + name->data.scalar.length;
		}
	}
	if (size <= MAX_ALPN)
		return bad ? -EINVAL : size;
	config_error(r, &list->start_mark, key->name,
		     "expected at most %u bytes in all, found more", MAX_ALPN);
	return -EINVAL;
}

static void alpn_encode(const struct config_reader *r, const yaml_node_t *list,
			uint8_t *wire)
{
	const yaml_node_item_t *i = list->data.sequence.items.start;
	const yaml_node_t *name;

	for (; i < list->data.sequence.items.top; i++) {
		name = yaml_document_get_node(r->document, *i);
		*wire++ = name->data.scalar.length;
		wire = mempcpy(wire, name->data.scalar.value,
			       name->data.scalar.length);
	}
}

CONFIG_READER(config_read_alpn)
{
	struct config_alpn *alpn = config_field(key, item);
	ssize_t size;

	if (node->type != YAML_SEQUENCE_NODE) {
		config_expected(r, key, node, "a list of protocols");
		return;
	}
	size = alpn_size(r, key, node);
	if (size <= 0)
		return;
	alpn->wire = malloc(size);
	if (!alpn->wire) {
		r->no_memory = true;
		return;
	}
	alpn->len = size;
	alpn_encode(r, node, alpn->wire);
}
