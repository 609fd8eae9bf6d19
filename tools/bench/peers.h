/* SPDX-License-Identifier: MIT */
/* The servers that are compared: how each is configured and started. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What takes the connections of a server: nothing but itself, its queue, a port
 * that it connects to behind each handshake, or one for what clients ask for.
 */
enum behind_kind { BEHIND_NOTHING, BEHIND_QUEUE, BEHIND_PORT, BEHIND_ASKED };

/*
 * struct place - where one is to run, for its configuration; paths are absolute
 * @dir:  its own folder; @files: what clients may ask for
 * @port, @behind_port: at 127.0.0.1; the second where it proxies
 * @connections: so many at a time it is to take
 * @ktls: of ktlsd; "on": of nginx
 */
struct place {
	const char *dir, *files, *cert, *key, *both, *ktls;
	uint16_t port, behind_port;
	unsigned int connections;
};

#define PEER_ARGS 8
/*
 * struct peer
 * @program: looked for in the PATH and in the folders that servers are in
 * @args:    behind it; "@" stands for the configuration's file
 * @config:  returns the configuration; the caller frees it
 * @ending:  of the file's name, as some want one
 * @reload:  the signal at which it reads its configuration again
 */
struct peer {
	const char *name, *program;
	const char *args[PEER_ARGS];
	char *(*config)(const struct place *at);
	const char *ending;
	enum behind_kind behind;
	int reload;
};

extern const struct peer peers[];
extern const size_t n_peers;

/* NULL: there is none of this name. */
const struct peer *peer_named(const char *name);

/*
 * peer_find - its program
 * Our own are looked for beside this program first. Returns a path that the
 * caller frees, or NULL: it is not installed.
 */
char *peer_find(const struct peer *peer);

#endif
