/* SPDX-License-Identifier: MIT */
/*
 * Names: of items in the file, and of hosts.
 */
#include <ctype.h>
#include <string.h>

#include "value.h"

#define MAX_NAME 63
#define MAX_LABEL 63	/* RFC 1035 2.3.4 */
#define MAX_HOST_NAME 253	/* likewise, as text */

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyz" "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

const char *config_name(struct config_reader *r, const struct config_key *key,
			const yaml_node_t *node)
{
	static const char *const form = "a name of 1 to 63 letters, digits, "
					"'-', '_' or '.'";
	const char *name = config_text(r, key, node, form);

	if (!name)
		return NULL;
	if (strlen(name) <= MAX_NAME &&
	    !name[strspn(name, LETTERS DIGITS "-_.")])
		return name;
	config_expected(r, key, node, "%s", form);
	return NULL;
}

/* With '_', which is in use, though no host should be called so. */
static bool is_label(const char *label, size_t len)
{
	return len && len <= MAX_LABEL && label[0] != '-' &&
	       label[len - 1] != '-' &&
	       strspn(label, LETTERS DIGITS "-_") >= len;
}

bool config_is_host_name(const char *name)
{
	const char *label = name;
	size_t len;

	if (strlen(name) > MAX_HOST_NAME)
		return false;
	for (;; label += len + 1) {
		len = strcspn(label, ".");
		if (!is_label(label, len))
			return false;
		if (!label[len])
			break;
	}
	/* Addresses look like names, but TLS does not ask for them. */
	return label[strspn(label, DIGITS)];
}

bool config_is_name_pattern(const char *name)
{
	return config_is_host_name(!strncmp(name, "*.", 2) ? name + 2 : name);
}

char *config_name_pattern(struct config_reader *r, const struct config_key *key,
			  const yaml_node_t *node)
{
	static const char *const form = "a host name such as www.example.com "
		"or \"*.example.com\"";
	const char *text = config_text(r, key, node, form);
	char *name, *c;

	if (!text)
		return NULL;
	if (!config_is_name_pattern(text)) {
		config_expected(r, key, node, "%s", form);
		return NULL;
	}
	name = config_copy(r, text);
	for (c = name; c && *c; c++)
		*c = tolower((unsigned char)*c);
	return name;
}
