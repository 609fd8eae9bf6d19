/* SPDX-License-Identifier: MIT */
/*
 * The keys below tls, of the file and of listeners.
 */
#include <stdlib.h>
#include <string.h>

#include "value.h"
#include "ktls/keys.h"

#define MAX_ALGORITHMS 100
#define MAX_OPTIONS 64

#define LETTERS "abcdefghijklmnopqrstuvwxyz" "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALPHANUMERIC LETTERS "0123456789"

CONFIG_READER(config_read_version)
{
	static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };
	static const char *const words[] = { "1.2", "1.3", NULL };
	struct config_key named = *key;
	unsigned int i;

	named.words = words;
	if (!config_parse_word(r, &named, node, &i))
		*(uint16_t *)config_field(key, item) = versions[i];
}

/* Which names there are OpenSSL knows; what means more than a name is none. */
static char *algorithm(struct config_reader *r, const struct config_key *key,
		       const yaml_node_t *node, const char *prefix)
{
	static const char *const form = "OpenSSL's name of one";
	const char *text = config_text(r, key, node, form), *name;

	if (!text)
		return NULL;
	name = text + strspn(text, prefix);
	if (name - text <= 1 && name[0] && strchr(ALPHANUMERIC, name[0]) &&
	    !name[strspn(name, ALPHANUMERIC "-_+.")])
		return config_copy(r, text);
	config_expected(r, key, node, "%s", form);
	return NULL;
}

static char *algorithm_name(struct config_reader *r,
			    const struct config_key *key,
			    const yaml_node_t *node)
{
	return algorithm(r, key, node, "");
}

static char *optional_name(struct config_reader *r,
			   const struct config_key *key,
			   const yaml_node_t *node)
{
	return algorithm(r, key, node, "?");
}

/* The name of an option; NULL after complaining. */
static const char *option_name(struct config_reader *r,
			       const struct config_key *key,
			       const struct config_tls *tls,
			       const yaml_node_t *node)
{
	static const char *const form = "the name of an option";
	const char *name = config_text(r, key, node, form);
	size_t i;

	if (!name)
		return NULL;
	if (name[strspn(name, LETTERS)]) {
		config_expected(r, key, node, "%s", form);
		return NULL;
	}
	for (i = 0; i < tls->n_options; i++) {
		/* SSL_CONF_cmd(3) takes them in upper and lower case. */
		if (strcasecmp(tls->options[i].name, name))
			continue;
		config_expected(r, key, node, "another option than on line %u",
				tls->options[i].mark.line);
		return NULL;
	}
	return name;
}

static void add_option(struct config_reader *r, struct config_tls *tls,
		       struct config_mark mark, const char *name,
		       const char *value)
{
	struct config_option option = {
		.mark = mark,
		.name = config_copy(r, name),
		.value = config_copy(r, value),
	};

	if (option.name && option.value) {
		tls->options[tls->n_options++] = option;
	} else {
		free(option.name);
		free(option.value);
	}
}

static void read_option(struct config_reader *r, const struct config_key *key,
			struct config_tls *tls, const yaml_node_pair_t *pair)
{
	const yaml_node_t *node =
		yaml_document_get_node(r->document, pair->key);
	const char *name = option_name(r, key, tls, node), *value;

	value = config_text(r, key,
			    yaml_document_get_node(r->document, pair->value),
			    "the value of an option");
	if (name && value)
		add_option(r, tls, config_mark(r, node), name, value);
}

static CONFIG_READER(read_options)
{
	struct config_tls *tls = item;
	const yaml_node_pair_t *pair;
	size_t n;

	if (node->type != YAML_MAPPING_NODE) {
		config_expected(r, key, node, "a mapping of options");
		return;
	}
	pair = node->data.mapping.pairs.start;
	n = node->data.mapping.pairs.top - pair;
	if (n > key->max) {
		config_error(r, &node->start_mark, key->name,
			     "expected at most %u, found %zu", key->max, n);
		return;
	}
	tls->options = calloc(n + 1, sizeof(*tls->options));
	r->no_memory |= !tls->options;
	for (; tls->options && n && !config_too_many_errors(r); n--)
		read_option(r, key, tls, pair++);
}

static void inherit_options(struct config_reader *r, struct config_tls *tls,
			    const struct config_tls *file)
{
	size_t i;

	if (!file->n_options)
		return;
	tls->options = calloc(file->n_options, sizeof(*tls->options));
	r->no_memory |= !tls->options;
	for (i = 0; tls->options && i < file->n_options; i++)
		add_option(r, tls, file->options[i].mark,
			   file->options[i].name, file->options[i].value);
}

/* @m: a listener's */
static void inherit(struct config_reader *r, const struct config_mapping *m,
		    struct config_tls *tls, const struct config_tls *file)
{
	const struct {
		const char *key;
		char **to, *from;
	} texts[] = {
		{ "ciphers", &tls->ciphers, file->ciphers },
		{ "ciphersuites", &tls->ciphersuites, file->ciphersuites },
		{ "groups", &tls->groups, file->groups },
		{ "signature_algorithms", &tls->signature_algorithms,
		  file->signature_algorithms },
	};
	size_t i;

	if (!config_value(m, "preset"))
		tls->preset = file->preset;
	if (!config_value(m, "min_version"))
		tls->min_version = file->min_version;
	for (i = 0; i < LENGTH(texts); i++) {
		if (!config_value(m, texts[i].key) && texts[i].from)
			*texts[i].to = config_copy(r, texts[i].from);
	}
	if (!config_value(m, "options"))
		inherit_options(r, tls, file);
}

static void finish_tls(struct config_reader *r, const struct config_mapping *m,
		       void *item)
{
	struct config_tls *tls = item, *file = &r->config->tls;
	size_t i;

	for (i = 0; i < m->table->n_keys && !m->values[i]; i++)
		;
	tls->mark = i < m->table->n_keys || tls == file ?
		    config_mark(r, m->node) : file->mark;
	if (tls != file)
		inherit(r, m, tls, file);
}

static const char *const preset_words[] = {
	[CONFIG_PRESET_NONE] = "none",
	[CONFIG_PRESET_MODERN] = "modern",
	[CONFIG_PRESET_INTERMEDIATE] = "intermediate",
	NULL
};

static const struct config_key tls_keys[] = {
	{ "preset", config_read_word, FIELD(config_tls, preset),
	  .preset = "none", .words = preset_words },
	{ "min_version", config_read_version, FIELD(config_tls, min_version) },
	{ "ciphers", config_read_joined, FIELD(config_tls, ciphers),
	  .min = 1, .max = MAX_ALGORITHMS, .entry = algorithm_name },
	{ "ciphersuites", config_read_joined, FIELD(config_tls, ciphersuites),
	  .min = 1, .max = MAX_ALGORITHMS, .entry = algorithm_name },
	{ "groups", config_read_joined, FIELD(config_tls, groups),
	  .min = 1, .max = MAX_ALGORITHMS, .entry = optional_name },
	{ "signature_algorithms", config_read_joined,
	  FIELD(config_tls, signature_algorithms),
	  .min = 1, .max = MAX_ALGORITHMS, .entry = optional_name },
	{ "options", read_options, FIELD(config_tls, options),
	  .max = MAX_OPTIONS },
};

const struct config_table config_tls_keys = {
	.keys = tls_keys, .n_keys = LENGTH(tls_keys),
	.finish = finish_tls,
};
