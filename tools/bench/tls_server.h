/* SPDX-License-Identifier: MIT */
/* OpenSSL's server as it is without ktlsd: for what is compared with it. */
#ifndef BENCH_TLS_SERVER_H
#define BENCH_TLS_SERVER_H

#include <sys/types.h>

#include <openssl/ssl.h>

#include "scratch.h"

/*
 * What a server of ours speaks: no TLS, OpenSSL's, OpenSSL's with the kernel to
 * send, or the kernel's in both directions, as soon as there are keys.
 */
enum own_tls { TLS_NONE, TLS_USER, TLS_SEND, TLS_BOTH };

/* tls_server_context - or die() */
SSL_CTX *tls_server_context(enum bench_key key, enum own_tls tls);
/* tls_accept - a connection on a nonblocking socket, or die() */
SSL *tls_accept(SSL_CTX *ctx, int fd);
/*
 * tls_result - what OpenSSL's call returned, as recv(2) would
 * Returns bytes; 0: the end; -EAGAIN; or -EPROTO.
 */
ssize_t tls_result(SSL *ssl, int n);
/*
 * tls_shaken - after the handshake: is the kernel's part the kernel's?
 * Of TLS_BOTH it gets its keys here, @ssl is freed, and *@ssl NULL: what is left
 * is a socket. Returns 0; -EOPNOTSUPP; -EINVAL: it is not TLS 1.3 with
 * AES-128-GCM; or another -errno, as ktls_install().
 */
int tls_shaken(SSL **ssl, enum own_tls tls);
/* With close_notify if there is room; takes NULL. */
void tls_end(SSL *ssl);

#endif
