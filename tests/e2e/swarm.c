// SPDX-License-Identifier: MIT
/*
 * swarm - many connections from one process
 *
 *   swarm [options] ADDRESS:PORT
 *   -n N         connections (100)       -j N  at most so many handshakes at once (64)
 *   -c CA        check the server against this CA
 *   -v 1.2|1.3   this version only       -r    resume one session in all
 *   -k           keep all open when each had its response, print 'paused', and
 *                go on at a line on stdin: another request on each
 *   -s BYTES     say nothing but that many bytes of a ClientHello; print
 *                'paused' once connected, then wait until the server closes
 *   -t MS        give up after that long (60000)
 *   -a N         from as many addresses, 127.0.0.1 and those behind it (1)
 *
 * Every connection asks for a path of its own and must get just that back.
 * The last line has the counts; exit 0 when nothing failed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool/tool.h"

enum phase { CONNECT, HANDSHAKE, REQUEST, RESPONSE, KEPT, OVER };

struct conn {
	int fd, index;
	enum phase phase;
	SSL *ssl;
	int64_t start_ms;
	struct http http;
};

static const char *where, *ca, *version;
static int count = 100, parallel = 64, timeout_ms = 60000, hello_bytes = -1;
static bool keep, resume;
static SSL_SESSION *session;
static SSL_CTX *ctx;
static int epfd, round_no;
/* Of this round: finished well, failed, handshakes that go on. */
static int good, failed, busy;
static int64_t slowest_ms;
static char first_failure[160];

static void over(struct conn *c)
{
	if (c->phase < RESPONSE)
		busy--;
	c->phase = OVER;
	SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	c->ssl = NULL;
	close(c->fd);
}

static void fail(struct conn *c, const char *why)
{
	if (!failed++)
		snprintf(first_failure, sizeof(first_failure),
			 "connection %d in phase %d: %s, %s", c->index,
			 c->phase, why, ssl_reason());
	over(c);
}

static void start(struct conn *c, int index)
{
	struct epoll_event e = {.events = EPOLLOUT, .data.ptr = c};
	SSL_SESSION *copy;

	c->index = index;
	c->start_ms = now_ms();
	c->fd = tcp_start(where);
	c->ssl = client_ssl(ctx, "localhost");
	if (session) {
		/* OpenSSL uses a TLS 1.3 session once only. */
		copy = SSL_SESSION_dup(session);
		SSL_set_session(c->ssl, copy);
		SSL_SESSION_free(copy);
	}
	epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &e);
	busy++;
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

static bool pull(struct conn *c)
{
	char buf[16384];
	ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

	if (n > 0)
		BIO_write(SSL_get_rbio(c->ssl), buf, n);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static void ask(struct conn *c)
{
	char text[128];
	int len =
		snprintf(text, sizeof(text),
			 "GET /swarm-%d-%d HTTP/1.1\r\nHost: localhost\r\n\r\n",
			 c->index, round_no);

	memset(&c->http, 0, sizeof(c->http));
	SSL_write(c->ssl, text, len);
	c->phase = RESPONSE;
}

static void answered(struct conn *c)
{
	int64_t ms = now_ms() - c->start_ms;
	char want[64];

	snprintf(want, sizeof(want), "/swarm-%d-%d", c->index, round_no);
	if (c->http.status != 200 || strcmp(want, c->http.text)) {
		fail(c, "wrong response");
		return;
	}
	if (ms > slowest_ms)
		slowest_ms = ms;
	good++;
	c->phase = KEPT;
	if (keep && !round_no)
		return;
	SSL_shutdown(c->ssl);
	push(c);
	over(c);
}

static void connected(struct conn *c)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

	epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &e);
	c->phase = HANDSHAKE;
}

/* Go as far as what has arrived allows. */
static void progress(struct conn *c)
{
	char buf[4096];
	int n;

	if (c->phase == HANDSHAKE) {
		n = SSL_do_handshake(c->ssl);
		if (n == 1) {
			busy--;
			ask(c);
		} else if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ) {
			push(c);
			fail(c, "handshake");
			return;
		}
	}
	if (!push(c)) {
		fail(c, "send");
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

static void event(struct conn *c)
{
	if (c->phase == CONNECT)
		connected(c);
	else if (!pull(c)) {
		fail(c, "the connection was closed");
		return;
	}
	progress(c);
}

static void run(struct conn *conns)
{
	int64_t until = now_ms() + timeout_ms;
	struct epoll_event events[64];
	int i, n, next = round_no ? count : 0;

	while (good + failed < count && now_ms() < until) {
		for (; next < count && busy < parallel; next++)
			start(&conns[next], next);
		n = epoll_wait(epfd, events, 64, 1000);
		for (i = 0; i < n; i++)
			event(events[i].data.ptr);
	}
}

static void second_round(struct conn *conns)
{
	int i;

	round_no = 1;
	good = failed = 0;
	for (i = 0; i < count; i++) {
		if (conns[i].phase != KEPT) {
			failed++;
			continue;
		}
		conns[i].start_ms = now_ms();
		ask(&conns[i]);
		push(&conns[i]);
	}
	run(conns);
}

static int keep_session(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	if (session)
		return 0;
	session = s;
	return 1;
}

static void get_session(void)
{
	struct conn c = {.fd = -1};
	int want = count;

	count = 1;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
	run(&c);
	if (!session)
		die("no session to resume: %s", first_failure);
	if (c.phase != OVER)
		over(&c);
	SSL_CTX_sess_set_new_cb(ctx, NULL);
	good = failed = 0;
	count = want;
}

/*
 * Silent connections: what their ends were, and when. A record header that
 * promises more than comes serves as the beginning of a ClientHello.
 */
static int silent(void)
{
	static const uint8_t hello[] = {22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
	int64_t *start_ms = calloc(count, sizeof(*start_ms)), ms;
	int64_t first = INT64_MAX, until = now_ms() + timeout_ms;
	int *fds = calloc(count, sizeof(*fds)), i, n, closed = 0, alerts = 0;
	struct epoll_event events[64];
	uint8_t buf[64];

	for (i = 0; i < count; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};

		start_ms[i] = now_ms();
		fds[i] = tcp_connect(where, timeout_ms);
		send_all(fds[i], hello, hello_bytes);
		epoll_ctl(epfd, EPOLL_CTL_ADD, fds[i], &e);
	}
	printf("paused\n");
	fflush(stdout);
	while (closed < count && now_ms() < until) {
		n = epoll_wait(epfd, events, 64, 1000);
		for (i = 0; i < n; i++) {
			int k = events[i].data.u32;

			if (recv(fds[k], buf, sizeof(buf), 0) > 0) {
				alerts += buf[0] == 21;
				continue;
			}
			ms = now_ms() - start_ms[k];
			first = ms < first ? ms : first;
			slowest_ms = ms > slowest_ms ? ms : slowest_ms;
			close(fds[k]);
			closed++;
		}
	}
	printf("closed=%d open=%d alerts=%d first_ms=%lld last_ms=%lld\n",
	       closed, count - closed, alerts, (long long)first,
	       (long long)slowest_ms);
	free(start_ms);
	free(fds);
	return closed < count;
}

static void set_option(int c)
{
	switch (c) {
	case 'n':
		count = atoi(optarg);
		break;
	case 'j':
		parallel = atoi(optarg);
		break;
	case 'c':
		ca = optarg;
		break;
	case 'v':
		version = optarg;
		break;
	case 'r':
		resume = true;
		break;
	case 'k':
		keep = true;
		break;
	case 's':
		hello_bytes = atoi(optarg);
		break;
	case 'a':
		tcp_sources(atoi(optarg));
		break;
	case 't':
		timeout_ms = atoi(optarg);
		break;
	default:
		die("usage: see the head of swarm.c");
	}
}

static void report(void)
{
	printf("ok=%d failed=%d lost=%d slowest_ms=%lld first_failure='%s'\n",
	       good, failed, count - good - failed, (long long)slowest_ms,
	       first_failure);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct conn *conns;
	int c;

	while ((c = getopt(argc, argv, "n:j:c:v:rks:t:a:")) != -1)
		set_option(c);
	if (optind + 1 != argc)
		set_option('?');
	where = argv[optind];
	raise_nofile();
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (hello_bytes >= 0)
		return silent();
	ctx = client_ctx(ca);
	only_version(ctx, version);
	if (resume)
		get_session();
	conns = calloc(count, sizeof(*conns));
	run(conns);
	if (keep) {
		report();
		printf("paused\n");
		fflush(stdout);
		wait_line();
		if (good == count)
			second_round(conns);
	}
	report();
	for (c = 0; c < count; c++)
		if (conns[c].ssl)
			over(&conns[c]);
	free(conns);
	SSL_SESSION_free(session);
	SSL_CTX_free(ctx);
	return good < count;
}
