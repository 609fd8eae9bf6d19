// SPDX-License-Identifier: MIT
/*
 * responder - an OCSP responder over HTTP that fails on demand
 *
 *   responder [options] CA
 *   -u ADDRESS:PORT  openssl-ocsp(1), which knows the truth
 *   -l ADDRESS:PORT  listen there; repeatable, port 0: that of the first, or any
 *   -x ADDRESS:PORT  as -l, but leave every attempt to connect unanswered
 *   -m FILE          lines "MODE [PATTERN]", read for each request: the first whose
 *                    PATTERN (fnmatch(3), default *) is that of ADDRESS:PORT/PATH
 *   -o FILE          log, one line for each request
 *   -s SEED          of what fail=PERCENT deals (1)
 *   -L               list all words of a mode
 *
 * CA is the beginning of its files' names, see authority_read(). A MODE is words
 * and settings joined by commas: "delegate,for=20", "fail=80,for=20,max-age=5".
 *
 * The log has: ms (since the epoch, when the request was there), at (the address
 * asked), busy (requests to it under way, this one included, whose client has not
 * gone away), method, host, path, type, serial, mode, status, bytes, this and next
 * (of the answer, in seconds; 0: none), all (as busy, at all addresses).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tool/answer.h"
#include "tool/pem.h"
#include "tool/reply.h"
#include "tool/request.h"
#include "tool/tool.h"

#define LISTENERS_MAX 64
#define STACK_SIZE (1 << 20)

/* A connection, in the list of all. */
struct visit {
	struct visit *next;
	int fd;
	bool busy;
	char at[64];
};

/* The last two real answers for a serial number that differ; what comes next. */
struct memory {
	struct memory *next;
	char serial[SERIAL_HEX];
	struct mode_share share;
	struct answer last, before;
};

static const char *upstream, *mode_file;
static FILE *log_file;
static struct authority authority;
static struct pollfd listeners[LISTENERS_MAX];
static int n_listeners;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct visit *visits;
static struct memory *memories;
static pthread_mutex_t upstream_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- who is here ---- */

static bool is_gone(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1;
}

/* @v is a request from now on. Returns how many there are at its address. */
static int arrive(struct visit *v, int *all)
{
	struct visit *other;
	int n = 0;

	*all = 0;
	pthread_mutex_lock(&lock);
	v->busy = true;
	for (other = visits; other; other = other->next) {
		if (!other->busy || (other != v && is_gone(other->fd)))
			continue;
		++*all;
		n += !strcmp(other->at, v->at);
	}
	pthread_mutex_unlock(&lock);
	return n;
}

static void idle(void *arg)
{
	struct visit *v = arg;

	pthread_mutex_lock(&lock);
	v->busy = false;
	pthread_mutex_unlock(&lock);
}

static void enter(struct visit *v)
{
	pthread_mutex_lock(&lock);
	v->next = visits;
	visits = v;
	pthread_mutex_unlock(&lock);
}

static void leave(struct visit *v)
{
	struct visit **at = &visits;

	pthread_mutex_lock(&lock);
	while (*at != v)
		at = &(*at)->next;
	*at = v->next;
	pthread_mutex_unlock(&lock);
	reply_close(v->fd);
	free(v);
}

/* ---- what is true ---- */

static size_t exchange(const struct request *r, uint8_t *buf, size_t size)
{
	int fd = tcp_connect(upstream, 30000);
	char head[256];
	size_t len = 0;
	ssize_t n;

	snprintf(head, sizeof(head),
		 "POST / HTTP/1.0\r\nContent-Type: application/ocsp-request\r\n"
		 "Content-Length: %zu\r\n\r\n",
		 r->der_len);
	if (send_all(fd, head, strlen(head)) ||
	    send_all(fd, r->der, r->der_len))
		die("%s does not take a request: %m", upstream);
	while (len < size && (n = recv(fd, buf + len, size - len, 0)) > 0)
		len += n;
	close(fd);
	return len;
}

/* It answers one at a time anyway. */
static void ask(const struct request *r, struct answer *out)
{
	uint8_t buf[32768], *body, *der;
	size_t len;

	pthread_mutex_lock(&upstream_lock);
	len = exchange(r, buf, sizeof(buf));
	pthread_mutex_unlock(&upstream_lock);
	body = memmem(buf, len, "\r\n\r\n", 4);
	if (!body)
		die("%s gives no answer", upstream);
	body += 4;
	len -= body - buf;
	der = malloc(len);
	if (!der)
		die("out of memory");
	memcpy(der, body, len);
	answer_take(out, der, len);
}

static struct memory *recall(const char *serial)
{
	struct memory *m;

	for (m = memories; m; m = m->next)
		if (!strcmp(m->serial, serial))
			return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		die("out of memory");
	strcpy(m->serial, serial);
	m->next = memories;
	memories = m;
	return m;
}

/* It stays where it is. */
static struct mode_share *share_of(const char *serial)
{
	struct memory *m;

	pthread_mutex_lock(&lock);
	m = recall(serial);
	pthread_mutex_unlock(&lock);
	return &m->share;
}

static void remember(struct memory *m, const struct answer *a)
{
	if (m->last.der && m->last.this_update == a->this_update &&
	    m->last.next_update == a->next_update)
		return;
	answer_free(&m->before);
	m->before = m->last;
	answer_copy(&m->last, a);
}

/* Give what was given before, or remember what is given now. */
static void with_memory(struct answer *out, enum body body, const char *serial)
{
	const struct answer *old = NULL;
	struct memory *m;

	pthread_mutex_lock(&lock);
	m = recall(serial);
	if (body == BODY_STALE)
		old = m->before.der ? &m->before : &m->last;
	else if (body == BODY_SAME)
		old = &m->last;
	if (!old || !old->der) {
		remember(m, out);
	} else {
		answer_free(out);
		answer_copy(out, old);
	}
	pthread_mutex_unlock(&lock);
}

static void choose_answer(struct answer *out, const struct request *r,
			  const struct mode *m)
{
	struct mode plain = *m;
	struct answer real;

	ask(r, &real);
	if (m->body == BODY_STALE || m->body == BODY_SAME)
		plain.body = BODY_REAL;
	answer_make(out, &authority, &plain, &real);
	if (plain.body == BODY_REAL)
		with_memory(out, m->body, r->serial);
	answer_free(&real);
}

/* ---- what is said ---- */

static bool match_line(const char *line, const char *where, char *words)
{
	char pattern[512] = "*";

	if (sscanf(line, "%199s %511s", words, pattern) < 1)
		return false;
	return !fnmatch(pattern, where, 0);
}

static void choose_mode(struct mode *m, const char *at, const char *path)
{
	char *where = text("%s%s", at, path), line[768], words[200] = "ok";
	FILE *f = mode_file ? must_open(mode_file, "r") : NULL;

	while (f && fgets(line, sizeof(line), f))
		if (match_line(line, where, words))
			break;
	if (f)
		fclose(f);
	free(where);
	mode_parse(m, words);
}

/* The path of a URL that may have a scheme and a host in front. */
static const char *path_of(const char *url)
{
	const char *path = strstr(url, "://");

	path = path && *url != '/' ? strchr(path + 3, '/') : url;
	return path ?: "/";
}

static void note(const struct visit *v, const struct request *r, int busy,
		 int all, int64_t ms, const struct reply *reply,
		 const struct answer *a)
{
	if (!log_file)
		return;
	flockfile(log_file);
	fprintf(log_file,
		"ms=%lld at=%s busy=%d method=%s host=%s path=%s type=%s "
		"serial=%s mode=%s status=%d bytes=%zu this=%lld next=%lld "
		"all=%d\n",
		(long long)ms, v->at, busy, *r->method ? r->method : "-",
		r->host, *r->path ? r->path : "-", r->type, r->serial,
		reply->mode->words, reply->status, reply->body_len,
		(long long)a->this_update, (long long)a->next_update, all);
	fflush(log_file);
	funlockfile(log_file);
}

static void respond(struct visit *v, const struct request *r, int status)
{
	struct timespec now;
	struct answer answer = {0};
	struct mode mode;
	struct reply reply = {
		.fd = v->fd,
		.mode = &mode,
		.host = r->host,
		.last = idle,
		.arg = v,
	};
	int all, busy = arrive(v, &all);

	clock_gettime(CLOCK_REALTIME, &now);
	choose_mode(&mode, v->at, path_of(r->path));
	reply.path = reply_path(path_of(r->path), &mode.shape, &reply.hop);
	if (!reply.hop)
		mode_deal(&mode, share_of(r->serial));
	if (status != 200)
		mode_parse(&mode, "empty");
	else
		choose_answer(&answer, r, &mode);
	reply.status = status == 200 ? mode.status : status;
	reply.body = answer.der ?: (const uint8_t *)"";
	reply.body_len = answer.len;
	note(v, r, busy, all, now.tv_sec * 1000LL + now.tv_nsec / 1000000, &reply,
	     &answer);
	reply_send(&reply);
	answer_free(&answer);
}

static void *serve_visit(void *arg)
{
	struct request *r = malloc(sizeof(*r));
	struct visit *v = arg;
	int status;

	if (!r)
		die("out of memory");
	status = request_read(r, v->fd);
	if (status)
		respond(v, r, status);
	free(r);
	leave(v);
	return NULL;
}

/* ---- listening ---- */

static void describe(int fd, char at[64])
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char host[INET6_ADDRSTRLEN];

	getsockname(fd, (struct sockaddr *)&ss, &len);
	if (ss.ss_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&ss;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(at, 64, "%s:%d", host, ntohs(in->sin_port));
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(at, 64, "[%s]:%d", host, ntohs(in6->sin6_port));
	}
}

static int listen_at(const char *where, int backlog)
{
	char at[64], *first = NULL;
	size_t len = strlen(where);
	int fd;

	if (n_listeners == LISTENERS_MAX)
		die("too many addresses");
	if (n_listeners && len > 2 && !strcmp(where + len - 2, ":0")) {
		describe(listeners[0].fd, at);
		first = text("%.*s%s", (int)len - 2, where, strrchr(at, ':'));
	}
	fd = tcp_listen(first ?: where, backlog);
	free(first);
	listeners[n_listeners].fd = fd;
	listeners[n_listeners++].events = POLLIN;
	describe(fd, at);
	printf("event=listening bind=%s\n", at);
	fflush(stdout);
	return fd;
}

/*
 * A queue that is full and that nobody takes from: the kernel drops further
 * SYNs, as a network does that leads nowhere.
 */
static void play_dead(const char *where)
{
	int fd = listen_at(where, 0), i;
	char at[64];

	describe(fd, at);
	for (i = 0; i < 4; i++)
		tcp_start(at);
	listeners[n_listeners - 1].fd = -1;
}

static void take_one(int listener, const pthread_attr_t *attr)
{
	struct visit *v = calloc(1, sizeof(*v));
	pthread_t thread;

	if (!v)
		die("out of memory");
	v->fd = accept(listener, NULL, NULL);
	if (v->fd < 0) {
		free(v);
		return;
	}
	describe(v->fd, v->at);
	enter(v);
	if (pthread_create(&thread, attr, serve_visit, v))
		die("no thread");
}

static void serve_all(void)
{
	pthread_attr_t attr;
	int i;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	for (;;) {
		if (poll(listeners, n_listeners, -1) < 0 && errno != EINTR)
			die("poll: %m");
		for (i = 0; i < n_listeners; i++)
			if (listeners[i].revents & POLLIN)
				take_one(listeners[i].fd, &attr);
	}
}

static void set_option(int c)
{
	switch (c) {
	case 'u':
		upstream = optarg;
		break;
	case 'l':
		listen_at(optarg, 4096);
		break;
	case 'x':
		play_dead(optarg);
		break;
	case 'm':
		mode_file = optarg;
		break;
	case 'o':
		log_file = must_open(optarg, "a");
		break;
	case 's':
		mode_seed(strtoull(optarg, NULL, 10));
		break;
	case 'L':
		mode_list();
		exit(0);
	default:
		die("usage: see the head of responder.c");
	}
}

int main(int argc, char **argv)
{
	size_t len;
	int c;

	raise_nofile();
	pattern(0, &len); /* before there are threads */
	while ((c = getopt(argc, argv, "u:l:x:m:o:s:L")) != -1)
		set_option(c);
	if (optind + 1 != argc || !upstream || !n_listeners)
		set_option('?');
	authority_read(&authority, argv[optind]);
	printf("event=ready\n");
	fflush(stdout);
	serve_all();
}
