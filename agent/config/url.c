/* SPDX-License-Identifier: MIT */
/*
 * Readers of URLs, and of the hosts in them.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "value.h"

#define MAX_URL (OCSP_URL_MAX - 1)
#define MAX_HOST 253	/* RFC 1035 2.3.4, as text */

#define LETTERS_DIGITS "abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" "0123456789"

/* A name, an IPv4 address, or an IPv6 address in brackets; @len bytes. */
static bool is_host(const char *text, size_t len)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr in6;

	if (!len || len > MAX_HOST)
		return false;
	if (text[0] != '[')
		return strspn(text, LETTERS_DIGITS "-._") >= len;
	if (text[len - 1] != ']' || len - 2 >= sizeof(address))
		return false;
	memcpy(address, text + 1, len - 2);
	address[len - 2] = '\0';
	return inet_pton(AF_INET6, address, &in6) == 1;
}

static bool is_port(const char *text, size_t len)
{
	unsigned int port;

	return !config_parse_number(text, len, 65535, &port) && port;
}

/*
 * What stands behind scheme, host and port: a path, a query, or nothing; NULL if
 * it is no such URL (RFC 3986), or has user information or a fragment.
 */
static const char *skip_authority(const char *url, const char *scheme,
				  bool *has_port)
{
	const char *host = url + strlen(scheme), *colon, *end;

	if (strncmp(url, scheme, strlen(scheme)) ||
	    url[strspn(url, LETTERS_DIGITS "-._~:/?[]@!$&'()*+,;=%")])
		return NULL;
	end = host + strcspn(host, "/?");
	colon = host + strcspn(host, host[0] == '[' ? "]/?" : ":/?");
	colon += *colon == ']';
	*has_port = *colon == ':';
	if (!is_host(host, colon - host))
		return NULL;
	if (*has_port ? !is_port(colon + 1, end - colon - 1) : colon != end)
		return NULL;
	return end;
}

static const char *url_text(struct config_reader *r,
			    const struct config_key *key,
			    const yaml_node_t *node, const char *form)
{
	const char *text = config_text(r, key, node, form);

	if (!text || strlen(text) <= MAX_URL)
		return text;
	config_error(r, &node->start_mark, key->name,
		     "expected a URL of at most %u bytes, found %zu bytes",
		     MAX_URL, strlen(text));
	return NULL;
}

CONFIG_READER(config_read_url)
{
	static const char *const form = "a URL such as "
		"http://ocsp.example.com/path or https://192.0.2.1:8443, with "
		"neither user name nor fragment";
	const char *url = url_text(r, key, node, form);
	bool has_port;

	if (!url)
		return;
	if (skip_authority(url, "http://", &has_port) ||
	    skip_authority(url, "https://", &has_port))
		*(char **)config_field(key, item) = config_copy(r, url);
	else
		config_expected(r, key, node, "%s", form);
}

/* With its port: what proxies listen on has no default that all agree on. */
CONFIG_READER(config_read_proxy)
{
	static const char *const form =
		"a URL of scheme, host and port such as "
		"http://proxy.example.com:3128";
	const char *url = url_text(r, key, node, form), *rest;
	bool has_port;

	if (!url)
		return;
	rest = skip_authority(url, "http://", &has_port);
	if (rest && has_port && (!*rest || !strcmp(rest, "/")))
		*(char **)config_field(key, item) = config_copy(r, url);
	else
		config_expected(r, key, node, "%s", form);
}

CONFIG_READER(config_read_host)
{
	static const char *const form = "a host as it stands in URLs, such as "
		"ocsp.example.com, without a port";
	const char *text = config_text(r, key, node, form);
	char *host, *c;

	if (!text)
		return;
	if (!is_host(text, strlen(text))) {
		config_expected(r, key, node, "%s", form);
		return;
	}
	host = config_copy(r, text);
	for (c = host; c && *c; c++)
		*c = tolower((unsigned char)*c);
	*(char **)config_field(key, item) = host;
}
