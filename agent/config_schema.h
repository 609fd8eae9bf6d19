/* SPDX-License-Identifier: MIT */
/*
 * Inside of config_load(): tables of keys, and the reader that walks a YAML
 * document along them and collects errors.
 */
#ifndef AGENT_CONFIG_SCHEMA_H
#define AGENT_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "agent/config.h"

/*
 * What is asked of the system, so that tests can answer. The two lookups
 * return 0, -ENOENT for an unknown name, or another -errno.
 */
struct config_env {
	uid_t (*geteuid)(void);
	gid_t (*getegid)(void);
	int (*find_user)(const char *name, uid_t *uid, gid_t *gid);
	int (*find_group)(const char *name, gid_t *gid);
	unsigned int (*cpus)(void);
};

#define CONFIG_MAX_ERRORS 64	/* reading stops there */
#define CONFIG_MAX_KEYS 16	/* of one mapping */

struct config_error {
	size_t line, column;	/* from 1 */
	size_t order;
	char text[336];
};

struct config_reader {
	const char *file;
	const struct config_env *env;
	yaml_document_t *document;
	struct config *config;	/* what has been read so far */
	bool no_memory;		/* set where an allocation failed */
	size_t n_errors;
	struct config_error errors[CONFIG_MAX_ERRORS];
};

/*
 * struct config_key - a key of a mapping
 * @read:   takes the value into the struct @item; complains by config_error()
 * @offset: of the key's field in that struct
 * @count:  of the field with the number of items, for lists
 * @preset: default, written as in a file; NULL: the field stays as it is
 * @min:    smallest and largest number, duration in ms, or number of items
 * @words:  what may be said, NULL-terminated
 * @table:  keys of a list's items
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
	const struct config_table *table;
};

/*
 * struct config_table - the keys of a mapping; they fill one struct
 * @size: of that struct, if it is a list's item
 * @mark: offset of its struct config_mark, likewise
 * @init: fills in defaults that have no text; may be NULL
 */
struct config_table {
	const struct config_key *keys;
	size_t n_keys;
	size_t size, mark;
	void (*init)(const struct config_reader *r, void *item);
};

/* The keys of the whole file: config_keys.c */
extern const struct config_table config_keys;

/* Note an error; @format says what was expected and what was found. */
void config_error(struct config_reader *r, const yaml_mark_t *at,
		  const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The same, with ", found ..." from @node behind it. */
void config_expected(struct config_reader *r, const struct config_key *key,
		     const yaml_node_t *node, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool config_too_many_errors(const struct config_reader *r);

/* A node as it is shown in errors: quoted, made printable, cut when long. */
struct config_found {
	char text[72];
};
struct config_found config_found(const yaml_node_t *node);

/* Read @node into @item, all of the table's keys and defaults. */
void config_read_mapping(struct config_reader *r, const char *name,
			 const struct config_table *table,
			 const yaml_node_t *node, void *item);
/* A key's reader: a list of mappings, @min to @max of them. */
void config_read_list(struct config_reader *r, const struct config_key *key,
		      const yaml_node_t *node, void *item);

/*
 * config_parse - config_load() of bytes in memory
 * @file: the name for errors, and whose folder relative paths start from
 */
struct config *config_parse(const char *file, const char *text, size_t len,
			    const struct config_env *env, FILE *errors);

#endif
