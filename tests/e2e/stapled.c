// SPDX-License-Identifier: MIT
/*
 * stapled - handshakes for some time, and what was stapled in each
 *
 *   stapled [options] ADDRESS:PORT
 *   -a CA        root that servers, and signers of staples, must lead to
 *   -n NAME      server name; repeatable, taken in turn
 *   -f FILE      more of them, one in a line
 *   -d SECONDS   how long; 0 (default): one handshake for each name and version
 *   -r RATE      handshakes begun per second (20)
 *   -j N         at most so many at a time (64)
 *   -v 1.2|1.3   this version only; both in turn otherwise
 *   -o FILE      where the line for each handshake goes (standard output)
 *   -s           a nextUpdate is not needed for a day
 *   -q           do not ask for staples
 *   -t MS        give up a handshake after that long (10000)
 *
 * A line has: ms (since the epoch, when the staple was there), name, version,
 * result (valid, none, invalid:REASON, failed:REASON), this and next (seconds; 0:
 * none), late_ms (after nextUpdate), us (from the connection's beginning to the
 * handshake's end). The last line on standard output adds up; exit 0 when nothing
 * failed or was invalid.
 */
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tool/pem.h"
#include "tool/staple.h"
#include "tool/tool.h"

#define LINGER_MS 2000

enum phase { IDLE, HANDSHAKE, LINGER };

struct conn {
	enum phase phase;
	int fd;
	SSL *ssl;
	const char *name;
	int64_t start_us, received_ms, until_ms;
};

static const char *where, *ca, *version;
static const char **names;
static size_t n_names;
static int duration_s, parallel = 64, timeout_ms = 10000;
static double rate = 20;
static bool ask = true;
static FILE *out;
/* For clients that expect a nextUpdate. */
static struct staple_rules rules = {300, 366 * 86400, 0};

static SSL_CTX *ctx;
static int epfd;
static struct conn *conns;
static int busy;
static size_t begun, n_valid, n_none, n_invalid, n_failed;
static uint32_t *latencies;
static size_t n_latencies;

static int64_t clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

/* Called once the server's first flight is there, with a staple or not. */
static int note_received(SSL *ssl, void *arg)
{
	struct conn *c = SSL_get_app_data(ssl);

	(void)arg;
	c->received_ms = clock_us(CLOCK_REALTIME) / 1000;
	return 1;
}

static SSL_CTX *make_ctx(void)
{
	ctx = client_ctx(ca);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	only_version(ctx, version);
	SSL_CTX_set_tlsext_status_cb(ctx, note_received);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	if (ask)
		SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
	return ctx;
}

static void add_latency(struct conn *c)
{
	if (!(n_latencies & (n_latencies + 1)))
		latencies = realloc(latencies,
				    2 * (n_latencies + 1) * sizeof(*latencies));
	if (!latencies)
		die("out of memory");
	latencies[n_latencies++] = clock_us(CLOCK_MONOTONIC) - c->start_us;
}

static void count(const char *result)
{
	if (!strcmp(result, "valid"))
		n_valid++;
	else if (!strcmp(result, "none"))
		n_none++;
	else if (!strncmp(result, "invalid:", 8))
		n_invalid++;
	else
		n_failed++;
}

static void report(struct conn *c, const struct staple *s)
{
	int64_t late_ms = 0;

	if (s->next_update && c->received_ms >= s->next_update * 1000)
		late_ms = c->received_ms - s->next_update * 1000;
	count(s->verdict);
	fprintf(out,
		"ms=%lld name=%s version=%s result=%s this=%lld next=%lld "
		"late_ms=%lld us=%lld\n",
		(long long)c->received_ms, c->name,
		c->ssl ? SSL_get_version(c->ssl) : "-", s->verdict,
		(long long)s->this_update, (long long)s->next_update,
		(long long)late_ms,
		(long long)(clock_us(CLOCK_MONOTONIC) - c->start_us));
}

static void end(struct conn *c)
{
	if (c->ssl) {
		SSL_set_shutdown(c->ssl,
				 SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(c->ssl);
	}
	c->ssl = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->phase = IDLE;
	busy--;
}

static void fail(struct conn *c, const char *why)
{
	struct staple s = {0};
	char *p;

	c->received_ms = clock_us(CLOCK_REALTIME) / 1000;
	snprintf(s.verdict, sizeof(s.verdict), "failed:%s", why);
	for (p = s.verdict; *p; p++)
		if (*p == ' ')
			*p = '-';
	report(c, &s);
	end(c);
}

static void judge(struct conn *c, struct staple *s)
{
	STACK_OF(X509) *verified = SSL_get0_verified_chain(c->ssl);
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	const uint8_t *der;
	long len = SSL_get_tlsext_status_ocsp_resp(c->ssl, &der);
	int issuer = sk_X509_num(verified) > 1;

	*s = (struct staple){.verdict = "none"};
	if (len < 0)
		return;
	staple_judge(s, der, len, sk_X509_value(verified, 0),
		     sk_X509_value(verified, issuer),
		     SSL_get_peer_cert_chain(c->ssl), store, &rules,
		     c->received_ms / 1000);
}

/* Say goodbye, and let the server do so too. */
static void done(struct conn *c)
{
	struct staple s;

	add_latency(c);
	if (!ask)
		note_received(c->ssl, NULL);
	judge(c, &s);
	report(c, &s);
	SSL_shutdown(c->ssl);
	shutdown(c->fd, SHUT_WR);
	c->until_ms = now_ms() + LINGER_MS;
	c->phase = LINGER;
}

static void watch(struct conn *c, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = c};

	epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &e);
}

static void shake(struct conn *c)
{
	int rc = SSL_do_handshake(c->ssl);

	if (rc == 1) {
		done(c);
		watch(c, EPOLLIN);
		return;
	}
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		watch(c, EPOLLIN);
		break;
	case SSL_ERROR_WANT_WRITE:
		watch(c, EPOLLOUT);
		break;
	case SSL_ERROR_SYSCALL:
		fail(c, errno ? strerror(errno) : "end of file");
		break;
	default:
		fail(c, ssl_reason());
	}
}

static void linger(struct conn *c)
{
	char buf[4096];
	ssize_t n;

	while ((n = recv(c->fd, buf, sizeof(buf), 0)) > 0)
		;
	if (n == 0 || errno != EAGAIN)
		end(c);
}

static void event(struct conn *c)
{
	ERR_clear_error();
	errno = 0;
	if (c->phase == HANDSHAKE)
		shake(c);
	else if (c->phase == LINGER)
		linger(c);
}

static struct conn *idle_conn(void)
{
	int i;

	for (i = 0; i < parallel; i++)
		if (conns[i].phase == IDLE)
			return &conns[i];
	return NULL;
}

static void begin_tls(struct conn *c)
{
	/* A name's versions come one after the other. */
	int v = begun / n_names % 2 ? TLS1_2_VERSION : TLS1_3_VERSION;

	c->ssl = SSL_new(ctx);
	if (!c->ssl)
		die("SSL_new: %s", ssl_reason());
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_connect_state(c->ssl);
	SSL_set_app_data(c->ssl, c);
	SSL_set_tlsext_host_name(c->ssl, c->name);
	SSL_set1_host(c->ssl, c->name);
	if (!version) {
		SSL_set_min_proto_version(c->ssl, v);
		SSL_set_max_proto_version(c->ssl, v);
	}
}

static void begin(struct conn *c)
{
	struct epoll_event e = {.events = EPOLLOUT, .data.ptr = c};

	c->name = names[begun % n_names];
	c->phase = HANDSHAKE;
	c->start_us = clock_us(CLOCK_MONOTONIC);
	c->received_ms = 0;
	c->until_ms = now_ms() + timeout_ms;
	busy++;
	c->fd = tcp_try(where);
	if (c->fd < 0) {
		begun++;
		fail(c, strerror(errno));
		return;
	}
	begin_tls(c);
	begun++;
	epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &e);
}

static void give_up(int64_t now)
{
	int i;

	for (i = 0; i < parallel; i++) {
		if (conns[i].phase == IDLE || conns[i].until_ms > now)
			continue;
		if (conns[i].phase == HANDSHAKE)
			fail(&conns[i], "timeout");
		else
			end(&conns[i]);
	}
}

/* As many as are due. */
static void begin_some(int64_t start, size_t limit)
{
	struct conn *c;

	while (begun < limit &&
	       now_ms() - start >= (int64_t)(begun * 1000 / rate)) {
		c = idle_conn();
		if (!c)
			return;
		begin(c);
	}
}

static void run(void)
{
	size_t limit = duration_s ? (size_t)(duration_s * rate) :
				    n_names * (version ? 1 : 2);
	struct epoll_event events[64];
	int64_t start = now_ms(), swept = start;
	int i, n;

	while (begun < limit || busy) {
		begin_some(start, limit);
		n = epoll_wait(epfd, events, 64, 5);
		for (i = 0; i < n; i++)
			event(events[i].data.ptr);
		if (now_ms() - swept < 100)
			continue;
		swept = now_ms();
		give_up(swept);
		fflush(out);
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void summary(void)
{
	size_t n = n_latencies;

	if (n)
		qsort(latencies, n, sizeof(*latencies), by_value);
	printf("handshakes=%zu valid=%zu none=%zu invalid=%zu failed=%zu "
	       "p50_us=%u p99_us=%u max_us=%u\n",
	       begun, n_valid, n_none, n_invalid, n_failed,
	       n ? latencies[n / 2] : 0, n ? latencies[n * 99 / 100] : 0,
	       n ? latencies[n - 1] : 0);
}

static void add_name(const char *name)
{
	names = realloc(names, (n_names + 1) * sizeof(*names));
	if (!names)
		die("out of memory");
	names[n_names++] = text("%s", name);
}

static void add_names(const char *file)
{
	FILE *f = must_open(file, "r");
	char name[256];

	while (fscanf(f, "%255s", name) == 1)
		add_name(name);
	fclose(f);
}

static void set_option(int c)
{
	switch (c) {
	case 'a':
		ca = optarg;
		break;
	case 'n':
		add_name(optarg);
		break;
	case 'f':
		add_names(optarg);
		break;
	case 'd':
		duration_s = atoi(optarg);
		break;
	case 'r':
		rate = atof(optarg);
		break;
	case 'j':
		parallel = atoi(optarg);
		break;
	case 'v':
		version = optarg;
		break;
	case 'o':
		out = must_open(optarg, "w");
		break;
	case 's':
		rules.max_open = 86400;
		break;
	case 'q':
		ask = false;
		break;
	case 't':
		timeout_ms = atoi(optarg);
		break;
	default:
		die("usage: see the head of stapled.c");
	}
}

int main(int argc, char **argv)
{
	int c;

	out = stdout;
	while ((c = getopt(argc, argv, "a:n:f:d:r:j:v:o:sqt:")) != -1)
		set_option(c);
	if (optind + 1 != argc || !n_names || !ca)
		set_option('?');
	where = argv[optind];
	raise_nofile();
	epfd = epoll_create1(EPOLL_CLOEXEC);
	conns = calloc(parallel, sizeof(*conns));
	ctx = make_ctx();
	run();
	summary();
	if (out != stdout)
		fclose(out);
	while (n_names)
		free((char *)names[--n_names]);
	free(names);
	free(latencies);
	free(conns);
	SSL_CTX_free(ctx);
	return n_invalid || n_failed;
}
