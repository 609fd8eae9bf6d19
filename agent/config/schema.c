/* SPDX-License-Identifier: MIT */
#include "schema.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAME 32	/* longer keys are no misspelling of ours */
#define NEAR 2		/* edits between a misspelling and what was meant */

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t min = a < b ? a : b;

	return min < c ? min : c;
}

/* Insertions, removals and replacements that turn @a into @b. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t n = strlen(b), row[MAX_NAME + 1], i, j;

	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (j = 1; j <= n; j++) {
			size_t above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1,
				      diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[n];
}

static const char *nearest(const struct config_table *table, const char *name)
{
	const char *best = NULL;
	size_t i, distance, least = NEAR + 1;

	if (strlen(name) > MAX_NAME)
		return NULL;
	for (i = 0; i < table->n_keys; i++) {
		distance = edit_distance(name, table->keys[i].name);
		if (distance < least) {
			least = distance;
			best = table->keys[i].name;
		}
	}
	return best;
}

static void unknown_key(struct config_reader *r,
			const struct config_table *table,
			const yaml_node_t *node, const char *name)
{
	struct config_found found = config_found(node);
	const char *meant = nearest(table, name);
	char all[288] = "";
	size_t i, len = 0;

	for (i = 0; i < table->n_keys; i++)
		len += snprintf(all + len, sizeof(all) - len, "%s%s",
				i ? ", " : "", table->keys[i].name);
	assert(len < sizeof(all));
	if (meant)
		config_error(r, &node->start_mark, found.text,
			     "unknown key, did you mean \"%s\"?", meant);
	else
		config_error(r, &node->start_mark, found.text,
			     "unknown key, expected one of %s", all);
}

static const struct config_key *find_key(const struct config_table *table,
					 const yaml_node_t *node)
{
	const char *name = (const char *)node->data.scalar.value;
	size_t i;

	if (strlen(name) != node->data.scalar.length)
		return NULL;
	for (i = 0; i < table->n_keys; i++) {
		if (!strcmp(table->keys[i].name, name))
			return &table->keys[i];
	}
	return NULL;
}

/* Sort one pair of the mapping into the table's order. */
static void take_pair(struct config_reader *r, const char *name,
		      struct config_mapping *m, const yaml_node_pair_t *pair)
{
	const yaml_node_t *node;
	const struct config_key *key;
	size_t i;

	node = yaml_document_get_node(r->document, pair->key);
	if (node->type != YAML_SCALAR_NODE) {
		config_error(r, &node->start_mark, name,
			     "expected the name of a key, found %s",
			     config_found(node).text);
		return;
	}
	key = find_key(m->table, node);
	if (!key) {
		unknown_key(r, m->table, node,
			    (char *)node->data.scalar.value);
		return;
	}
	i = key - m->table->keys;
	if (m->keys[i]) {
		config_error(r, &node->start_mark, key->name,
			     "expected once, found again after line %zu",
			     m->keys[i]->start_mark.line + 1);
		return;
	}
	m->keys[i] = node;
	m->values[i] = yaml_document_get_node(r->document, pair->value);
}

const yaml_node_t *config_value(const struct config_mapping *m, const char *key)
{
	size_t i;

	for (i = 0; i < m->table->n_keys; i++) {
		if (!strcmp(m->table->keys[i].name, key))
			return m->values[i];
	}
	assert(!"a key of the table");
	return NULL;
}

static void read_default(struct config_reader *r, const struct config_key *key,
			 const yaml_node_t *mapping, void *item)
{
	yaml_node_t node = { .start_mark = mapping->start_mark };

	if (key->preset) {
		node.type = YAML_SCALAR_NODE;
		node.data.scalar.value = (yaml_char_t *)key->preset;
		node.data.scalar.length = strlen(key->preset);
		key->read(r, key, &node, item);
	} else if (key->read == config_read_map) {
		node.type = YAML_MAPPING_NODE;
		key->read(r, key, &node, item);
	} else if (key->required) {
		config_error(r, &mapping->start_mark, key->name,
			     "expected this key here, found none");
	}
}

/* In the table's order, so that a value can refer to what stands before it. */
static void read_values(struct config_reader *r, const struct config_mapping *m,
			void *item)
{
	size_t i;

	if (m->table->init)
		m->table->init(r, item);
	for (i = 0; i < m->table->n_keys; i++) {
		const struct config_key *key = &m->table->keys[i];

		if (m->values[i])
			key->read(r, key, m->values[i], item);
		else
			read_default(r, key, m->node, item);
	}
	if (m->table->finish)
		m->table->finish(r, m, item);
}

void config_read_mapping(struct config_reader *r, const char *name,
			 const struct config_table *table,
			 const yaml_node_t *node, void *item)
{
	struct config_mapping m = { .table = table, .node = node };
	yaml_node_pair_t *pair;

	assert(table->n_keys <= CONFIG_MAX_KEYS);
	if (node->type != YAML_MAPPING_NODE) {
		config_error(r, &node->start_mark, name,
			     "expected a mapping of keys, found %s",
			     config_found(node).text);
		return;
	}
	for (pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		if (config_too_many_errors(r))
			return;
		take_pair(r, name, &m, pair);
	}
	read_values(r, &m, item);
}

size_t config_list_length(struct config_reader *r,
			  const struct config_key *key, const yaml_node_t *node)
{
	size_t n;

	if (node->type != YAML_SEQUENCE_NODE) {
		config_expected(r, key, node, "a list");
		return 0;
	}
	n = node->data.sequence.items.top - node->data.sequence.items.start;
	if (n < key->min) {
		config_error(r, &node->start_mark, key->name,
			     "expected at least %u, found %zu", key->min, n);
		return 0;
	}
	if (n > key->max) {
		node = config_list_item(r, node, key->max);
		config_error(r, &node->start_mark, key->name,
			     "expected at most %u, found %zu", key->max, n);
		return 0;
	}
	return n;
}

const yaml_node_t *config_list_item(const struct config_reader *r,
				    const yaml_node_t *list, size_t i)
{
	return yaml_document_get_node(r->document,
				      list->data.sequence.items.start[i]);
}

struct config_mark config_mark(const struct config_reader *r,
			       const yaml_node_t *node)
{
	return (struct config_mark){
		.file = r->config->file,
		.line = node->start_mark.line + 1,
		.column = node->start_mark.column + 1,
	};
}

void config_read_list(struct config_reader *r, const struct config_key *key,
		      const yaml_node_t *node, void *item)
{
	const struct config_table *table = key->table;
	size_t *count = (size_t *)((char *)item + key->count);
	size_t n = config_list_length(r, key, node), i;
	const yaml_node_t *entry;
	char *items;

	if (!n)
		return;
	items = calloc(n, table->size);
	if (!items) {
		r->no_memory = true;
		return;
	}
	memcpy((char *)item + key->offset, &items, sizeof(items));
	for (i = 0; i < n && !config_too_many_errors(r); i++) {
		entry = config_list_item(r, node, i);
		*(struct config_mark *)(items + i * table->size +
					table->mark) = config_mark(r, entry);
		config_read_mapping(r, key->name, table, entry,
				    items + i * table->size);
		*count = i + 1;
	}
}

void config_read_map(struct config_reader *r, const struct config_key *key,
		     const yaml_node_t *node, void *item)
{
	config_read_mapping(r, key->name, key->table, node,
			    (char *)item + key->offset);
}

void config_read_optional(struct config_reader *r,
			  const struct config_key *key,
			  const yaml_node_t *node, void *item)
{
	config_read_map(r, key, node, item);
}
