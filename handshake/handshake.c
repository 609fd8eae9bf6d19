// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "handshake/internal.h"
#include "handshake/kdf.h"
#include "handshake/peer.h"

struct hs *hs_of(const SSL *ssl)
{
	return BIO_get_data(SSL_get_rbio(ssl));
}

struct hs *hs_new(struct hs_ctx *ctx,
		  enum hs_choice (*choose)(void *arg, struct hs_hello *hello),
		  void *arg)
{
	struct hs *hs = calloc(1, sizeof(*hs));
	BIO *bio;

	if (!hs)
		return NULL;
	hs->ctx = ctx;
	hs->set = hs->installed = ctx->names.fallback;
	hs->choose = choose;
	hs->choose_arg = arg;
	hs->step = HS_MORE;
	hs->ssl = SSL_new(ctx->ssl);
	bio = BIO_new(ctx->bio);
	if (!hs->ssl || !bio) {
		BIO_free(bio);
		hs_free(hs);
		return NULL;
	}
	BIO_set_data(bio, hs);
	SSL_set_bio(hs->ssl, bio, bio);
	SSL_set_accept_state(hs->ssl);
	SSL_set_msg_callback_arg(hs->ssl, hs);
	return hs;
}

void hs_free(struct hs *hs)
{
	if (!hs)
		return;
	/* Freed without a close_notify, a session is not resumed again. */
	if (hs->ssl && hs->step == HS_DONE)
		SSL_set_shutdown(hs->ssl,
				 SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(hs->ssl);
	hs_peer_free(hs->peer);
	free(hs->out);
	OPENSSL_cleanse(hs, sizeof(*hs));
	free(hs);
}

bool hs_hello_fits(const struct hs *hs, const uint8_t head[static 4])
{
	unsigned int len = head[1] << 16 | head[2] << 8 | head[3];

	return head[0] != SSL3_MT_CLIENT_HELLO || !hs->ctx->max_hello ||
	       len <= hs->ctx->max_hello;
}

void hs_fail_long(struct hs *hs)
{
	hs_fail(hs, HS_F_HELLO, SSL_AD_ILLEGAL_PARAMETER,
		"the ClientHello is longer than the limit");
}

struct http_method {
	const char *name;
	uint8_t len;
};

#define METHOD(s) { s, sizeof(s) - 1 }
static const struct http_method http_methods[] = {
	METHOD("GET "),	    METHOD("POST "),  METHOD("HEAD "),
	METHOD("PUT "),	    METHOD("DELETE "), METHOD("PATCH "),
	METHOD("OPTIONS "), METHOD("CONNECT "), METHOD("TRACE "),
	METHOD("PRI * "),
};

enum first { FIRST_UNDECIDED, FIRST_TLS, FIRST_LONG, FIRST_ALERT, FIRST_HTTP,
	     FIRST_SSLV2, FIRST_GARBAGE };

/* Returns whether the first bytes of @p could be those of @head. */
static bool begins(const uint8_t *p, size_t len, const void *head,
		   size_t head_len)
{
	return !memcmp(p, head, len < head_len ? len : head_len);
}

static enum first http_or_garbage(const uint8_t *p, size_t len)
{
	enum first verdict = FIRST_GARBAGE;

	for (size_t i = 0; i < sizeof(http_methods) / sizeof(*http_methods);
	     i++) {
		const struct http_method *m = &http_methods[i];

		if (!begins(p, len, m->name, m->len))
			continue;
		if (len >= m->len)
			return FIRST_HTTP;
		verdict = FIRST_UNDECIDED;
	}
	return verdict;
}

/* An alert of 2 bytes in the clear, which OpenSSL does not take as the first */
static enum first alert_or_garbage(const uint8_t *p, size_t len)
{
	uint8_t head[] = { SSL3_RT_ALERT, 3, len > 2 ? p[2] : 0, 0, 2 };

	if (!begins(p, len, head, sizeof(head)))
		return FIRST_GARBAGE;
	return len < sizeof(head) + 2 ? FIRST_UNDECIDED : FIRST_ALERT;
}

/*
 * The head of the first message, which may be spread over records. OpenSSL makes
 * room for the longest record at the first byte it sees, so it sees none before
 * we know what it is for.
 */
static enum first long_or_tls(const struct hs *hs, const uint8_t *p, size_t len)
{
	bool full = len == sizeof(hs->first);
	uint8_t head[4];
	size_t n = 0;

	while (len >= 5) {
		size_t body = p[3] << 8 | p[4];

		/* Nothing that OpenSSL would wait behind. */
		if (p[0] != SSL3_RT_HANDSHAKE || p[1] != 3 ||
		    body > SSL3_RT_MAX_PLAIN_LENGTH)
			return FIRST_TLS;
		p += 5;
		len -= 5;
		for (; len && body && n < sizeof(head); len--, body--)
			head[n++] = *p++;
		if (n == sizeof(head))
			return hs_hello_fits(hs, head) ? FIRST_TLS : FIRST_LONG;
	}
	return full ? FIRST_TLS : FIRST_UNDECIDED;
}

/* A peer's first bytes, of which OpenSSL would answer some without an alert. */
static enum first judge(const struct hs *hs, const uint8_t *p, size_t len)
{
	if (p[0] == SSL3_RT_HANDSHAKE) {
		if (len >= 2 && p[1] != 3)
			return FIRST_GARBAGE;
		return long_or_tls(hs, p, len);
	}
	if (p[0] == SSL3_RT_ALERT)
		return alert_or_garbage(p, len);
	if (p[0] & 0x80) {
		if (len < 3)
			return FIRST_UNDECIDED;
		return p[2] == SSL2_MT_CLIENT_HELLO ? FIRST_SSLV2 :
						      FIRST_GARBAGE;
	}
	return http_or_garbage(p, len);
}

/* Returns false when OpenSSL is not to go on: undecided or failed. */
static bool first_bytes(struct hs *hs)
{
	uint8_t p[sizeof(hs->first)];
	size_t kept = hs->first_len;
	size_t n = sizeof(p) - kept;

	n = n < hs->in_len ? n : hs->in_len;
	memcpy(p, hs->first, kept);
	memcpy(p + kept, hs->in, n);
	switch (judge(hs, p, kept + n)) {
	case FIRST_TLS:
		hs->is_tls = true;
		return true;
	case FIRST_UNDECIDED:
		memcpy(hs->first, p, kept + n);
		hs->first_len += n;
		hs->in_len -= n;
		return false;
	case FIRST_LONG:
		hs_fail_long(hs);
		return false;
	case FIRST_ALERT:
		hs_fail_peer(hs, p[6]);
		return false;
	case FIRST_HTTP:
		hs_fail(hs, HS_F_HTTP, SSL_AD_UNEXPECTED_MESSAGE,
			"plain HTTP was sent to a TLS port");
		return false;
	case FIRST_SSLV2:
		hs_fail(hs, HS_F_SSLV2, SSL_AD_PROTOCOL_VERSION,
			"the peer sent an SSLv2 hello");
		return false;
	case FIRST_GARBAGE:
		hs_fail(hs, HS_F_GARBAGE, SSL_AD_UNEXPECTED_MESSAGE,
			"the first bytes are not TLS");
	}
	return false;
}

static enum hs_step go_on(struct hs *hs)
{
	int ret;
	int error;

	ERR_clear_error();
	hs_kdf_watch(hs->ctx->watches ? &hs->shown : NULL);
	ret = SSL_do_handshake(hs->ssl);
	hs_kdf_watch(NULL);
	if (ret == 1)
		return hs->step = HS_DONE;
	if (hs->step != HS_MORE)
		return hs->step;
	error = SSL_get_error(hs->ssl, ret);
	if (error == SSL_ERROR_WANT_READ && !hs->no_memory)
		return HS_MORE;
	return hs_fail_ssl(hs, error);
}

enum hs_step hs_feed(struct hs *hs, const uint8_t *in, size_t len, int64_t now,
		     size_t *used)
{
	*used = 0;
	if (hs->step != HS_MORE || !len)
		return hs->step;
	hs->in = in;
	hs->in_len = len;
	hs->now = now;
	if (hs->is_tls || first_bytes(hs))
		go_on(hs);
	*used = len - hs->in_len;
	hs->in = NULL;
	hs->in_len = 0;
	return hs->step;
}

struct ocsp_bytes hs_output(const struct hs *hs)
{
	struct ocsp_bytes b = { NULL, hs->out_end - hs->out_start };

	if (b.len)
		b.data = hs->out + hs->out_start;
	return b;
}

void hs_output_sent(struct hs *hs, size_t len)
{
	hs->out_start += len;
	if (hs->out_start == hs->out_end)
		hs->out_start = hs->out_end = 0;
}
