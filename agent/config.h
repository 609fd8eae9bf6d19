/* SPDX-License-Identifier: MIT */
/*
 * The configuration file, checked and with every default filled in; see
 * ktlsd.conf(5). Nothing here changes after config_load().
 */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "ocsp/cert.h"

enum config_ktls { CONFIG_KTLS_PREFER, CONFIG_KTLS_REQUIRE, CONFIG_KTLS_OFF };
/*
 * Where a certificate's staple comes from: fetched (a certificate that says so
 * itself is MUST also with AUTO), or a file, or there is none.
 */
enum config_staple {
	CONFIG_STAPLE_AUTO, CONFIG_STAPLE_MUST, CONFIG_STAPLE_OFF,
	CONFIG_STAPLE_FILE
};

/* A place in the file, from 1, for errors found after loading. */
struct config_mark {
	const char *file;	/* as it was given to config_load() */
	unsigned int line, column;
};

/* Paths are absolute, or relative to where the process was started. */
struct config_cert {
	struct config_mark mark;
	char *chain, *key;
	enum config_staple staple;
	char *staple_file;	/* NULL, but with CONFIG_STAPLE_FILE */
	char *issuer;		/* NULL: taken from the chain */
	char *responder;	/* URL; NULL: the certificate's own */
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

/* Ask @url where certificates name a responder on @host. */
struct config_responder {
	struct config_mark mark;
	char *host;		/* lower case, without port; unique */
	char *url;
};

/* URLs are http or https, shorter than OCSP_URL_MAX, and have a host. */
struct config_ocsp {
	unsigned int timeout_ms;	/* of each transfer */
	unsigned int min_interval_s, max_interval_s;	/* 0 < min <= max */
	unsigned int start_wait_ms;	/* 0: do not wait */
	unsigned int per_host;		/* fetches at a time, at least 1 */
	enum ocsp_hash hash;		/* of CertIDs */
	char *proxy;		/* "http://HOST:PORT"; NULL: none */
	char *ca;		/* PEM file; NULL: the system's */
	bool missing_refuse;	/* must, and no staple: end the handshake */
	bool revoked_staple;	/* and not: keep the good one while it holds */
	struct config_responder *responders;
	size_t n_responders;	/* may be 0 */
};

struct config {
	char *file;
	unsigned int workers;	/* auto resolved, at least 1 */
	char *user;		/* looked up only when started as root; */
	uid_t uid;		/* otherwise these two are the process's own */
	gid_t gid;
	char *stapler_user;	/* likewise; but both -1 for a missing account, */
	uid_t stapler_uid;	/* which is wrong only if a stapler is needed */
	gid_t stapler_gid;
	enum config_ktls ktls;
	char *state_dir;	/* may be missing */
	char *control;		/* fits sun_path with its NUL */
	unsigned int handshake_timeout_ms, drain_timeout_ms;
	struct config_cert *certs;	/* at least one */
	size_t n_certs;
	struct config_listener *listeners;	/* at least one */
	size_t n_listeners;
	struct config_route *routes;	/* at least one; not all need be used */
	size_t n_routes;
	struct config_ocsp ocsp;
};

/*
 * config_load - read and check a configuration file; opens nothing it names
 * Returns NULL after writing each error to @errors as a line
 * "FILE:LINE:COL: KEY: what was expected, what was found".
 */
struct config *config_load(const char *path, FILE *errors);
void config_free(struct config *config);	/* takes NULL */

#endif
