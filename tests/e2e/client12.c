// SPDX-License-Identifier: MIT
/*
 * client12 - what a TLS 1.2 client may do and OpenSSL's never does
 *
 *   client12 CA ADDRESS:PORT MODE...      MODE: some of these letters
 *
 * e: early: the request leaves together with our Finished, before the server's
 *    has come (RFC 7918, False Start)
 * w: 20 ms between the two
 * c: cut: our Finished in records of 4 bytes each (RFC 5246 6.2.1)
 *
 * One connection for each MODE. OpenSSL does the handshake; what we send from Finished on is sealed here,
 * with AES-128-GCM and sequence numbers of our own (RFC 5288). Fetches /early
 * and checks the body. Prints a line for each; exit 0 when all are right.
 */
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

static bool run(SSL *ssl, int fd, bool early, bool cut, bool wait)
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
		if (wait)
			sleep_ms(20);
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

static bool one(SSL_CTX *ctx, const char *where, const char *mode)
{
	SSL *ssl = client_ssl(ctx, "localhost");
	int fd = tcp_connect(where, 10000);
	bool ok;

	ok = run(ssl, fd, strchr(mode, 'e'), strchr(mode, 'c'),
		 strchr(mode, 'w'));
	printf("mode=%s result=%s version=%s cipher=%s reason='%s'\n", mode,
	       ok ? "ok" : "fail", SSL_get_version(ssl),
	       SSL_get_cipher_name(ssl), ssl_reason());
	close(fd);
	SSL_free(ssl);
	return ok;
}

int main(int argc, char **argv)
{
	bool ok = true;
	SSL_CTX *ctx;
	int i;

	if (argc < 4)
		die("usage: client12 CA ADDRESS:PORT MODE...");
	ctx = client_ctx(argv[1]);
	only_version(ctx, "1.2");
	only_cipher(ctx, CIPHER);
	for (i = 3; i < argc; i++)
		ok &= one(ctx, argv[2], argv[i]);
	SSL_CTX_free(ctx);
	return ok ? 0 : 1;
}
