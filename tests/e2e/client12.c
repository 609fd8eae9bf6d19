// SPDX-License-Identifier: MIT
/*
 * client12 - what a TLS 1.2 client may do and OpenSSL's never does
 *
 *   client12 [--ca FILE] [--early] [--cut] [--wait MS] ADDRESS:PORT
 *
 * --early: the request leaves together with our Finished, before the server's
 *          has come (RFC 7918, False Start)
 * --cut:   our Finished in records of 4 bytes each (RFC 5246 6.2.1)
 * --wait:  milliseconds between Finished and the request
 *
 * OpenSSL does the handshake; what we send from Finished on is sealed here,
 * with AES-128-GCM and sequence numbers of our own (RFC 5288). Fetches /early
 * and checks the body. Prints one line; exit 0 when it is right.
 */
#include <getopt.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool/tool.h"

#define CIPHER "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
#define REQUEST \
	"GET /early HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

/* Our direction of the record layer. */
struct sealer {
	uint8_t key[16], salt[4];
	uint64_t seq;
};

struct buffer {
	uint8_t data[16384];
	size_t len;
};

static void append(struct buffer *b, const void *data, size_t len)
{
	if (b->len + len > sizeof(b->data))
		die("too long");
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

/* RFC 5246 6.3: client key, server key, client IV, server IV. */
static void derive(struct sealer *s, SSL *ssl)
{
	uint8_t master[48], seed[13 + 64], block[40];
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SECRET, master, 48),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SEED, seed,
					sizeof(seed)),
		OSSL_PARAM_END,
	};

	SSL_SESSION_get_master_key(SSL_get_session(ssl), master, 48);
	memcpy(seed, "key expansion", 13);
	SSL_get_server_random(ssl, seed + 13, 32);
	SSL_get_client_random(ssl, seed + 45, 32);
	if (EVP_KDF_derive(ctx, block, sizeof(block), params) != 1)
		die("TLS1-PRF: %s", ssl_reason());
	memcpy(s->key, block, 16);
	memcpy(s->salt, block + 32, 4);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static void put64(uint8_t *p, uint64_t v)
{
	int i;

	for (i = 0; i < 8; i++)
		p[i] = v >> (56 - 8 * i);
}

static void additional(uint8_t aad[13], uint64_t seq, uint8_t type, size_t len)
{
	put64(aad, seq);
	aad[8] = type;
	aad[9] = aad[10] = 3;
	aad[11] = len >> 8;
	aad[12] = len;
}

/* Append one record to @out. */
static void seal(struct sealer *s, struct buffer *out, uint8_t type,
		 const void *data, size_t len)
{
	uint8_t aad[13], nonce[12], record[5 + 8 + 4096 + 16];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	size_t body = 8 + len + 16;
	int n;

	additional(aad, s->seq, type, len);
	memcpy(nonce, s->salt, 4);
	put64(nonce + 4, s->seq++);
	memcpy(record, (uint8_t[]){type, 3, 3, body >> 8, body}, 5);
	memcpy(record + 5, nonce + 4, 8);
	EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, s->key, nonce);
	EVP_EncryptUpdate(ctx, NULL, &n, aad, sizeof(aad));
	EVP_EncryptUpdate(ctx, record + 13, &n, data, len);
	EVP_EncryptFinal_ex(ctx, record + 13 + len, &n);
	if (!EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16,
				 record + 13 + len))
		die("sealing: %s", ssl_reason());
	EVP_CIPHER_CTX_free(ctx);
	append(out, record, 5 + body);
}

/* Open OpenSSL's Finished, the record with sequence number 0. */
static size_t open_finished(const struct sealer *s, const uint8_t *record,
			    size_t body, uint8_t *plain)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	size_t len = body - 8 - 16;
	uint8_t aad[13], nonce[12];
	int n;

	additional(aad, 0, 22, len);
	memcpy(nonce, s->salt, 4);
	memcpy(nonce + 4, record + 5, 8);
	EVP_DecryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, s->key, nonce);
	EVP_DecryptUpdate(ctx, NULL, &n, aad, sizeof(aad));
	EVP_DecryptUpdate(ctx, plain, &n, record + 13, len);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16,
			    (void *)(record + 13 + len));
	if (EVP_DecryptFinal_ex(ctx, plain + n, &n) != 1)
		die("our own Finished does not decrypt");
	EVP_CIPHER_CTX_free(ctx);
	return len;
}

/*
 * Take OpenSSL's flight, pass on what comes before Finished, and seal that
 * anew, in pieces of @piece bytes.
 */
static void reseal_flight(struct sealer *s, SSL *ssl, struct buffer *out,
			  size_t piece)
{
	uint8_t *data, *record, plain[64];
	size_t len = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
	size_t at = 0, body, n, done;
	bool changed = false;

	while (at + 5 <= len) {
		record = data + at;
		body = record[3] << 8 | record[4];
		at += 5 + body;
		if (!changed) {
			append(out, record, 5 + body);
			changed = record[0] == 20;
			continue;
		}
		derive(s, ssl);
		n = open_finished(s, record, body, plain);
		for (done = 0; done < n; done += piece)
			seal(s, out, 22, plain + done,
			     n - done < piece ? n - done : piece);
	}
	BIO_reset(SSL_get_wbio(ssl));
	if (!changed)
		die("no ChangeCipherSpec in our second flight");
}

static bool fill(SSL *ssl, int fd)
{
	uint8_t buf[16384];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	if (n <= 0)
		return false;
	BIO_write(SSL_get_rbio(ssl), buf, n);
	return true;
}

/* Send OpenSSL's ClientHello, and read until its second flight is written. */
static void first_flight(SSL *ssl, int fd)
{
	char *data;
	long len;

	SSL_do_handshake(ssl);
	len = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
	send_all(fd, data, len);
	BIO_reset(SSL_get_wbio(ssl));
	while (!BIO_ctrl_pending(SSL_get_wbio(ssl))) {
		if (!fill(ssl, fd))
			die("no answer to our ClientHello");
		if (SSL_do_handshake(ssl) != 1 &&
		    SSL_get_error(ssl, -1) != SSL_ERROR_WANT_READ)
			die("handshake: %s", ssl_reason());
	}
}

static bool finish_handshake(SSL *ssl, int fd)
{
	while (SSL_do_handshake(ssl) != 1) {
		if (SSL_get_error(ssl, -1) != SSL_ERROR_WANT_READ ||
		    !fill(ssl, fd))
			return false;
	}
	return true;
}

/* Read to the end; true when the response is right and ends cleanly. */
static bool response(SSL *ssl, int fd)
{
	char text[4096];
	size_t len = 0;
	int n;

	for (;;) {
		n = SSL_read(ssl, text + len, sizeof(text) - 1 - len);
		if (n > 0)
			len += n;
		else if (SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ ||
			 !fill(ssl, fd))
			break;
	}
	text[len] = '\0';
	return !strncmp(text, "HTTP/1.", 7) && !strncmp(text + 8, " 200", 4) &&
	       strstr(text, "\r\n\r\n/early") &&
	       SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN;
}

static bool run(SSL *ssl, int fd, bool early, bool cut, int wait)
{
	struct buffer out = {.len = 0}, last = {.len = 0};
	struct sealer sealer = {.seq = 0};
	bool ok;

	first_flight(ssl, fd);
	reseal_flight(&sealer, ssl, &out, cut ? 4 : 16);
	if (early && !wait) {
		seal(&sealer, &out, 23, REQUEST, strlen(REQUEST));
		send_all(fd, out.data, out.len);
	} else {
		send_all(fd, out.data, out.len);
		out.len = 0;
		sleep_ms(wait);
		if (!early && !finish_handshake(ssl, fd))
			return false;
		seal(&sealer, &out, 23, REQUEST, strlen(REQUEST));
		send_all(fd, out.data, out.len);
	}
	ok = finish_handshake(ssl, fd) && response(ssl, fd);
	seal(&sealer, &last, 21, "\1", 2);
	send_all(fd, last.data, last.len);
	return ok;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"ca", 1, NULL, 'c'},  {"early", 0, NULL, 'e'},
		{"cut", 0, NULL, 'x'}, {"wait", 1, NULL, 'w'},
		{NULL, 0, NULL, 0},
	};
	bool early = false, cut = false, ok;
	const char *ca = NULL;
	int c, wait = 0, fd;
	SSL_CTX *ctx;
	SSL *ssl;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'c':
			ca = optarg;
			break;
		case 'e':
			early = true;
			break;
		case 'x':
			cut = true;
			break;
		case 'w':
			wait = atoi(optarg);
			break;
		default:
			die("usage: see the head of client12.c");
		}
	if (optind + 1 != argc)
		die("usage: see the head of client12.c");
	ctx = client_ctx(ca);
	only_version(ctx, "1.2");
	only_cipher(ctx, CIPHER);
	ssl = client_ssl(ctx, "localhost");
	fd = tcp_connect(argv[optind], 10000);
	ok = run(ssl, fd, early, cut, wait);
	printf("result=%s version=%s cipher=%s reason='%s'\n",
	       ok ? "ok" : "fail", SSL_get_version(ssl),
	       SSL_get_cipher_name(ssl), ssl_reason());
	close(fd);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return ok ? 0 : 1;
}
