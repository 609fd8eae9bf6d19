/* SPDX-License-Identifier: MIT */
/*
 * Readers of single values, for tables of struct config_key: each stores into
 * the key's field of @item, or complains and leaves it alone.
 */
#ifndef AGENT_CONFIG_VALUE_H
#define AGENT_CONFIG_VALUE_H

#include "agent/config_schema.h"

#define CONFIG_READER(name)						\
	void name(struct config_reader *r, const struct config_key *key, \
		  const yaml_node_t *node, void *item)

CONFIG_READER(config_read_number);	/* unsigned int */
CONFIG_READER(config_read_workers);	/* unsigned int, or "auto" */
CONFIG_READER(config_read_duration);	/* unsigned int, ms */
CONFIG_READER(config_read_seconds);	/* unsigned int, s */
CONFIG_READER(config_read_word);	/* enum: index into key->words */
CONFIG_READER(config_read_choice);	/* bool: the second of two words */
CONFIG_READER(config_check_word);	/* nothing is stored */
CONFIG_READER(config_read_path);	/* char *, relative to the file */
CONFIG_READER(config_read_mode);	/* mode_t, octal */
CONFIG_READER(config_read_uid);		/* uid_t, number or account */
CONFIG_READER(config_read_gid);		/* gid_t, number or group */
CONFIG_READER(config_read_alpn);	/* struct config_alpn, a list of names */
/* Of struct config_listener, in config_listener.c; the routes are read. */
CONFIG_READER(config_read_bind);	/* and addr, addr_len */
CONFIG_READER(config_read_route);	/* index of the route of that name */
/* In config_url.c */
CONFIG_READER(config_read_url);		/* char *, http or https */
CONFIG_READER(config_read_proxy);	/* char *, "http://HOST:PORT" */
CONFIG_READER(config_read_host);	/* char *, as in a URL, lower case */

/* Where the key's value goes. */
static inline void *config_field(const struct config_key *key, void *item)
{
	return (char *)item + key->offset;
}

/* config_store_path - into the key's field, relative to the file */
void config_store_path(struct config_reader *r, const struct config_key *key,
		       const char *path, void *item);
/*
 * config_text - a scalar's text; NULL after complaining that it is empty, no
 * scalar, or holds a NUL
 * @expected: for the complaint
 */
const char *config_text(struct config_reader *r, const struct config_key *key,
			const yaml_node_t *node, const char *expected);
/* config_parse_number - 0, -EINVAL: no decimal digits, -ERANGE: over @max */
int config_parse_number(const char *text, size_t len, unsigned int max,
			unsigned int *number);
/* config_parse_uid - of a number or account, for lists; 0 or -EINVAL */
int config_parse_uid(struct config_reader *r, const struct config_key *key,
		     const yaml_node_t *node, uid_t *uid);
/* config_copy - strdup(); NULL sets r->no_memory */
char *config_copy(struct config_reader *r, const char *text);

#endif
