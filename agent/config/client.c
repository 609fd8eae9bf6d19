/* SPDX-License-Identifier: MIT */
/*
 * What listeners and certificates say of clients' certificates.
 */
#include <errno.h>
#include <string.h>

#include "value.h"
#include "handshake/client.h"

const char *const config_verify_words[] = {
	[CONFIG_VERIFY_OFF] = "off",
	[CONFIG_VERIFY_OPTIONAL] = "optional",
	[CONFIG_VERIFY_REQUIRE] = "require",
	NULL
};
const char *const config_crl_expired_words[] = { "fail", "warn", NULL };

static const struct {
	const char *prefix, *expected;
} kinds[] = {
	{ "dns:",
	  "a host name such as dns:api.example.com or dns:*.example.com" },
	{ "uri:",
	  "a URI such as uri:spiffe://example.com/api, or one that ends with "
	  "/* for whatever follows" },
	{ "email:", "an address such as email:ada@example.com" },
	{ "cn:", "a common name such as cn:Ada, without \"*\"" },
	{ "spki-sha256:", "spki-sha256: and 64 hexadecimal digits" },
};

static const char *expected_for(const char *text)
{
	size_t i;

	for (i = 0; i < LENGTH(kinds); i++)
		if (!strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)))
			return kinds[i].expected;
	return "dns:, uri:, email:, cn: or spki-sha256:, and a name";
}

char *config_allow(struct config_reader *r, const struct config_key *key,
		   const yaml_node_t *node)
{
	const char *text = config_text(r, key, node, expected_for(""));
	int err = text ? hs_client_check_allow(text) : -EINVAL;

	if (!err)
		return config_copy(r, text);
	if (err == -ENOMEM)
		r->no_memory = true;
	else if (text)
		config_expected(r, key, node, "%s", expected_for(text));
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
