/* SPDX-License-Identifier: MIT */
/* A TLS connection to anybody, to look at the certificates that come. */
#ifndef STAPLE_CONNECT_H
#define STAPLE_CONNECT_H

#include <openssl/ssl.h>

#include "tools/staple/staple.h"

#define CONNECT_S 10 /* for all of it: look-up, connection, handshake */

/*
 * staple_limit_time - from now on, end the program with @status after CONNECT_S,
 * naming what it was doing; 0 seconds for STAPLE_GOOD: no more
 */
void staple_limit_time(enum staple_exit status);

/*
 * staple_connect - TCP, to the first address of @host that takes it
 * Tells each step on standard output. Returns a blocking socket, or -1.
 */
int staple_connect(const char *host, const char *port);

/*
 * staple_handshake - ask for a staple as a client does that verifies nothing
 * @name:        for SNI; NULL: none
 * @max_version: as in TLS1_2_VERSION; 0: the newest
 * @fd is closed on failure, and by staple_hang_up(). Returns NULL, having said
 * why.
 */
SSL *staple_handshake(int fd, const char *name, int max_version);
void staple_hang_up(SSL *ssl);

#endif
