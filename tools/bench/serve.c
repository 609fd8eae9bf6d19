// SPDX-License-Identifier: MIT
#include "behind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktls/ktls.h"
#include "tls_server.h"
#include "util.h"

/* How long ktlsd, in an emulated machine, may take to be there. */
#define PATIENCE_NS (300 * UINT64_C(1000000000))
#define HEAD_MAX 400
#define SENDFILE_MAX (1 << 20)

/*
 * struct conn - small, for idle ones are counted by their memory
 * @head:  of the request, as far as it has come
 * @left:  bytes to send; @taking: bytes to take
 * @record: of each write(2); 0: sendfile(2)
 */
struct conn {
	int fd;
	bool shaken, writing;
	uint16_t head_len;
	uint32_t record;
	SSL *ssl;
	uint64_t sent, left, taking;
	char *head;
};

/* struct served - the file that is sent, the last one that was asked for */
struct served {
	int fd;
	uint64_t len;
	const uint8_t *map;
};

struct serve {
	const struct behind *b;
	struct ktls_registration *reg;
	struct ktls_queue *queue;
	SSL_CTX *ctx;
	int epfd, source;
	struct served file;
};

/* --- bytes: through TLS, or not ------------------------------------------------ */

static ssize_t get_some(struct conn *c, void *buf, size_t len)
{
	ssize_t n;

	if (c->ssl)
		return tls_result(c->ssl, SSL_read(c->ssl, buf, (int)len));
	n = recv(c->fd, buf, len, 0);
	return n < 0 ? -errno : n;
}

static ssize_t put_some(struct conn *c, const void *buf, size_t len)
{
	ssize_t n;

	if (c->ssl)
		return tls_result(c->ssl, SSL_write(c->ssl, buf, (int)len));
	n = send(c->fd, buf, len, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static ssize_t put_file(const struct serve *s, struct conn *c, size_t len)
{
	off_t at = (off_t)c->sent;
	ssize_t n;

	if (s->b->tls == TLS_USER)
		return put_some(c, s->file.map + at, len < 16384 ? len : 16384);
	if (c->ssl)
		return tls_result(c->ssl, (int)SSL_sendfile(c->ssl, s->file.fd,
							    at, len, 0));
	n = sendfile(c->fd, s->file.fd, &at, len);
	return n < 0 ? -errno : n;
}

/* --- requests -------------------------------------------------------------------- */

static int open_file(struct serve *s, uint64_t len)
{
	char *path;

	if (s->file.len == len)
		return 0;
	path = scratch("www/bytes-%llu", (unsigned long long)len);
	s->file.fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (s->file.fd < 0)
		return -errno;
	s->file.map = mmap(NULL, len, PROT_READ, MAP_SHARED, s->file.fd, 0);
	if (s->file.map == MAP_FAILED)
		return -errno;
	s->file.len = len;
	return 0;
}

static int say_head(struct conn *c, uint64_t len)
{
	char text[128];
	int n = snprintf(text, sizeof(text),
			 "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n"
			 "Connection: close\r\n\r\n",
			 (unsigned long long)len);

	/* On a socket that nothing was sent to yet. */
	return put_some(c, text, n) == n ? 0 : -EPIPE;
}

static int answer(struct serve *s, struct conn *c)
{
	unsigned long long n;
	unsigned int record = 0;
	int rc;

	if (sscanf(c->head, "PUT /put-%llu ", &n) == 1) {
		/* Some of it has come behind the head. */
		c->taking = n;
		return 0;
	}
	if (sscanf(c->head, "GET /bytes-%llu ", &n) != 1 &&
	    sscanf(c->head, "GET /write-%u/bytes-%llu ", &record, &n) != 2)
		return -EPROTO;
	rc = open_file(s, n);
	if (rc)
		return rc;
	c->record = record;
	c->left = n;
	return say_head(c, n);
}

static int took(struct conn *c, uint64_t n)
{
	if (n > c->taking)
		return -EPROTO;
	c->taking -= n;
	return c->taking ? 0 : say_head(c, 0);
}

static int take_head(struct serve *s, struct conn *c)
{
	uint64_t behind;
	ssize_t n;
	char *end;
	int rc;

	if (!c->head)
		c->head = zalloc(HEAD_MAX);
	n = get_some(c, c->head + c->head_len, HEAD_MAX - 1 - c->head_len);
	if (n <= 0)
		return n ? (int)n : -EPIPE;
	c->head_len += n;
	end = strstr(c->head, "\r\n\r\n");
	if (!end)
		return c->head_len < HEAD_MAX - 1 ? 0 : -EPROTO;
	behind = c->head + c->head_len - (end + 4);
	rc = answer(s, c);
	free(c->head);
	c->head = NULL;
	c->head_len = 0;
	return rc || !c->taking ? rc : took(c, behind);
}

static int take_body(struct conn *c)
{
	static char buf[65536];
	ssize_t n = get_some(c, buf, sizeof(buf));

	return n > 0 ? took(c, n) : n ? (int)n : -EPIPE;
}

static int send_body(struct serve *s, struct conn *c)
{
	size_t len = c->record ? c->record : SENDFILE_MAX;
	ssize_t n;

	if (len > c->left)
		len = c->left;
	n = c->record ? put_some(c, s->file.map + c->sent, len) :
			put_file(s, c, len);
	if (n <= 0)
		return n ? (int)n : -EPIPE;
	c->sent += n;
	c->left -= n;
	return 0;
}

/* --- connections ------------------------------------------------------------------- */

static void end(const struct serve *s, struct conn *c)
{
	tls_end(c->ssl);
	/* Closing it is not enough while ktlsd has not closed its own. */
	epoll_ctl(s->epfd, EPOLL_CTL_DEL, c->fd, NULL);
	close(c->fd);
	free(c->head);
	free(c);
}

static void watch(const struct serve *s, struct conn *c, bool writing)
{
	struct epoll_event e = {
		.events = writing ? EPOLLOUT : EPOLLIN,
		.data.ptr = c,
	};

	if (writing == c->writing)
		return;
	c->writing = writing;
	epoll_ctl(s->epfd, EPOLL_CTL_MOD, c->fd, &e);
}

static int step(struct serve *s, struct conn *c)
{
	int rc;

	if (c->ssl && !c->shaken) {
		rc = (int)tls_result(c->ssl, SSL_do_handshake(c->ssl));
		if (rc > 0)
			rc = tls_shaken(&c->ssl, s->b->tls);
		c->shaken = !rc;
		return rc;
	}
	if (c->left)
		return send_body(s, c);
	return c->taking ? take_body(c) : take_head(s, c);
}

/* Some steps, for the others want their turn, too. */
static void go_on(struct serve *s, struct conn *c)
{
	int rc = 0, i;

	for (i = 0; i < 16 && !rc; i++)
		rc = step(s, c);
	if (rc && rc != -EAGAIN)
		end(s, c);
	else
		watch(s, c, c->left);
}

static void add(struct serve *s, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};
	struct conn *c;

	if (!s->b->keep) {
		close(fd);
		return;
	}
	c = zalloc(sizeof(*c));
	c->fd = fd;
	if (s->ctx)
		c->ssl = tls_accept(s->ctx, fd);
	e.data.ptr = c;
	if (epoll_ctl(s->epfd, EPOLL_CTL_ADD, fd, &e))
		die("epoll_ctl: %s", strerror(errno));
}

static void note_taken(const struct serve *s)
{
	s->b->seen->taken_ns = now_ns();
	s->b->seen->taken++;
}

static int take_queued(struct serve *s)
{
	struct ktls_conn c;
	int rc = ktls_accept(s->queue, &c, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (rc)
		return rc;
	note_taken(s);
	s->b->seen->relayed += c.mode == KTLS_RELAY;
	if (s->b->keep)
		add(s, ktls_release(&c));
	else
		ktls_close(&c);
	return 0;
}

static int take_accepted(struct serve *s)
{
	int fd = accept4(s->source, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	note_taken(s);
	add(s, fd);
	return 0;
}

static void take_all(struct serve *s)
{
	int rc;

	do
		rc = s->queue ? take_queued(s) : take_accepted(s);
	while (!rc || rc == -ECONNABORTED);
	if (rc != -EAGAIN)
		die("connections cannot be taken: %s", strerror(-rc));
}

/* --- where they come from ----------------------------------------------------------- */

static void join(struct serve *s)
{
	const uint64_t until = now_ns() + PATIENCE_NS;
	char error[256];
	int rc;

	while ((rc = ktls_register(s->b->path, &s->reg, error,
				   sizeof(error)))) {
		if ((rc != -ENOENT && rc != -ECONNREFUSED && rc != -ETIMEDOUT) ||
		    now_ns() > until)
			die("%s: %s", s->b->path, error);
		sleep_ms(20);
	}
	s->source = ktls_registration_queue_fd(s->reg);
	s->queue = ktls_queue_new(s->source,
				  ktls_registration_hold_ms(s->reg));
	if (!s->queue)
		die("ktls_queue_new: %s", strerror(errno));
}

static void listen_at_port(struct serve *s)
{
	s->source = behind_listen(s->b->port);
	if (fcntl(s->source, F_SETFL, O_NONBLOCK))
		die("fcntl: %s", strerror(errno));
	if (s->b->tls != TLS_NONE)
		s->ctx = tls_server_context(s->b->key, s->b->tls);
}

static void add_source(const struct serve *s, int fd, void *what)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = what};

	if (epoll_ctl(s->epfd, EPOLL_CTL_ADD, fd, &e))
		die("epoll_ctl: %s", strerror(errno));
}

static void wait_once(struct serve *s)
{
	struct epoll_event events[64];
	int i, n = epoll_wait(s->epfd, events, 64, -1);

	for (i = 0; i < n; i++) {
		if (events[i].data.ptr == &s->source)
			take_all(s);
		else if (events[i].data.ptr == &s->reg)
			ktls_registration_step(s->reg);
		else
			go_on(s, events[i].data.ptr);
	}
}

void serve_run(void *arg)
{
	struct serve s = {.b = arg, .epfd = epoll_create1(EPOLL_CLOEXEC)};

	if (s.b->path)
		join(&s);
	else
		listen_at_port(&s);
	add_source(&s, s.source, &s.source);
	if (s.reg)
		add_source(&s, ktls_registration_fd(s.reg), &s.reg);
	for (;;)
		wait_once(&s);
}
