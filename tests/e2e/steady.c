// SPDX-License-Identifier: MIT
/*
 * steady - connections at a steady rate, and what each was served with
 *
 *   steady [options] ADDRESS:PORT
 *   -r RATE      connections begun per second (1000)
 *   -j N         at most so many at a time (500); the rate drops rather
 *   -c CA        check the server against this CA
 *   -n NAME      server name (localhost)
 *   -a FILE      the common names that are right at the moment, a letter each:
 *                a connection must get one that was right at its beginning, at
 *                its end, or in between. Replaced by rename(2)
 *   -t MS        a connection that takes longer has failed (20000)
 *   -w MS        wait so long before the request (0)
 *   -R           resume one session in all that begin after the first
 *   -l FILE      gets a line for each that failed: its number, and why; and
 *                each comes from an address of its own: number 0 from 127.1.0.0
 *
 * Goes on until there is a line on stdin. The last line has the counts; exit 0
 * when nothing failed.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool/ledger.h"
#include "tool/tool.h"

enum phase { FREE, CONNECT, HANDSHAKE, PAUSE, RESPONSE };

/* @right: a bit for each letter that was right since it began */
struct conn {
	int fd;
	enum phase phase;
	SSL *ssl;
	int64_t start_ms, ask_ms;
	long number;
	unsigned int right;
	struct http http;
};

static const char *where, *ca, *name = "localhost", *allowed;
static FILE *list;
static bool resume;
static SSL_SESSION *session;
static int rate = 1000, parallel = 500, timeout_ms = 20000, wait_ms;
static SSL_CTX *ctx;
static struct conn *conns;
static int epfd, busy;
static unsigned int right;
static long begun, good, failed, wrong;
static long served[26];
static int64_t slowest_ms;
static char first_failure[180];

/* What is right now; and for all that have begun it was, too. */
static void look(void)
{
	int fd = allowed ? open(allowed, O_RDONLY) : -1;
	char text[32] = "";
	int i;

	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	right = 0;
	for (char *p = text; *p; p++)
		if (isupper(*p))
			right |= 1u << (*p - 'A');
	for (i = 0; i < parallel; i++)
		conns[i].right |= right;
}

static void over(struct conn *c)
{
	SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	close(c->fd);
	c->phase = FREE;
	busy--;
}

static void fail(struct conn *c, const char *why)
{
	char text[160];

	snprintf(text, sizeof(text), "%ld in phase %d after %lld ms: %s, %s",
		 c->number, c->phase, (long long)(now_ms() - c->start_ms), why,
		 ssl_reason());
	if (!failed++)
		snprintf(first_failure, sizeof(first_failure), "connection %s",
			 text);
	if (list)
		fprintf(list, "%s\n", text);
	over(c);
}

static int keep_session(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	if (session)
		return 0;
	session = s;
	return 1;
}

static void begin_tls(struct conn *c)
{
	SSL_SESSION *copy;

	c->ssl = client_ssl(ctx, name);
	if (!session)
		return;
	/* OpenSSL uses a TLS 1.3 session once only. */
	copy = SSL_SESSION_dup(session);
	SSL_set_session(c->ssl, copy);
	SSL_SESSION_free(copy);
}

static void start(struct conn *c)
{
	struct epoll_event e = { .events = EPOLLOUT, .data.ptr = c };

	memset(c, 0, sizeof(*c));
	c->number = begun++;
	c->right = right;
	c->start_ms = now_ms();
	c->phase = CONNECT;
	begin_tls(c);
	busy++;
	if (list)
		tcp_source(LEDGER_FIRST + c->number);
	c->fd = tcp_try(where);
	if (c->fd < 0)
		fail(c, strerror(errno));
	else
		epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &e);
}

static bool push(struct conn *c)
{
	BIO *out = SSL_get_wbio(c->ssl);
	char *data;
	long len = BIO_get_mem_data(out, &data);

	/* Some hundred bytes on an empty socket: never short. */
	if (len && send(c->fd, data, len, MSG_NOSIGNAL) != len)
		return false;
	BIO_reset(out);
	return true;
}

/* The letter of the certificate, from 0; -1: another one. */
static int letter(SSL *ssl)
{
	X509 *cert = SSL_get1_peer_certificate(ssl);
	char cn[64] = "";

	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
				  cn, sizeof(cn));
	X509_free(cert);
	return isupper(cn[0]) && !cn[1] ? cn[0] - 'A' : -1;
}

static bool check_certificate(struct conn *c)
{
	int got = letter(c->ssl);

	look();
	if (got >= 0)
		served[got]++;
	if (!allowed || (got >= 0 && c->right & 1u << got))
		return true;
	wrong++;
	fail(c, "another certificate than should be");
	return false;
}

static void ask(struct conn *c)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "GET /steady-%ld HTTP/1.1\r\n"
			   "Host: %s\r\n\r\n", c->number, name);

	SSL_write(c->ssl, text, len);
	c->phase = RESPONSE;
}

static void answered(struct conn *c)
{
	int64_t ms = now_ms() - c->start_ms;
	char want[64];

	snprintf(want, sizeof(want), "/steady-%ld", c->number);
	if (c->http.status != 200 || strcmp(want, c->http.text)) {
		fail(c, "wrong response");
		return;
	}
	if (ms > slowest_ms)
		slowest_ms = ms;
	good++;
	SSL_shutdown(c->ssl);
	push(c);
	over(c);
}

/* Returns false when the connection is over. */
static bool shake_hands(struct conn *c)
{
	int n = SSL_do_handshake(c->ssl);

	if (n == 1) {
		if (!check_certificate(c))
			return false;
		c->phase = PAUSE;
		c->ask_ms = now_ms() + wait_ms;
		if (!wait_ms)
			ask(c);
	} else if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ) {
		push(c);
		fail(c, "handshake");
		return false;
	}
	return true;
}

/* Goes as far as what has arrived allows. */
static void progress(struct conn *c)
{
	char buf[4096];
	int n;

	if (c->phase == HANDSHAKE && !shake_hands(c))
		return;
	if (!push(c)) {
		fail(c, strerror(errno));
		return;
	}
	while (c->phase == RESPONSE) {
		n = SSL_read(c->ssl, buf, sizeof(buf));
		if (n > 0)
			http_take(&c->http, buf, n);
		else if (SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ)
			return;
		else
			fail(c, "read");
		if (c->phase == RESPONSE && http_complete(&c->http))
			answered(c);
	}
}

static void on_event(struct conn *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	char buf[16384];
	ssize_t n = 0;

	if (c->phase == CONNECT) {
		socklen_t len = sizeof(errno);

		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &errno, &len);
		if (errno) {
			fail(c, strerror(errno));
			return;
		}
		epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &e);
		c->phase = HANDSHAKE;
	} else {
		n = recv(c->fd, buf, sizeof(buf), 0);
		if (n > 0)
			BIO_write(SSL_get_rbio(c->ssl), buf, n);
		if (!n || (n < 0 && errno != EAGAIN)) {
			fail(c, n ? strerror(errno) : "it was closed");
			return;
		}
	}
	progress(c);
}

static bool told_to_stop(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* What is due by now, as far as there is room. */
static void begin_due(int64_t since_ms)
{
	long due = (long)((now_ms() - since_ms) * rate / 1000);
	int i;

	for (i = 0; i < parallel && begun < due; i++)
		if (conns[i].phase == FREE)
			start(&conns[i]);
}

static void fail_late(void)
{
	int i;

	for (i = 0; i < parallel; i++)
		if (conns[i].phase != FREE &&
		    now_ms() - conns[i].start_ms > timeout_ms)
			fail(&conns[i], "it takes too long");
}

static void ask_due(void)
{
	const int64_t now = now_ms();
	int i;

	for (i = 0; i < parallel; i++)
		if (conns[i].phase == PAUSE && conns[i].ask_ms <= now) {
			ask(&conns[i]);
			progress(&conns[i]);
		}
}

static void run(void)
{
	struct epoll_event events[64];
	int64_t since = now_ms(), took;
	bool stop = false;
	int i, n;

	while (!stop || busy) {
		stop = stop || told_to_stop();
		look();
		if (!stop)
			begin_due(since);
		n = epoll_wait(epfd, events, 64, 1);
		for (i = 0; i < n; i++)
			on_event(events[i].data.ptr);
		ask_due();
		fail_late();
	}
	took = now_ms() - since;
	printf("ok=%ld failed=%ld wrong=%ld begun=%ld per_second=%lld "
	       "slowest_ms=%lld ",
	       good, failed, wrong, begun, (long long)(good * 1000 / (took + 1)),
	       (long long)slowest_ms);
	for (i = 0; i < 26; i++)
		if (served[i])
			printf("%c=%ld ", 'A' + i, served[i]);
	printf("first_failure='%s'\n", first_failure);
}

static void set_option(int c)
{
	switch (c) {
	case 'r':
		rate = atoi(optarg);
		break;
	case 'j':
		parallel = atoi(optarg);
		break;
	case 'c':
		ca = optarg;
		break;
	case 'n':
		name = optarg;
		break;
	case 'a':
		allowed = optarg;
		break;
	case 't':
		timeout_ms = atoi(optarg);
		break;
	case 'w':
		wait_ms = atoi(optarg);
		break;
	case 'R':
		resume = true;
		break;
	case 'l':
		list = fopen(optarg, "w");
		if (!list)
			die("%s: %m", optarg);
		break;
	default:
		die("usage: see the head of steady.c");
	}
}

int main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "r:j:c:n:a:t:w:Rl:")) != -1)
		set_option(c);
	if (optind + 1 != argc)
		set_option('?');
	where = argv[optind];
	raise_nofile();
	tcp_sources(8);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	ctx = client_ctx(ca);
	if (resume) {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
		SSL_CTX_sess_set_new_cb(ctx, keep_session);
	}
	conns = calloc(parallel, sizeof(*conns));
	run();
	free(conns);
	if (list)
		fclose(list);
	SSL_SESSION_free(session);
	SSL_CTX_free(ctx);
	return failed != 0;
}
