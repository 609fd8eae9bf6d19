/* SPDX-License-Identifier: MIT */
/*
 * Inside of config_load(): what it knows while it reads a file, and the errors
 * that it has found there.
 */
#ifndef AGENT_CONFIG_ERROR_H
#define AGENT_CONFIG_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "config.h"

struct config_key;

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

struct config_error {
	size_t line, column;	/* from 1 */
	size_t order;
	char text[416];
};

struct config_reader {
	const char *file;
	const struct config_env *env;
	yaml_document_t *document;
	struct config *config;	/* what has been read so far */
	const struct config_cert **names;	/* those with one, sorted */
	size_t n_names;
	bool no_memory;		/* set where an allocation failed */
	size_t n_errors;
	struct config_error errors[CONFIG_MAX_ERRORS];
};

/* Note an error; @format says what was expected and what was found. */
void config_error(struct config_reader *r, const yaml_mark_t *at,
		  const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The same, with ", found ..." from @node behind it. */
void config_expected(struct config_reader *r, const struct config_key *key,
		     const yaml_node_t *node, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool config_too_many_errors(const struct config_reader *r);

/*
 * A node as it is shown in errors: quoted, printable, cut when long; of a text that
 * may be a key nothing.
 */
struct config_found {
	char text[72];
};
struct config_found config_found(const yaml_node_t *node);

/* config_is_pem - is @node a PEM file's text? It may be a key: never shown. */
bool config_is_pem(const yaml_node_t *node);

/* config_print_errors - one line each, in the order of the file */
void config_print_errors(struct config_reader *r, FILE *errors);

#endif
