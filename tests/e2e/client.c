// SPDX-License-Identifier: MIT
/*
 * client - one HTTPS request whose bytes go out exactly as told
 *
 * TLS runs on memory, so this program alone decides which bytes are in which
 * segment. Prints one line of key=value; exit 0: the response is complete and
 * right, 1: it is not, 2: the tool could not do its work.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool/options.h"
#include "tool/tool.h"

/* One connection, and what is to be said about it at the end. */
struct client {
	int fd;
	SSL *ssl;
	const char *end; /* close_notify, fin, rst, timeout, error */
	int alert;
	int64_t start_ms, hs_ms;
	struct http http;
};

#define KEPT_MAX 64

static struct {
	SSL *ssl;
	int fd;
} kept[KEPT_MAX];
static int n_kept;

static int tickets;
static size_t longest_record;
static int our_updates, their_updates;

static int count_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	(void)session;
	tickets++;
	return 0;
}

static void note_alert(const SSL *ssl, int where, int ret)
{
	struct client *c = SSL_get_app_data(ssl);

	if (where == SSL_CB_READ_ALERT && (ret & 0xff))
		c->alert = ret & 0xff;
}

static void note_record(int out, int version, int type, const void *buf,
			size_t len, SSL *ssl, void *arg)
{
	const uint8_t *h = buf;

	(void)version, (void)ssl, (void)arg;
	if (type == SSL3_RT_HANDSHAKE && len && h[0] == SSL3_MT_KEY_UPDATE)
		++*(out ? &our_updates : &their_updates);
	if (!out && type == SSL3_RT_HEADER && len == 5 &&
	    (size_t)(h[3] << 8 | h[4]) > longest_record)
		longest_record = h[3] << 8 | h[4];
}

static void use_cert(SSL_CTX *ctx)
{
	char chain[256], key[256];

	snprintf(chain, sizeof(chain), "%s.pem", opt.cert);
	snprintf(key, sizeof(key), "%s.key", opt.cert);
	if (SSL_CTX_use_certificate_chain_file(ctx, chain) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		die("%s: %s", opt.cert, ssl_reason());
}

static SSL_CTX *make_ctx(void)
{
	SSL_CTX *ctx = client_ctx(opt.ca);
	uint8_t alpn[256];

	only_version(ctx, opt.version);
	only_cipher(ctx, opt.cipher);
	if (opt.groups && !SSL_CTX_set1_groups_list(ctx, opt.groups))
		die("'%s': %s", opt.groups, ssl_reason());
	if (opt.sigalgs && !SSL_CTX_set1_sigalgs_list(ctx, opt.sigalgs))
		die("'%s': %s", opt.sigalgs, ssl_reason());
	if (opt.alpn) {
		alpn[0] = strlen(opt.alpn);
		memcpy(alpn + 1, opt.alpn, alpn[0]);
		SSL_CTX_set_alpn_protos(ctx, alpn, alpn[0] + 1);
	}
	if (opt.cert)
		use_cert(ctx);
	if (opt.staple)
		SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
	if (opt.max_fragment)
		SSL_CTX_set_tlsext_max_fragment_length(
			ctx, __builtin_ctz(opt.max_fragment) - 8);
	if (opt.no_tickets)
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(ctx, count_ticket);
	SSL_CTX_set_info_callback(ctx, note_alert);
	SSL_CTX_set_msg_callback(ctx, note_record);
	return ctx;
}

/* Where the last record of @data begins. */
static size_t last_record(const uint8_t *data, size_t len)
{
	size_t at = 0, next;

	while (at + 5 <= len) {
		next = at + 5 + (data[at + 3] << 8 | data[at + 4]);
		if (next >= len)
			break;
		at = next;
	}
	return at;
}

static int send_split(struct client *c, const uint8_t *data, size_t len)
{
	size_t at = last_record(data, len), first;

	first = at + (len - at) / 2;
	if (send_all(c->fd, data, first))
		return -1;
	sleep_ms(opt.split_ms);
	return send_all(c->fd, data + first, len - first);
}

static int send_bytewise(struct client *c, const uint8_t *data, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (send_all(c->fd, data + i, 1))
			return -1;
		usleep(100);
	}
	return 0;
}

/* Send what TLS has written; @last: the request is in it. */
static int flush(struct client *c, bool last)
{
	BIO *out = SSL_get_wbio(c->ssl);
	char *data;
	size_t len = BIO_get_mem_data(out, &data);
	int rc = 0;

	if (opt.mode == BYTEWISE)
		rc = send_bytewise(c, (uint8_t *)data, len);
	else if (last && opt.mode == SPLIT)
		rc = send_split(c, (uint8_t *)data, len);
	else if (last && opt.fin)
		rc = send(c->fd, data, len, MSG_MORE) != (ssize_t)len;
	else if (len)
		rc = send_all(c->fd, data, len);
	BIO_reset(out);
	if (last && opt.fin)
		shutdown(c->fd, SHUT_WR);
	return rc;
}

/* Receive some bytes for TLS. False at the end, which is noted. */
static bool fill(struct client *c)
{
	uint8_t buf[65536];
	ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

	if (n > 0) {
		BIO_write(SSL_get_rbio(c->ssl), buf, n);
		return true;
	}
	if (n == 0)
		c->end = "fin";
	else if (errno == EAGAIN)
		c->end = "timeout";
	else
		c->end = "rst";
	return false;
}

static void hold_on(void)
{
	opt.pause = SIZE_MAX;
	printf("paused\n");
	fflush(stdout);
	wait_line();
}

static bool handshake(struct client *c)
{
	int rc;

	while ((rc = SSL_do_handshake(c->ssl)) != 1) {
		if (flush(c, false)) {
			c->end = "rst";
			return false;
		}
		if (SSL_get_error(c->ssl, rc) != SSL_ERROR_WANT_READ) {
			c->end = "error";
			return false;
		}
		if (!fill(c))
			return false;
	}
	if (opt.late)
		hold_on();
	c->hs_ms = now_ms() - c->start_ms;
	if (opt.mode == COALESCE || opt.mode == SPLIT)
		return true;
	return flush(c, false) == 0;
}

/* Change the key when @done has passed another opt.rekey. */
static bool rekey(struct client *c, size_t done)
{
	if (done / opt.rekey <= (size_t)our_updates)
		return true;
	return SSL_key_update(c->ssl, SSL_KEY_UPDATE_REQUESTED) == 1 &&
	       SSL_do_handshake(c->ssl) == 1 && flush(c, false) == 0;
}

static bool upload(struct client *c)
{
	size_t done = 0, n;
	const uint8_t *p;

	while (done < opt.put) {
		if (done >= opt.pause)
			hold_on();
		p = pattern(done, &n);
		n = n > 16384 ? 16384 : n;
		if (n > opt.put - done)
			n = opt.put - done;
		if (SSL_write(c->ssl, p, n) != (int)n)
			return false;
		done += n;
		if (flush(c, done == opt.put)) {
			c->end = "rst";
			return false;
		}
		if (done < opt.put && !rekey(c, done))
			return false;
	}
	return true;
}

static bool request(struct client *c)
{
	bool ask = opt.end == BY_SERVER && !opt.fin;
	const char *more = ask ? "Connection: close\r\n" : "";
	char text[1024];
	int len;

	if (opt.put)
		len = snprintf(text, sizeof(text),
			       "PUT /sink HTTP/1.1\r\nHost: %s\r\n"
			       "Content-Length: %zu\r\n%s\r\n",
			       opt.name, opt.put, more);
	else if (opt.path)
		len = snprintf(text, sizeof(text),
			       "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n",
			       opt.path, opt.name, more);
	else
		len = snprintf(text, sizeof(text),
			       "GET /bytes/%zu HTTP/1.1\r\nHost: %s\r\n%s\r\n",
			       opt.get, opt.name, more);
	if (SSL_write(c->ssl, text, len) != len)
		return false;
	if (opt.put)
		return upload(c);
	return flush(c, true) == 0;
}

/* Read until the response is complete (@to_end: until the connection ends). */
static bool response(struct client *c, bool to_end)
{
	char buf[16384];
	int n;

	while (to_end || !http_complete(&c->http)) {
		n = SSL_read(c->ssl, buf, sizeof(buf));
		if (n > 0) {
			http_take(&c->http, buf, n);
			if (!opt.put && !rekey(c, c->http.body))
				return false;
			if (c->http.body >= opt.pause && !opt.put)
				hold_on();
			continue;
		}
		switch (SSL_get_error(c->ssl, n)) {
		case SSL_ERROR_ZERO_RETURN:
			c->end = "close_notify";
			return http_complete(&c->http);
		case SSL_ERROR_WANT_READ:
			if (!fill(c))
				return http_complete(&c->http);
			break;
		default:
			c->end = "error";
			return http_complete(&c->http);
		}
	}
	return true;
}

static bool finish(struct client *c)
{
	if (opt.end == KEEP)
		return true;
	if (opt.end == CLOSE) {
		SSL_shutdown(c->ssl);
		flush(c, false);
		shutdown(c->fd, SHUT_WR);
	} else if (opt.end == CUT) {
		shutdown(c->fd, SHUT_WR);
	}
	return response(c, true);
}

static const char *staple_verdict(SSL *ssl)
{
	static uint8_t want[65536];
	const uint8_t *got;
	long len = SSL_get_tlsext_status_ocsp_resp(ssl, &got);
	size_t n;
	FILE *f;

	if (!opt.staple || len <= 0)
		return "none";
	if (!strcmp(opt.staple, "-"))
		return "some";
	f = fopen(opt.staple, "r");
	if (!f)
		die("%s: %m", opt.staple);
	n = fread(want, 1, sizeof(want), f);
	fclose(f);
	return n == (size_t)len && !memcmp(want, got, n) ? "same" : "other";
}

static bool right_body(struct client *c, char hex[static SHA_HEX])
{
	char want[SHA_HEX];

	sha_hex(c->http.sha, hex);
	if (opt.path)
		return true;
	pattern_sha(opt.put ? opt.put : opt.get, want);
	return !strcmp(opt.put ? c->http.text : hex, want);
}

/* As hexadecimal digits; "-" when nobody asks, or it has none. */
static const char *exporter(SSL *ssl)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	static char text[65];
	uint8_t key[32];

	if (!opt.exporter ||
	    SSL_export_keying_material(ssl, key, sizeof(key), label,
				       strlen(label), (const uint8_t *)"", 0,
				       1) != 1)
		return "-";
	OPENSSL_buf2hexstr_ex(text, sizeof(text), NULL, key, sizeof(key), '\0');
	return text;
}

static void report(struct client *c, bool ok, const char *hex)
{
	SSL *s = c->ssl;
	SSL_SESSION *session = SSL_get_session(s);
	const unsigned char *alpn;
	unsigned int alpn_len;

	SSL_get0_alpn_selected(s, &alpn, &alpn_len);
	if (opt.batch)
		printf("label=%s ", opt.label);
	printf("result=%s version=%s cipher=%s group=%s alpn=%.*s resumed=%d "
	       "status=%d bytes=%zu sha256=%s staple=%s tickets=%d hint=%lu "
	       "longest=%zu rekeyed=%d,%d exporter=%s end=%s alert=%d hs_ms=%lld ms=%lld reason='%s'\n",
	       ok ? "ok" : "fail", SSL_get_version(s),
	       SSL_get_cipher_name(s) ? SSL_get_cipher_name(s) : "-",
	       SSL_group_to_name(s, SSL_get_negotiated_group(s)) ?: "-",
	       (int)alpn_len, alpn ? (const char *)alpn : "",
	       SSL_session_reused(s), c->http.status, c->http.body, hex,
	       staple_verdict(s), tickets,
	       session ? SSL_SESSION_get_ticket_lifetime_hint(session) : 0,
	       longest_record, our_updates, their_updates, exporter(s),
	       c->end ? c->end : "-", c->alert,
	       (long long)c->hs_ms, (long long)(now_ms() - c->start_ms),
	       ssl_reason());
	if (opt.path)
		puts(c->http.text);
	fflush(stdout);
}

/* Leave a connection open until the program ends. */
static void keep(const struct client *c)
{
	if (n_kept == KEPT_MAX)
		die("too many connections to keep");
	kept[n_kept].ssl = c->ssl;
	kept[n_kept++].fd = c->fd;
}

static void close_kept(void)
{
	while (n_kept) {
		SSL_free(kept[--n_kept].ssl);
		close(kept[n_kept].fd);
	}
}

/* In the way of all that TLS writes, so in the ClientHello's segment. */
static void put_before(SSL *ssl)
{
	uint8_t bytes[512];
	size_t n;

	if (OPENSSL_hexstr2buf_ex(bytes, sizeof(bytes), &n, opt.before, '\0') != 1)
		die("'%s': %s", opt.before, ssl_reason());
	BIO_write(SSL_get_wbio(ssl), bytes, n);
}

/* One connection; @session is taken, and replaced by what it yields. */
static bool run(SSL_CTX *ctx, SSL_SESSION **session)
{
	struct client c = {.start_ms = now_ms(), .http.sha = sha_new()};
	char hex[SHA_HEX];
	bool ok;

	tickets = 0;
	longest_record = 0;
	our_updates = their_updates = 0;
	c.fd = tcp_connect(opt.where, opt.timeout_ms);
	c.ssl = client_ssl(ctx, opt.name);
	SSL_set_app_data(c.ssl, &c);
	if (opt.before)
		put_before(c.ssl);
	if (*session)
		SSL_set_session(c.ssl, *session);
	ok = handshake(&c);
	if (ok && opt.wait)
		hold_on();
	ok = ok && request(&c) && response(&c, false) && finish(&c);
	ok = right_body(&c, hex) && ok && c.http.status / 100 == 2;
	report(&c, ok, hex);
	SSL_SESSION_free(*session);
	SSL_set_shutdown(c.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	*session = SSL_get1_session(c.ssl);
	if (opt.end == KEEP) {
		keep(&c);
		return ok;
	}
	SSL_free(c.ssl);
	close(c.fd);
	return ok;
}

static bool run_all(void)
{
	SSL_CTX *ctx = make_ctx();
	SSL_SESSION *session = NULL;
	bool ok;

	ok = run(ctx, &session);
	if (ok && opt.resume)
		ok = run(ctx, &session);
	SSL_SESSION_free(session);
	SSL_CTX_free(ctx);
	return ok;
}

/* As if started once for every line of stdin; an empty one is the end. */
static bool run_batch(void)
{
	const struct options common = opt;
	char line[512];
	bool ok = true;

	while (fgets(line, sizeof(line), stdin) && *line != '\n') {
		opt = common;
		parse_line(line);
		ok &= run_all();
	}
	return ok;
}

int main(int argc, char **argv)
{
	bool ok;

	parse_options(argc, argv);
	ok = opt.batch ? run_batch() : run_all();
	close_kept();
	return ok ? 0 : 1;
}
