/* SPDX-License-Identifier: MIT */
/*
 * Readers of single values, for tables of struct config_key: each stores into
 * the key's field of @item, or complains and leaves it alone.
 */
#ifndef AGENT_CONFIG_VALUE_H
#define AGENT_CONFIG_VALUE_H

#include "schema.h"

#define CONFIG_READER(name)						\
	void name(struct config_reader *r, const struct config_key *key, \
		  const yaml_node_t *node, void *item)

CONFIG_READER(config_read_number);	/* unsigned int */
CONFIG_READER(config_read_workers);	/* unsigned int, or "auto" */
CONFIG_READER(config_read_duration);	/* unsigned int, ms */
CONFIG_READER(config_read_seconds);	/* unsigned int, s */
CONFIG_READER(config_read_word);	/* enum: index into key->words */
CONFIG_READER(config_read_choice);	/* bool: the second of two words */
CONFIG_READER(config_read_path);	/* char *, relative to the file */
CONFIG_READER(config_read_file);	/* struct config_file, likewise */
CONFIG_READER(config_read_mode);	/* mode_t, octal */
CONFIG_READER(config_read_uid);		/* uid_t, number or account */
CONFIG_READER(config_read_gid);		/* gid_t, number or group */
/* In config_list.c */
CONFIG_READER(config_read_texts);	/* struct config_texts, each once */
CONFIG_READER(config_read_joined);	/* char *, the same, ':' between them */
CONFIG_READER(config_read_flags);	/* unsigned int, bit by key->words */
CONFIG_READER(config_read_alpn);	/* struct config_alpn, names */
#define CONFIG_MAX_PROTOCOLS 32767	/* of them: in 65535 bytes */
/* In config_bind.c: bind, addr and addr_len of struct config_listener */
CONFIG_READER(config_read_bind);
/* In config_route.c: char *, unused and short enough */
CONFIG_READER(config_read_socket);
/* In config_rules.c: unsigned int, index of a route, or CONFIG_DENY */
CONFIG_READER(config_read_route);
/* In config_cert.c: of the file, and of a listener */
CONFIG_READER(config_read_certs);
CONFIG_READER(config_read_cert_names);
/* In config_tls.c */
CONFIG_READER(config_read_version);	/* uint16_t, KTLS_TLS12, KTLS_TLS13 */
/* In config_proxy.c: backends and n of struct config_proxy */
CONFIG_READER(config_read_backends);
/* In config_prefix.c */
CONFIG_READER(config_read_prefixes);	/* struct config_prefixes */
/* In config_url.c */
CONFIG_READER(config_read_url);		/* char *, http or https */
CONFIG_READER(config_read_proxy);	/* char *, "http://HOST:PORT" */
CONFIG_READER(config_read_host);	/* char *, as in a URL, lower case */

/* Where the key's value goes. */
static inline void *config_field(const struct config_key *key, void *item)
{
	return (char *)item + key->offset;
}

/* The keys of struct config_client, which is the field @client. */
#define CONFIG_CLIENT_KEYS(type)					\
	{ "client_ca", config_read_path, FIELD(type, client.ca) },	\
	{ "client_verify", config_read_word, FIELD(type, client.verify), \
	  .words = config_verify_words },				\
	{ "client_depth", config_read_number, FIELD(type, client.depth), \
	  .preset = "4", .min = 0, .max = 16 },				\
	{ "client_crl", config_read_texts, FIELD(type, client.crls),	\
	  .min = 1, .max = 1000, .entry = config_path_entry },		\
	{ "crl_expired", config_read_choice,				\
	  FIELD(type, client.crl_expired_warn),				\
	  .preset = "fail", .words = config_crl_expired_words },	\
	{ "client_allow", config_read_texts, FIELD(type, client.allow),	\
	  .min = 1, .max = 1000, .entry = config_allow }

extern const char *const config_verify_words[], *const
	config_crl_expired_words[];
extern const char *const config_bool_words[];	/* of a choice: true, false */

/* config_path - @path relative to the file, to be freed */
char *config_path(struct config_reader *r, const char *path);
/* For lists of texts. */
char *config_path_entry(struct config_reader *r, const struct config_key *key,
			const yaml_node_t *node);
char *config_allow(struct config_reader *r, const struct config_key *key,
		   const yaml_node_t *node);
/* config_finish_client - for tables with CONFIG_CLIENT_KEYS */
void config_finish_client(struct config_reader *r,
			  const struct config_mapping *m,
			  struct config_client *client);
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
/*
 * config_parse_address - "192.0.2.1:443", "[::1]:443", "*:443", which is
 * "[::]:443"; 0 or -EINVAL
 */
int config_parse_address(const char *text, struct sockaddr_storage *addr,
			 socklen_t *addr_len);
/* config_parse_uid - of a number or account, for lists; 0 or -EINVAL */
int config_parse_uid(struct config_reader *r, const struct config_key *key,
		     const yaml_node_t *node, uid_t *uid);
/* config_parse_word - index into key->words; 0, or -EINVAL after complaining */
int config_parse_word(struct config_reader *r, const struct config_key *key,
		      const yaml_node_t *node, unsigned int *index);
/*
 * config_check_socket - complain of a path that is too long, or another's
 * Returns false if it is too long.
 */
bool config_check_socket(struct config_reader *r, const struct config_key *key,
			 const yaml_node_t *node, const char *path);
/* config_finish_proxy - for the table of a route */
void config_finish_proxy(struct config_reader *r,
			 const struct config_mapping *m,
			 struct config_route *route);
/* config_has_protocol - is the scalar @name among them? */
bool config_has_protocol(const struct config_alpn *alpn,
			 const yaml_node_t *name);
/*
 * config_note_ipv6 - what a listener, once read, means for its routes' ipv6
 */
void config_note_ipv6(struct config *config,
		      const struct config_listener *listener);

/* config_terminates - does connections' TLS end here on this route? */
bool config_terminates(const struct config *config, unsigned int route);
/* config_name - of an item in the file; NULL after complaining */
const char *config_name(struct config_reader *r, const struct config_key *key,
			const yaml_node_t *node);
bool config_is_host_name(const char *name);
/* The same, perhaps with "*" as its first label. */
bool config_is_name_pattern(const char *name);
/* For lists of texts, in lower case: "www.example.com", "*.example.com" */
char *config_name_pattern(struct config_reader *r, const struct config_key *key,
			  const yaml_node_t *node);
/* config_copy - strdup(); NULL sets r->no_memory */
char *config_copy(struct config_reader *r, const char *text);

#endif
