/* SPDX-License-Identifier: MIT */
/*
 * Readers of lists of single values.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

#define MAX_ALPN 65535	/* RFC 7301 3.1: the list's length has 16 bits */

/* Takes @text, or complains that it is there already and frees it. */
static void add_text(struct config_reader *r, const struct config_key *key,
		     const yaml_node_t *node, struct config_texts *texts,
		     char *text)
{
	size_t i;

	for (i = 0; i < texts->n && strcmp(texts->text[i], text); i++)
		;
	if (i < texts->n) {
		config_expected(r, key, node, "each entry once");
		free(text);
	} else {
		texts->text[texts->n++] = text;
	}
}

static void read_texts(struct config_reader *r, const struct config_key *key,
		       const yaml_node_t *node, struct config_texts *texts)
{
	size_t n = config_list_length(r, key, node), i;
	const yaml_node_t *entry;
	char *text;

	if (!n)
		return;
	texts->text = calloc(n, sizeof(*texts->text));
	r->no_memory |= !texts->text;
	for (i = 0; texts->text && i < n && !config_too_many_errors(r); i++) {
		entry = config_list_item(r, node, i);
		text = key->entry(r, key, entry);
		if (text)
			add_text(r, key, entry, texts, text);
	}
}

CONFIG_READER(config_read_texts)
{
	read_texts(r, key, node, config_field(key, item));
}

CONFIG_READER(config_read_joined)
{
	struct config_texts texts = { 0 };
	size_t i, len = 1;
	char *joined, *end;

	read_texts(r, key, node, &texts);
	for (i = 0; i < texts.n; i++)
		len += strlen(texts.text[i]) + 1;
	joined = end = calloc(1, len);
	r->no_memory |= !joined;
	for (i = 0; i < texts.n; i++) {
		if (joined)
			end += sprintf(end, "%s%s", i ? ":" : "",
				       texts.text[i]);
		free(texts.text[i]);
	}
	free(texts.text);
	*(char **)config_field(key, item) = joined;
}

CONFIG_READER(config_read_flags)
{
	unsigned int *flags = config_field(key, item), word;
	size_t n = config_list_length(r, key, node), i;
	const yaml_node_t *entry;

	for (i = 0; i < n && !config_too_many_errors(r); i++) {
		entry = config_list_item(r, node, i);
		if (config_parse_word(r, key, entry, &word))
			continue;
		if (*flags & 1u << word)
			config_expected(r, key, entry, "each entry once");
		*flags |= 1u << word;
	}
}

/* The list's size in wire format; -EINVAL after complaining. */
static ssize_t alpn_size(struct config_reader *r, const struct config_key *key,
			 const yaml_node_t *list, size_t n)
{
	const yaml_node_t *name;
	ssize_t size = 0;
	bool bad = false;
	size_t i;

	for (i = 0; i < n && size <= MAX_ALPN; i++) {
		name = config_list_item(r, list, i);
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
			size_t n, uint8_t *wire)
{
	const yaml_node_t *name;
	size_t i;

	for (i = 0; i < n; i++) {
		name = config_list_item(r, list, i);
		*wire++ = name->data.scalar.length;
		wire = mempcpy(wire, name->data.scalar.value,
			       name->data.scalar.length);
	}
}

CONFIG_READER(config_read_alpn)
{
	struct config_alpn *alpn = config_field(key, item);
	size_t n = config_list_length(r, key, node);
	ssize_t size = alpn_size(r, key, node, n);

	if (!n || size <= 0)
		return;
	alpn->wire = malloc(size);
	if (!alpn->wire) {
		r->no_memory = true;
		return;
	}
	alpn->len = size;
	alpn_encode(r, node, n, alpn->wire);
}

bool config_has_protocol(const struct config_alpn *alpn,
			 const yaml_node_t *name)
{
	size_t len = name->data.scalar.length, i;

	for (i = 0; i < alpn->len; i += 1 + alpn->wire[i]) {
		if (alpn->wire[i] == len &&
		    !memcmp(alpn->wire + i + 1, name->data.scalar.value, len))
			return true;
	}
	return false;
}
