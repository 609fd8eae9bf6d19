/* SPDX-License-Identifier: MIT */
/*
 * What the test clients and the test consumer share. They are programs that
 * end at the first surprise: die() says so on stderr and exits with 2.
 */
#ifndef TOOL_H
#define TOOL_H

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

__attribute__((format(printf, 1, 2), noreturn)) void die(const char *fmt, ...);

/* Milliseconds on CLOCK_MONOTONIC. */
int64_t now_ms(void);
void sleep_ms(int64_t ms);
/* Wait for a line on stdin (or its end): scripts hold us up with a fifo. */
void wait_line(void);
/* As many descriptors as the hard limit allows. */
void raise_nofile(void);
/* A decimal number with an optional K or M (1024, 1024²). */
size_t parse_size(const char *text);

/*
 * A connected TCP socket with TCP_NODELAY, blocking, whose calls fail with
 * EAGAIN after @timeout_ms. @where: "127.0.0.1:443" or "[::1]:443".
 */
int tcp_connect(const char *where, int timeout_ms);
/* From now on connections to IPv4 come from 127.0.0.1 to 127.0.0.@n in turn. */
void tcp_sources(int n);
/* The next one comes from this address of 127.0.0.0/8, in host order. */
void tcp_source(uint32_t address);
/* The same, nonblocking: the connection is still being made. */
int tcp_start(const char *where);
/* The same, but -1 with errno when that is refused at once. */
int tcp_try(const char *where);
/* A listening socket, blocking; IPv6 addresses do not take IPv4 too. */
int tcp_listen(const char *where, int backlog);
/* send() until all is sent; -1 with errno when the peer does not take it. */
int send_all(int fd, const void *data, size_t len);

/*
 * The body of every transfer: bytes that do not repeat within a record or a
 * page (the period is a prime close to 1 MiB). Gives a run that starts at
 * @offset, @len gets its length, at least 1.
 */
const uint8_t *pattern(uint64_t offset, size_t *len);

/* SHA-256 as 64 hex digits and a NUL. */
#define SHA_HEX 65
EVP_MD_CTX *sha_new(void);
void sha_hex(EVP_MD_CTX *sha, char hex[static SHA_HEX]); /* frees @sha */
void pattern_sha(uint64_t len, char hex[static SHA_HEX]);

/* A response as it arrives; .text is the body's beginning, a C string. */
struct http {
	EVP_MD_CTX *sha; /* of the body; may be NULL */
	char head[2048], text[4096];
	size_t head_len, text_len, body, content_length;
	int status;
	bool head_done;
};
void http_take(struct http *h, const char *data, size_t len);
bool http_complete(const struct http *h);

/* A client's context: trusts @ca only, and checks the peer against it. */
SSL_CTX *client_ctx(const char *ca);
/* "1.2" or "1.3" only; NULL: both. */
void only_version(SSL_CTX *ctx, const char *version);
/* A suite's OpenSSL name, of either version; NULL: all. */
void only_cipher(SSL_CTX *ctx, const char *name);
/* A connection on two memory BIOs: SSL_get_rbio() and SSL_get_wbio(). */
SSL *client_ssl(SSL_CTX *ctx, const char *name);
/* The first entry of OpenSSL's error queue, in words; empties it. */
const char *ssl_reason(void);

#endif
