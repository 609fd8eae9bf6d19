/* SPDX-License-Identifier: MIT */
/*
 * The configuration file, checked and with every default filled in; see
 * ktlsd.conf(5). Nothing here changes after config_load().
 */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>

enum config_ktls { CONFIG_KTLS_PREFER, CONFIG_KTLS_REQUIRE, CONFIG_KTLS_OFF };
/* A place in the file, from 1, for errors found after loading. */
struct config_mark {
	const char *file;	/* as it was given to config_load() */
	unsigned int line, column;
};

/* Paths are absolute, or relative to where the process was started. */
struct config_cert {
	struct config_mark mark;
	char *chain, *key;
	char *staple;		/* NULL: off */
	char *issuer;		/* NULL: taken from the chain */
};

struct config_listener {
	struct config_mark mark;
	char *bind;		/* as written */
	struct sockaddr_storage addr;	/* [::] and "*" mean IPv4 too: */
	socklen_t addr_len;		/* set IPV6_V6ONLY to 0 */
	unsigned int route;	/* index into routes */
	uint8_t *alpn;		/* wire format (RFC 7301 3.1); NULL: none */
	size_t alpn_len;	/* bytes, at most 65535 */
	unsigned int tickets;	/* 0: no resumption */
	unsigned int backlog;
};

struct config_route {
	struct config_mark mark;
	char *name;
	char *handoff;		/* fits sun_path with its NUL */
	uid_t user;		/* of the socket file */
	gid_t group;
	mode_t mode;
	uid_t *allow_uids;	/* NULL: whoever the mode lets connect */
	size_t n_allow_uids;
	unsigned int queue;	/* connections */
	unsigned int hold_timeout_ms;
};

struct config {
	char *file;
	unsigned int workers;	/* auto resolved, at least 1 */
	char *user;		/* looked up only when started as root; */
	uid_t uid;		/* otherwise these two are the process's own */
	gid_t gid;
	enum config_ktls ktls;
	char *control;		/* fits sun_path with its NUL */
	unsigned int handshake_timeout_ms, drain_timeout_ms;
	struct config_cert *certs;	/* exactly one for now */
	size_t n_certs;
	struct config_listener *listeners;	/* at least one */
	size_t n_listeners;
	struct config_route *routes;	/* at least one; not all need be used */
	size_t n_routes;
};

/*
 * config_load - read and check a configuration file; opens nothing it names
 * Returns NULL after writing each error to @errors as a line
 * "FILE:LINE:COL: KEY: what was expected, what was found".
 */
struct config *config_load(const char *path, FILE *errors);
void config_free(struct config *config);	/* takes NULL */

#endif
