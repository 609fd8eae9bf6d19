/* SPDX-License-Identifier: MIT */
/*
 * Readers of ranges of addresses.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"
#include "agent/prefix.h"

/* @len bytes of @text; @bits: those before an address of its family */
static int parse_address(const char *text, size_t len,
			 uint8_t addr[static PREFIX_LEN], unsigned int *bits)
{
	char copy[INET6_ADDRSTRLEN];

	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*bits = 0;
	if (strchr(copy, ':'))
		return inet_pton(AF_INET6, copy, addr) == 1 ? 0 : -EINVAL;
	*bits = PREFIX_V4_BITS;
	memset(addr, 0, 10);
	memset(addr + 10, 0xff, 2);
	return inet_pton(AF_INET, copy, addr + 12) == 1 ? 0 : -EINVAL;
}

static int parse_prefix(const char *text, struct config_prefix *prefix,
			unsigned int *family)
{
	size_t len = strcspn(text, "/");
	unsigned int bits;

	if (parse_address(text, len, prefix->addr, family))
		return -EINVAL;
	bits = 128 - *family;
	if (text[len] &&
	    config_parse_number(text + len + 1, strlen(text + len + 1), bits,
				&bits))
		return -EINVAL;
	prefix->bits = *family + bits;
	return 0;
}

/* Clear what is behind the prefix; was anything set there? */
static bool clear_rest(struct config_prefix *prefix)
{
	uint8_t before[PREFIX_LEN];

	memcpy(before, prefix->addr, PREFIX_LEN);
	prefix_mask(prefix->addr, prefix->bits);
	return memcmp(before, prefix->addr, PREFIX_LEN);
}

static void read_prefix(struct config_reader *r, const struct config_key *key,
			const yaml_node_t *node, struct config_prefix *prefix)
{
	static const char *const form = "an address or a network such as "
		"192.0.2.0/24 or \"2001:db8::/32\"";
	const char *text = config_text(r, key, node, form);
	char network[INET6_ADDRSTRLEN];
	unsigned int family;

	if (!text)
		return;
	if (parse_prefix(text, prefix, &family)) {
		config_expected(r, key, node, "%s", form);
		return;
	}
	if (!clear_rest(prefix))
		return;
	inet_ntop(family ? AF_INET : AF_INET6,
		  prefix->addr + (family ? 12 : 0), network, sizeof(network));
	config_expected(r, key, node, "no bits behind the prefix, as in %s/%u",
			network, prefix->bits - family);
}

CONFIG_READER(config_read_prefixes)
{
	struct config_prefixes *prefixes = config_field(key, item);
	size_t n = config_list_length(r, key, node), i;

	if (!n)
		return;
	prefixes->prefix = calloc(n, sizeof(*prefixes->prefix));
	if (!prefixes->prefix) {
		r->no_memory = true;
		return;
	}
	prefixes->n = n;
	for (i = 0; i < n && !config_too_many_errors(r); i++)
		read_prefix(r, key, config_list_item(r, node, i),
			    &prefixes->prefix[i]);
}
