/* SPDX-License-Identifier: MIT */
/*
 * What listeners and certificates say of clients' certificates.
 */
#include <string.h>

#include "agent/config_value.h"

#define FINGERPRINT 64	/* hexadecimal digits of SHA-256 */
#define MAX_CN 64	/* ub-common-name, RFC 5280 appendix A */

const char *const config_verify_words[] = {
	[CONFIG_VERIFY_OFF] = "off",
	[CONFIG_VERIFY_OPTIONAL] = "optional",
	[CONFIG_VERIFY_REQUIRE] = "require",
	NULL
};
const char *const config_crl_expired_words[] = { "fail", "warn", NULL };

#define LETTERS "abcdefghijklmnopqrstuvwxyz" "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_printable(const char *text)
{
	while (*text > ' ' && *text <= '~')
		text++;
	return !*text;
}

/* Where the path begins, or what there is in the place of one (RFC 3986 3). */
static const char *behind_host(const char *uri, size_t scheme)
{
	const char *rest = uri + scheme + 1;

	return strncmp(rest, "//", 2) ? rest :
	       rest + 2 + strcspn(rest + 2, "/?#");
}

/*
 * A scheme, and something behind it. "*" stands for the rest, and only where a
 * part of the path begins, so that nobody can be called what the last part
 * before it goes on to. User names do not compare as the rest does.
 */
static bool is_uri(const char *uri)
{
	size_t scheme = strspn(uri, LETTERS "0123456789+-.");
	const char *star = strchr(uri, '*'), *path;

	if (!*uri || !strchr(LETTERS, *uri) || uri[scheme] != ':' ||
	    !uri[scheme + 1] || !is_printable(uri))
		return false;
	path = behind_host(uri, scheme);
	if (memchr(uri, '@', path - uri))
		return false;
	return !star || (!star[1] && star > path &&
			 (star[-1] == '/' || star[-1] == ':'));
}

static bool is_email(const char *address)
{
	const char *at = strrchr(address, '@');

	return at && at > address && is_printable(address) &&
	       !strchr(address, '*') && config_is_host_name(at + 1);
}

static bool is_cn(const char *name)
{
	return *name && strlen(name) <= 4 * MAX_CN && !strchr(name, '*');
}

static bool is_fingerprint(const char *digits)
{
	return strlen(digits) == FINGERPRINT &&
	       strspn(digits, "0123456789abcdefABCDEF") == FINGERPRINT;
}

static const struct kind {
	const char *name;	/* with its colon */
	bool (*check)(const char *rest);
	const char *expected;
} kinds[] = {
	{ "dns:", config_is_name_pattern,
	  "a host name such as dns:api.example.com or dns:*.example.com" },
	{ "uri:", is_uri,
	  "a URI such as uri:spiffe://example.com/api, or one that ends with "
	  "/* for whatever follows" },
	{ "email:", is_email, "an address such as email:ada@example.com" },
	{ "cn:", is_cn, "a common name such as cn:Ada, without \"*\"" },
	{ "spki-sha256:", is_fingerprint,
	  "spki-sha256: and 64 hexadecimal digits" },
};

char *config_allow(struct config_reader *r, const struct config_key *key,
		   const yaml_node_t *node)
{
	static const char *const form =
		"dns:, uri:, email:, cn: or spki-sha256:, and a name";
	const char *text = config_text(r, key, node, form);
	const struct kind *k = kinds;

	if (!text)
		return NULL;
	while (k < kinds + LENGTH(kinds) &&
	       strncmp(text, k->name, strlen(k->name)))
		k++;
	if (k < kinds + LENGTH(kinds) && k->check(text + strlen(k->name)))
		return config_copy(r, text);
	config_expected(r, key, node, "%s",
			k < kinds + LENGTH(kinds) ? k->expected : form);
	return NULL;
}

/* Complain of @key if it is there, but not @other, which gives it a meaning. */
static void check_needs(struct config_reader *r, const struct config_mapping *m,
			const char *key, const char *other)
{
	const yaml_node_t *node = config_value(m, key);

	if (node && !config_value(m, other))
		config_error(r, &node->start_mark, key,
			     "expected %s beside it, found none", other);
}

void config_finish_client(struct config_reader *r,
			  const struct config_mapping *m,
			  struct config_client *client)
{
	static const char *const keys[] = {
		"client_ca", "client_depth", "client_crl", "client_allow",
		"crl_expired", "client_verify",
	};
	bool ca = config_value(m, "client_ca"), set = false;
	size_t i;

	for (i = 0; i < LENGTH(keys); i++)
		set |= !!config_value(m, keys[i]);
	client->set = set;
	if (ca && !config_value(m, "client_verify"))
		client->verify = CONFIG_VERIFY_REQUIRE;
	for (i = 0; i < LENGTH(keys) - 1; i++)
		check_needs(r, m, keys[i], "client_ca");
	if (client->verify != CONFIG_VERIFY_OFF)
		check_needs(r, m, "client_verify", "client_ca");
	if (ca)
		check_needs(r, m, "crl_expired", "client_crl");
}
