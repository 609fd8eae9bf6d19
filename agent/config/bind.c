/* SPDX-License-Identifier: MIT */
/*
 * Where a listener listens: an address and a port, or a path.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "value.h"

#define UNIX "unix:"

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

int config_parse_address(const char *text, struct sockaddr_storage *addr,
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

/* Does a socket bound to @a, with that listener's v6only, take @b too? */
static bool covers(const struct in6_addr *a, bool v6only,
		   const struct in6_addr *b)
{
	static const struct in6_addr any4 = {
		.s6_addr = { [10] = 0xff, [11] = 0xff },
	};
	bool four = IN6_IS_ADDR_V4MAPPED(b);

	return (IN6_IS_ADDR_UNSPECIFIED(a) && !(v6only && four)) ||
	       (IN6_ARE_ADDR_EQUAL(a, &any4) && four) ||
	       IN6_ARE_ADDR_EQUAL(a, b);
}

/* Would bind(2) refuse to have both? */
static bool same_address(const struct config_listener *a,
			 const struct config_listener *b)
{
	struct sockaddr_in6 x = as_v6(&a->addr), y = as_v6(&b->addr);

	if (a->addr.ss_family == AF_UNIX || b->addr.ss_family == AF_UNIX)
		return a->addr_len == b->addr_len &&
		       !memcmp(&a->addr, &b->addr, a->addr_len);
	return x.sin6_port && x.sin6_port == y.sin6_port &&
	       (covers(&x.sin6_addr, a->v6only, &y.sin6_addr) ||
		covers(&y.sin6_addr, b->v6only, &x.sin6_addr));
}

static bool takes_v4(const char *text, const struct sockaddr_storage *addr)
{
	const struct sockaddr_in6 *in6 = (const void *)addr;

	return text[0] == '*' || addr->ss_family != AF_INET6 ||
	       IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
}

static void read_unix(struct config_reader *r, const struct config_key *key,
		      const yaml_node_t *node, const char *name,
		      struct config_listener *listener)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&listener->addr;
	char *path = config_path(r, name);

	if (!path)
		return;
	if (r->config->ktls == CONFIG_KTLS_REQUIRE)
		config_expected(r, key, node, "an address and a port, since "
				"ktls is require and the kernel encrypts TCP "
				"only");
	if (config_check_socket(r, key, node, path)) {
		un->sun_family = AF_UNIX;
		strcpy(un->sun_path, path);
		listener->addr_len = sizeof(*un);
	}
	free(path);
}

static void read_address(struct config_reader *r, const struct config_key *key,
			 const yaml_node_t *node, const char *text,
			 struct config_listener *listener)
{
	static const char *const form = "a numeric address and port such as "
		"\"[::]:443\", \"192.0.2.1:443\" or \"*:443\", or "
		"\"unix:PATH\", in quotes";

	if (!strncmp(text, UNIX, strlen(UNIX)) && text[strlen(UNIX)]) {
		read_unix(r, key, node, text + strlen(UNIX), listener);
	} else if (config_parse_address(text, &listener->addr, &listener->addr_len)) {
		listener->addr_len = 0;
		config_expected(r, key, node, "%s", form);
		return;
	}
	if (listener->v6only && takes_v4(text, &listener->addr))
		config_expected(r, key, node, "an IPv6 address such as "
				"\"[::]:443\", since v6only is true");
}

/* Read behind v6only. */
CONFIG_READER(config_read_bind)
{
	struct config_listener *listener = item, *other;
	const char *text = config_text(r, key, node, "an address and port");
	size_t i;

	if (!text)
		return;
	read_address(r, key, node, text, listener);
	for (i = 0; listener->addr_len && i < r->config->n_listeners; i++) {
		other = &r->config->listeners[i];
		if (other->addr_len && same_address(listener, other))
			config_expected(r, key, node, "an address that the "
					"listener on line %u does not take",
					other->mark.line);
	}
	listener->bind = config_copy(r, text);
}
