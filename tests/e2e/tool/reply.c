// SPDX-License-Identifier: MIT
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "reply.h"
#include "tool.h"

#define HEAD_MAX 16384
#define HOPS_MAX 30 /* of "many": more than any client follows */
#define FLOOD_MAX (8 << 20)
#define SILENCE_MS 120000

static int http_date(char *text, size_t size, time_t when)
{
	struct tm tm;

	return strftime(text, size, "%a, %d %b %Y %H:%M:%S GMT",
			gmtime_r(&when, &tm));
}

static void dated(FILE *out, const char *name, time_t when)
{
	char date[64];

	http_date(date, sizeof(date), when);
	fprintf(out, "%s: %s\r\n", name, date);
}

static void put_head(FILE *out, const struct reply *r)
{
	const struct mode *m = r->mode;
	time_t now = time(NULL);

	fprintf(out, "HTTP/1.1 %d Whatever\r\n", r->status);
	dated(out, "Date", now);
	fprintf(out, "Content-Type: %s\r\n",
		m->type ? m->type : "application/ocsp-response");
	if (m->max_age_s >= 0)
		fprintf(out, "Cache-Control: max-age=%ld, public\r\n",
			m->max_age_s);
	if (m->expires_s >= 0)
		dated(out, "Expires", now + m->expires_s);
	if (m->retry_after_s >= 0)
		fprintf(out, "Retry-After: %ld\r\n", m->retry_after_s);
	fputs("Connection: close\r\n", out);
}

struct message {
	char *data;
	size_t len;
	FILE *out;
};

static void begin(struct message *m, const struct reply *r)
{
	m->out = open_memstream(&m->data, &m->len);
	put_head(m->out, r);
}

/* All of @m but @left bytes. */
static int flush_but(struct message *m, const struct reply *r, size_t left)
{
	fclose(m->out);
	return send_all(r->fd, m->data, m->len - left);
}

static void finish(struct message *m, const struct reply *r)
{
	fclose(m->out);
	r->last(r->arg);
	send_all(r->fd, m->data, m->len);
	free(m->data);
}

static void plain(const struct reply *r)
{
	struct message m;

	begin(&m, r);
	fprintf(m.out, "Content-Length: %zu\r\n\r\n", r->body_len);
	fwrite(r->body, 1, r->body_len, m.out);
	finish(&m, r);
}

static void chunked(const struct reply *r)
{
	struct message m;
	size_t at, n;

	begin(&m, r);
	fputs("Transfer-Encoding: chunked\r\n\r\n", m.out);
	for (at = 0; at < r->body_len; at += n) {
		n = r->body_len - at < 100 ? r->body_len - at : 100;
		fprintf(m.out, "%zx;extension=1\r\n", n);
		fwrite(r->body + at, 1, n, m.out);
		fputs("\r\n", m.out);
	}
	fputs("0\r\nTrailer: 1\r\n\r\n", m.out);
	finish(&m, r);
}

static void truncated(const struct reply *r)
{
	struct message m;

	begin(&m, r);
	fprintf(m.out, "Content-Length: %zu\r\n\r\n", r->body_len);
	fwrite(r->body, 1, r->body_len / 2, m.out);
	finish(&m, r);
}

/* False when the client is gone. */
static bool wait_ms(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, ms) == 0;
}

static void slow(const struct reply *r)
{
	struct message m;
	size_t i;

	begin(&m, r);
	fprintf(m.out, "Content-Length: %zu\r\n\r\n", r->body_len);
	flush_but(&m, r, 0);
	free(m.data);
	for (i = 0; i < r->body_len; i++) {
		if (!wait_ms(r->fd, r->mode->pace_ms))
			return;
		if (i + 1 == r->body_len)
			r->last(r->arg);
		if (send_all(r->fd, r->body + i, 1))
			return;
	}
}

static void silent(const struct reply *r)
{
	wait_ms(r->fd, SILENCE_MS);
}

static void dead(const struct reply *r)
{
	struct linger l = {.l_onoff = 1, .l_linger = 0};

	setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	r->last(r->arg);
}

static void noise(const struct reply *r)
{
	size_t len;
	const uint8_t *bytes = pattern(12345, &len);

	r->last(r->arg);
	send_all(r->fd, bytes, 1000);
}

/* The same lines until the client has had enough. */
static void pour(const struct reply *r, const char *line)
{
	char block[4096];
	size_t len = strlen(line), at = 0;

	while (at + len <= sizeof(block)) {
		memcpy(block + at, line, len);
		at += len;
	}
	for (len = 0; len < FLOOD_MAX; len += at)
		if (send_all(r->fd, block, at))
			return;
}

static void flood(const struct reply *r)
{
	struct message m;

	begin(&m, r);
	fputs("\r\n", m.out);
	fwrite(r->body, 1, r->body_len, m.out);
	flush_but(&m, r, 0);
	free(m.data);
	pour(r, "0123456789abcdef");
}

static void endless_head(const struct reply *r)
{
	struct message m;

	begin(&m, r);
	flush_but(&m, r, 0);
	free(m.data);
	pour(r, "X-Header: and so on\r\n");
}

static void redirect(const struct reply *r)
{
	const char *word = mode_shape_word(r->mode->shape);
	struct reply here = *r;
	struct message m;

	here.status = 307;
	begin(&m, &here);
	if (r->mode->shape == SHAPE_REDIRECT_FILE)
		fputs("Location: file:///etc/passwd\r\n", m.out);
	else if (r->mode->shape == SHAPE_REDIRECT_LOOP)
		fprintf(m.out, "Location: http://%s/%s/1%s\r\n", r->host, word,
			r->path);
	else
		fprintf(m.out, "Location: http://%s/%s/%d%s\r\n", r->host, word,
			r->hop + 1, r->path);
	fputs("Content-Length: 0\r\n\r\n", m.out);
	finish(&m, r);
}

static void redirect_once(const struct reply *r)
{
	if (r->hop >= 1)
		plain(r);
	else
		redirect(r);
}

static void redirect_many(const struct reply *r)
{
	if (r->hop >= HOPS_MAX)
		plain(r);
	else
		redirect(r);
}

void reply_send(const struct reply *r)
{
	static void (*const shapes[])(const struct reply *) = {
		[SHAPE_PLAIN] = plain,
		[SHAPE_CHUNKED] = chunked,
		[SHAPE_SLOW] = slow,
		[SHAPE_SILENT] = silent,
		[SHAPE_DEAD] = dead,
		[SHAPE_NOISE] = noise,
		[SHAPE_TRUNCATED] = truncated,
		[SHAPE_FLOOD] = flood,
		[SHAPE_HEAD] = endless_head,
		[SHAPE_REDIRECT] = redirect_once,
		[SHAPE_REDIRECT_MANY] = redirect_many,
		[SHAPE_REDIRECT_LOOP] = redirect,
		[SHAPE_REDIRECT_FILE] = redirect,
	};

	shapes[r->mode->shape](r);
}

const char *reply_path(const char *path, enum shape *shape, int *hop)
{
	char word[32] = "";
	int used = 0;

	*hop = 0;
	sscanf(path, "/%31[a-z-]/%d%n", word, hop, &used);
	if (!used || strncmp(word, "redirect", 8)) {
		*hop = 0;
		return path;
	}
	*shape = mode_shape(word);
	return path + used;
}

void reply_close(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct linger l = {0};
	socklen_t len = sizeof(l);
	char buf[4096];

	/* A FIN would spoil a reset. */
	getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len);
	if (!l.l_onoff)
		shutdown(fd, SHUT_WR);
	while (!l.l_onoff && poll(&p, 1, 2000) == 1 &&
	       recv(fd, buf, sizeof(buf), 0) > 0)
		;
	close(fd);
}
