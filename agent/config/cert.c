/* SPDX-License-Identifier: MIT */
/*
 * The keys of a certificate, and the readers of lists of certificates.
 */
#include <stdlib.h>
#include <string.h>

#include "value.h"

static CONFIG_READER(read_staple)
{
	static const char *const words[] = {
		[CONFIG_STAPLE_AUTO] = "auto",
		[CONFIG_STAPLE_MUST] = "must",
		[CONFIG_STAPLE_OFF] = "off",
	};
	struct config_cert *cert = item;
	const char *text = config_text(r, key, node, "auto, must, off or the "
				       "path of a file");
	size_t i;

	if (!text)
		return;
	for (i = 0; i < LENGTH(words) && strcmp(text, words[i]); i++)
		;
	cert->staple = i < LENGTH(words) ? i : CONFIG_STAPLE_FILE;
	if (cert->staple == CONFIG_STAPLE_FILE)
		config_store_path(r, key, text, item);
}

static CONFIG_READER(read_cert_name)
{
	const char *name = config_name(r, key, node);

	if (name)
		*(char **)config_field(key, item) = config_copy(r, name);
}

static const char *text_at(const struct config_cert *cert, size_t offset)
{
	return *(char *const *)((const char *)cert + offset);
}

/* @offset: of the text to compare by */
static int by_text(const void *a, const void *b, void *offset)
{
	const struct config_cert *x = *(const struct config_cert *const *)a;
	const struct config_cert *y = *(const struct config_cert *const *)b;
	int order = strcmp(text_at(x, *(size_t *)offset),
			   text_at(y, *(size_t *)offset));

	/* They stand in one array, in the order of the file. */
	return order ? order : (x > y) - (x < y);
}

/*
 * Sort certificates that have a text at @offset by it, into @sorted, and
 * complain of a text that comes twice. Returns how many there are.
 */
static size_t sort_certs(struct config_reader *r, size_t offset,
			 const char *key, const struct config_cert **sorted)
{
	const struct config *config = r->config;
	yaml_mark_t mark = { 0 };
	size_t i, n = 0;

	for (i = 0; i < config->n_certs; i++)
		if (text_at(&config->certs[i], offset))
			sorted[n++] = &config->certs[i];
	if (n)
		qsort_r(sorted, n, sizeof(*sorted), by_text, &offset);
	for (i = 1; i < n && !config_too_many_errors(r); i++) {
		if (strcmp(text_at(sorted[i - 1], offset),
			   text_at(sorted[i], offset)))
			continue;
		mark.line = sorted[i]->mark.line - 1;
		mark.column = sorted[i]->mark.column - 1;
		config_error(r, &mark, key, "expected another one than the "
			     "certificate on line %u has, found the same",
			     sorted[i - 1]->mark.line);
	}
	return n;
}

CONFIG_READER(config_read_certs)
{
	const struct config_cert **sorted;

	config_read_list(r, key, node, item);
	sorted = calloc(r->config->n_certs + 1, sizeof(struct config_cert *));
	if (!sorted) {
		r->no_memory = true;
		return;
	}
	/* By their chains, users and metrics tell certificates apart. */
	sort_certs(r, offsetof(struct config_cert, chain), "chain", sorted);
	r->n_names = sort_certs(r, offsetof(struct config_cert, name), "name",
				sorted);
	r->names = sorted;
}

static int by_name(const void *name, const void *cert)
{
	return strcmp(name, (*(const struct config_cert *const *)cert)->name);
}

/* Note which certificates the list names in @named, one byte for each. */
static void find_names(struct config_reader *r, const struct config_key *key,
		       const yaml_node_t *list, size_t n, uint8_t *named)
{
	const struct config_cert **found;
	const yaml_node_t *node;
	const char *name;
	uint8_t *seen;
	size_t i;

	for (i = 0; i < n && !config_too_many_errors(r); i++) {
		node = config_list_item(r, list, i);
		name = config_name(r, key, node);
		if (!name)
			continue;
		found = bsearch(name, r->names, r->n_names, sizeof(*r->names),
				by_name);
		if (!found) {
			config_expected(r, key, node,
					"the name of a certificate");
			continue;
		}
		seen = &named[*found - r->config->certs];
		if (*seen)
			config_expected(r, key, node, "each entry once");
		*seen = true;
	}
}

CONFIG_READER(config_read_cert_names)
{
	struct config_listener *listener = item;
	size_t n = config_list_length(r, key, node), i;
	uint8_t *named;

	/* Without certificates that is the error, and was said. */
	if (!n || !r->config->n_certs || !r->names)
		return;
	named = calloc(r->config->n_certs, 1);
	listener->certs = calloc(n, sizeof(*listener->certs));
	r->no_memory |= !named || !listener->certs;
	if (!r->no_memory)
		find_names(r, key, node, n, named);
	for (i = 0; !r->no_memory && i < r->config->n_certs; i++) {
		if (named[i])
			listener->certs[listener->n_certs++] = i;
	}
	free(named);
}

static void finish_cert(struct config_reader *r, const struct config_mapping *m,
			void *item)
{
	config_finish_client(r, m, &((struct config_cert *)item)->client);
}

static const struct config_key cert_keys[] = {
	{ "name", read_cert_name, FIELD(config_cert, name) },
	{ "chain", config_read_path, FIELD(config_cert, chain),
	  .required = true },
	{ "key", config_read_path, FIELD(config_cert, key) },
	{ "key_password_file", config_read_path,
	  FIELD(config_cert, password_file) },
	{ "alpn", config_read_alpn, FIELD(config_cert, alpn),
	  .min = 1, .max = CONFIG_MAX_PROTOCOLS },
	{ "min_version", config_read_version,
	  FIELD(config_cert, min_version) },
	CONFIG_CLIENT_KEYS(config_cert),
	{ "staple", read_staple, FIELD(config_cert, staple_file),
	  .preset = "auto" },
	{ "issuer", config_read_path, FIELD(config_cert, issuer) },
	{ "responder", config_read_url, FIELD(config_cert, responder) },
};

const struct config_table config_cert_keys = {
	.keys = cert_keys, .n_keys = LENGTH(cert_keys),
	.size = sizeof(struct config_cert),
	.mark = offsetof(struct config_cert, mark),
	.finish = finish_cert,
};
