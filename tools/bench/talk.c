// SPDX-License-Identifier: MIT
#include "talk.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "util.h"

const char *talk_error(void)
{
	const unsigned long e = ERR_get_error();
	const char *reason = ERR_reason_error_string(e);

	ERR_clear_error();
	return reason ? reason : "no reason given";
}

/* One that came in; the first is kept. */
static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct talk *t = SSL_get_app_data(ssl);

	t->tickets += SSL_SESSION_has_ticket(session);
	if (t->talker->session)
		return 0;
	t->talker->session = session;
	return 1;
}

static SSL_CTX *client_context(int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, version) ||
	    !SSL_CTX_set_max_proto_version(ctx, version) ||
	    !SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") ||
	    !SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256:"
					  "ECDHE-RSA-AES128-GCM-SHA256") ||
	    !SSL_CTX_set1_groups_list(ctx, "X25519:P-256"))
		die("OpenSSL makes no context: %s", talk_error());
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
						    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	return ctx;
}

void talker_init(struct talker *t, const struct talk_plan *plan)
{
	*t = (struct talker){.plan = plan};
	if (plan->version)
		t->ctx = client_context(plan->version);
}

void talker_fini(struct talker *t)
{
	SSL_SESSION_free(t->session);
	SSL_CTX_free(t->ctx);
}

static void open_tls(struct talk *t)
{
	SSL_SESSION *copy;

	t->ssl = SSL_new(t->talker->ctx);
	if (!t->ssl)
		die("SSL_new: %s", talk_error());
	SSL_set_bio(t->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(t->ssl);
	SSL_set_app_data(t->ssl, t);
	SSL_set_tlsext_host_name(t->ssl, "localhost");
	if (!t->talker->plan->resume || !t->talker->session)
		return;
	/* OpenSSL uses a TLS 1.3 session once only. */
	copy = SSL_SESSION_dup(t->talker->session);
	SSL_set_session(t->ssl, copy);
	SSL_SESSION_free(copy);
}

void talk_open(struct talk *t, struct talker *talker)
{
	*t = (struct talk){.talker = talker};
	if (talker->ctx)
		open_tls(t);
	else if (talker->plan->script.n)
		t->to_send = talker->plan->script.len[0];
	else
		t->plain = BIO_new(BIO_s_mem());
}

/* The answer's bytes, of which only the number is of interest. */
static void count(struct talk *t, const char *data, size_t len)
{
	static const char end[] = "\r\n\r\n";
	size_t i = 0;

	while (!t->head_done && i < len) {
		t->matched = data[i] == end[t->matched] ? t->matched + 1 :
							  data[i] == '\r';
		t->head_done = t->matched == 4;
		i++;
	}
	t->body += len - i;
}

static int take_tls(struct talk *t, const void *data, size_t len)
{
	char scrap[16384];
	int n;

	if (len)
		BIO_write(SSL_get_rbio(t->ssl), data, (int)len);
	if (!t->done) {
		n = SSL_do_handshake(t->ssl);
		if (n != 1)
			return SSL_get_error(t->ssl, n) == SSL_ERROR_WANT_READ ?
				       0 :
				       -EPROTO;
		t->done = true;
		t->resumed = SSL_session_reused(t->ssl);
	}
	while ((n = SSL_read(t->ssl, scrap, sizeof(scrap))) > 0)
		count(t, scrap, n);
	n = SSL_get_error(t->ssl, n);
	return n == SSL_ERROR_WANT_READ || n == SSL_ERROR_ZERO_RETURN ?
		       0 :
		       -EPROTO;
}

/* Flights in turn: the next is ours when all of theirs has come. */
static int take_script(struct talk *t, const void *data, size_t len)
{
	const struct flights *f = &t->talker->plan->script;

	if (!f->n)
		count(t, data, len);
	t->got += len;
	while (t->step + 1 < f->n && t->got >= f->len[t->step + 1]) {
		t->got -= f->len[t->step + 1];
		t->step += 2;
		if (t->step < f->n)
			t->to_send += f->len[t->step];
	}
	t->done = t->step >= f->complete;
	return 0;
}

int talk_take(struct talk *t, const void *data, size_t len)
{
	return t->ssl ? take_tls(t, data, len) : take_script(t, data, len);
}

size_t talk_give(struct talk *t, void *buf, size_t size)
{
	size_t n = t->to_send < size ? t->to_send : size;
	int written;

	if (t->ssl) {
		written = BIO_read(SSL_get_wbio(t->ssl), buf, (int)size);
		return written > 0 ? written : 0;
	}
	if (t->plain) {
		written = BIO_read(t->plain, buf, (int)size);
		return written > 0 ? written : 0;
	}
	memset(buf, 0, n);
	t->to_send -= n;
	return n;
}

void talk_say(struct talk *t, const void *data, size_t len)
{
	if (t->ssl ? SSL_write(t->ssl, data, (int)len) <= 0 :
		     BIO_write(t->plain, data, (int)len) <= 0)
		die("a client cannot write: %s", talk_error());
}

void talk_end(struct talk *t)
{
	if (t->ssl)
		SSL_shutdown(t->ssl);
}

void talk_close(struct talk *t)
{
	BIO_free(t->plain);
	t->plain = NULL;
	if (!t->ssl)
		return;
	SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	t->ssl = NULL;
}
