/* SPDX-License-Identifier: MIT */
/*
 * Inside of config_load(): tables of keys, and the walk along them through a
 * YAML document.
 */
#ifndef AGENT_CONFIG_SCHEMA_H
#define AGENT_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "error.h"

#define CONFIG_MAX_KEYS 32	/* of one mapping */

/* For tables: where a key's value goes, and how many keys there are. */
#define FIELD(type, field) .offset = offsetof(struct type, field)
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/*
 * struct config_key - a key of a mapping
 * @read:   takes the value into the struct @item; complains by config_error()
 * @offset: of the key's field in that struct
 * @count:  of the field with the number of items, for lists
 * @preset: default, written as in a file; NULL: the field stays as it is
 * @min:    smallest and largest number, duration in ms, or number of items
 * @words:  what may be said, NULL-terminated
 * @entry:  for lists of texts: one of them as it is kept, to be freed; NULL
 *          after complaining
 * @table:  keys of a list's items, or of a mapping
 */
struct config_key {
	const char *name;
	void (*read)(struct config_reader *r, const struct config_key *key,
		     const yaml_node_t *node, void *item);
	size_t offset, count;
	bool required;
	const char *preset;
	unsigned int min, max;
	const char *const *words;
	char *(*entry)(struct config_reader *r, const struct config_key *key,
		       const yaml_node_t *node);
	const struct config_table *table;
};

struct config_mapping;

/*
 * struct config_table - the keys of a mapping; they fill one struct
 * @size: of that struct, if it is a list's item
 * @mark: offset of its struct config_mark, likewise
 * @init: fills in defaults that have no text; may be NULL
 * @finish: behind the last key: what depends on several; may be NULL
 */
struct config_table {
	const struct config_key *keys;
	size_t n_keys;
	size_t size, mark;
	void (*init)(const struct config_reader *r, void *item);
	void (*finish)(struct config_reader *r, const struct config_mapping *m,
		       void *item);
};

/* The keys of the whole file: config_keys.c; others: in the file of the name */
extern const struct config_table config_keys;
extern const struct config_table config_cert_keys;
extern const struct config_table config_listener_keys;
extern const struct config_table config_ocsp_keys;
extern const struct config_table config_route_keys;
extern const struct config_table config_rule_keys;
extern const struct config_table config_tls_keys;

/* A mapping of the file; keys and values are in the table's order. */
struct config_mapping {
	const struct config_table *table;
	const yaml_node_t *node;
	const yaml_node_t *keys[CONFIG_MAX_KEYS];	/* NULL: not there */
	const yaml_node_t *values[CONFIG_MAX_KEYS];
};

/* config_value - of a key of the table; NULL: it is not there */
const yaml_node_t *config_value(const struct config_mapping *m,
				const char *key);

/* Read @node into @item, all of the table's keys and defaults. */
void config_read_mapping(struct config_reader *r, const char *name,
			 const struct config_table *table,
			 const yaml_node_t *node, void *item);
/* A key's reader: a list of mappings, @min to @max of them. */
void config_read_list(struct config_reader *r, const struct config_key *key,
		      const yaml_node_t *node, void *item);
/*
 * A key's reader: a mapping, into the struct that the key's field is. A mapping
 * that is not there is one without keys, whose defaults apply.
 */
void config_read_map(struct config_reader *r, const struct config_key *key,
		     const yaml_node_t *node, void *item);
/* The same, but one that is not there leaves the struct as it is. */
void config_read_optional(struct config_reader *r,
			  const struct config_key *key,
			  const yaml_node_t *node, void *item);

struct config_mark config_mark(const struct config_reader *r,
			       const yaml_node_t *node);
/* config_list_length - within @key's limits; 0 after complaining, or if so */
size_t config_list_length(struct config_reader *r,
			  const struct config_key *key,
			  const yaml_node_t *node);
/* config_list_item - the list's item @i, from 0 */
const yaml_node_t *config_list_item(const struct config_reader *r,
				    const yaml_node_t *list, size_t i);

/*
 * config_parse - config_load() of bytes in memory
 * @file: the name for errors, and whose folder relative paths start from
 */
struct config *config_parse(const char *file, const char *text, size_t len,
			    const struct config_env *env, FILE *errors);

#endif
