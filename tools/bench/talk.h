/* SPDX-License-Identifier: MIT */
/*
 * A client's half of connections, without sockets: bytes in, bytes out. TLS, or
 * a script of so many bytes in turn, that costs nothing.
 */
#ifndef BENCH_TALK_H
#define BENCH_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

/*
 * struct flights - how many bytes a handshake takes, one way and the other
 * @len:      the client's first, then the server's, and so on, @n of them
 * @complete: behind so many of them the handshake is, for the client
 */
#define FLIGHTS_MAX 8
struct flights {
	unsigned int n, complete;
	size_t len[FLIGHTS_MAX];
};

/*
 * struct talk_plan
 * @version: TLS1_2_VERSION or TLS1_3_VERSION; 0: there is a @script, and bytes
 *           in the clear behind it
 * @resume:  each connection resumes one session, the first that was had
 */
struct talk_plan {
	int version;
	bool resume;
	struct flights script;
};

/* struct talker - of a process, for all its connections */
struct talker {
	const struct talk_plan *plan;
	SSL_CTX *ctx;
	SSL_SESSION *session;
};

/*
 * struct talk - of a connection
 * @done:    the handshake is complete
 * @resumed: and was an abbreviated one
 * @tickets: so many came
 * @head_done, @body: of an HTTP answer: its head is in, and so many bytes more
 */
struct talk {
	struct talker *talker;
	SSL *ssl;
	BIO *plain;
	unsigned int step, matched;
	size_t to_send, got;
	bool done, resumed, head_done;
	uint64_t body;
	unsigned int tickets;
};

/*
 * One suite and one key share, so that every server does the same: AES-128-GCM,
 * X25519 (P-256 is offered for certificates' sake, which TLS 1.2 wants).
 * Certificates are not verified, signatures by their keys are.
 * @plan: stays the caller's
 */
void talker_init(struct talker *t, const struct talk_plan *plan);
void talker_fini(struct talker *t);

void talk_open(struct talk *t, struct talker *talker);
/*
 * talk_take - bytes from the server; with none, at first, a handshake begins
 * Returns 0; -EPROTO: it failed, talk_error() knows why.
 */
int talk_take(struct talk *t, const void *data, size_t len);
/* talk_give - bytes for the server. Returns how many, 0: none for now. */
size_t talk_give(struct talk *t, void *buf, size_t size);
/* talk_say - when done: application data, to be had by talk_give() */
void talk_say(struct talk *t, const void *data, size_t len);
/* talk_end - when done: nothing more is said but, with TLS, close_notify */
void talk_end(struct talk *t);
void talk_close(struct talk *t);
/* OpenSSL's last error in words, which is forgotten then. */
const char *talk_error(void);

#endif
