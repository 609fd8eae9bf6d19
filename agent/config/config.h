/* SPDX-License-Identifier: MIT */
/*
 * The configuration file, checked and with every default filled in; see
 * ktlsd.conf(5). Nothing here changes after config_load().
 */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include <limits.h>
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

/* A file that the configuration names, and where it does. */
struct config_file {
	struct config_mark mark;
	char *path;
};

/* Texts as they are written in the file. */
struct config_texts {
	char **text;
	size_t n;
};

/* Protocols in wire format (RFC 7301 3.1), at most 65535 bytes; NULL: none. */
struct config_alpn {
	uint8_t *wire;
	size_t len;
};

/*
 * Addresses whose first bits are these; those of IPv4 as ::ffff:a.b.c.d, so
 * that 192.0.2.0/24 has 120 bits, and 0 bits are everybody.
 */
struct config_prefix {
	uint8_t addr[16];	/* the rest is 0 */
	unsigned int bits;	/* 0 to 128 */
};

struct config_prefixes {
	struct config_prefix *prefix;
	size_t n;
};

/*
 * Client certificates. A certificate that names any of these keys has this
 * group for itself, with the keys' defaults; others have their listener's.
 */
enum config_verify { CONFIG_VERIFY_OFF, CONFIG_VERIFY_OPTIONAL,
		     CONFIG_VERIFY_REQUIRE };
struct config_client {
	bool set;		/* one of the keys is there */
	enum config_verify verify;	/* OFF: no client is asked for one */
	char *ca;		/* PEM file; NULL only with OFF */
	unsigned int depth;	/* CAs between a client and a trusted one */
	struct config_texts crls;	/* PEM or DER files, as paths */
	bool crl_expired_warn;	/* and not: refuse the client */
	/* "dns:", "uri:", "email:", "cn:" and a name, which may end (uri) or
	 * begin (dns) with "*"; "spki-sha256:" and 64 hexadecimal digits */
	struct config_texts allow;	/* none: whom the CA vouches for */
};

/*
 * What may be negotiated; NULL and 0 are what the preset says. A listener's keys
 * stand before the file's, each for itself; its struct has them all.
 */
enum config_preset { CONFIG_PRESET_NONE, CONFIG_PRESET_MODERN,
		     CONFIG_PRESET_INTERMEDIATE };
struct config_option {
	struct config_mark mark;
	char *name, *value;	/* of SSL_CONF_cmd(3), of an allow-list */
};

struct config_tls {
	struct config_mark mark;
	enum config_preset preset;
	uint16_t min_version;	/* 0x0303, 0x0304 (ktls/keys.h); 0: preset's */
	char *ciphers;		/* TLS 1.2, OpenSSL's names, ':' between them */
	char *ciphersuites;	/* TLS 1.3, likewise */
	char *groups;		/* likewise */
	char *signature_algorithms;	/* likewise */
	struct config_option *options;
	size_t n_options;
};

/* Paths are absolute, or relative to where the process was started. */
struct config_cert {
	struct config_mark mark;
	char *name;		/* for listeners' certificates:, unique, or NULL */
	char *chain;		/* a file, or a folder of pairs */
	char *key;		/* NULL: in @chain, or beside it */
	char *password_file;	/* its first line is the key's; or NULL */
	struct config_client client;
	struct config_alpn alpn;	/* none: the listener's */
	uint16_t min_version;	/* as in struct config_tls; 0: the listener's */
	enum config_staple staple;
	char *staple_file;	/* NULL, but with CONFIG_STAPLE_FILE */
	char *issuer;		/* NULL: taken from the chain */
	char *responder;	/* URL; NULL: the certificate's own */
};

/* In the place of a route's index: close the connection. */
#define CONFIG_DENY UINT_MAX

/*
 * Where clients go; the listener's first rule that fits counts. Of each list
 * one entry must fit; an empty one fits everybody.
 */
struct config_rule {
	struct config_mark mark;
	struct config_texts sni;	/* in lower case; "*.example.com" */
	struct config_alpn alpn;	/* agreed on; before passthrough: offered */
	struct config_prefixes from;
	unsigned int route;	/* index into routes, or CONFIG_DENY */
};

/* TCP; 0: as the kernel has it. */
struct config_tcp {
	bool nodelay;
	unsigned int keepalive_s;	/* idle before the first probe */
	unsigned int defer_accept_s;
	unsigned int user_timeout_ms;
};

/* PROXY protocol headers of load balancers in front of us. */
struct config_accept_proxy {
	struct config_prefixes from;	/* none: not accepted at all */
	unsigned int timeout_ms;
	bool others_refuse;	/* and not: they are clients themselves */
};

struct config_listener {
	struct config_mark mark;
	char *bind;		/* as written */
	struct sockaddr_storage addr;	/* AF_UNIX for "unix:PATH" */
	socklen_t addr_len;
	bool v6only;		/* else [::] and "*" mean IPv4 too */
	unsigned int route;	/* where no rule fits; index, or CONFIG_DENY */
	struct config_rule *rules;
	size_t n_rules;		/* may be 0 */
	unsigned int *certs;	/* indices into certs, ascending */
	size_t n_certs;		/* 0: all of them */
	bool strict_sni;	/* no default certificate */
	struct config_alpn alpn;
	bool alpn_ignore;	/* none in common: go on without one */
	struct config_client client;
	struct config_tls tls;	/* with what it has of the file's */
	struct config_tcp tcp;
	struct config_accept_proxy accept_proxy;
	unsigned int tickets;	/* 0: no resumption */
	unsigned int backlog;
};

/* What consumers are told on request, since they cannot find it out. */
enum config_tell {
	CONFIG_TELL_CLIENT_CERT = 1, CONFIG_TELL_EXPORTER = 2,
	CONFIG_TELL_END_POINT = 4, CONFIG_TELL_JA4 = 8,
};

/* Servers that a proxy connects to, and how it takes to their failures. */
enum config_header { CONFIG_HEADER_NONE, CONFIG_HEADER_V1, CONFIG_HEADER_V2 };
struct config_backend {
	char *text;		/* as written */
	struct sockaddr_storage addr;	/* IPv4, IPv6 with a port, or Unix */
	socklen_t addr_len;
};

struct config_proxy {
	struct config_backend *backends;
	size_t n;		/* 0: the route is none of a proxy */
	enum config_header header;	/* that connections begin with */
	unsigned int connect_timeout_ms;
	unsigned int max_fails;	/* within fail_timeout; 0: never down */
	unsigned int fail_timeout_ms;
};
#define CONFIG_MAX_BACKENDS 64	/* of a route */

struct config_route {
	struct config_mark mark;
	char *name;
	char *handoff;		/* fits sun_path with its NUL; NULL: a proxy's */
	struct config_proxy proxy;
	uid_t user;		/* of the socket file */
	gid_t group;
	mode_t mode;
	uid_t *allow_uids;	/* NULL: whoever the mode lets connect */
	size_t n_allow_uids;
	unsigned int queue;	/* connections */
	bool passthrough;	/* the socket with its ClientHello unread */
	bool refuse;		/* without a consumer; else hold them */
	unsigned int hold_timeout_ms;
	unsigned int tell;	/* enum config_tell, or'ed */
	bool rekey;		/* consumers get the traffic secrets */
	bool ipv6;		/* a client that comes may have an IPv6 address
				 * that is none of IPv4; by the listeners */
};

/* Of all workers together, unless it says else; 0: none. */
struct config_limits {
	unsigned int handshakes;	/* at a time */
	unsigned int handshakes_per_client;
	unsigned int accept_rate;	/* connections per second */
	unsigned int client_v4, client_v6;	/* bits that tell clients apart */
	unsigned int client_hello;	/* bytes */
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
	struct config_file ca;	/* PEM; path NULL: the system's */
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
	char *proxy_user;	/* NULL: the workers'; */
	uid_t proxy_uid;	/* these two are right in any case */
	gid_t proxy_gid;
	enum config_ktls ktls;
	char *state_dir;	/* may be missing */
	char *control;		/* fits sun_path with its NUL */
	unsigned int handshake_timeout_ms, drain_timeout_ms;
	struct config_limits limits;
	struct config_tls tls;
	unsigned int ticket_lifetime_s;
	struct config_file ticket_keys;	/* path NULL: made here, kept in
					 * state_dir */
	char *keylog;		/* file for debugging; NULL: none */
	bool watch;		/* certificates' files; lists of revoked ones
				 * are always watched */
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
