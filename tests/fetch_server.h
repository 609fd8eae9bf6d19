/* SPDX-License-Identifier: MIT */
/*
 * An HTTP server that does as it is told, in a thread of the test: one
 * connection after another, the next reply for each request, the last one for
 * ever. A failure of its own aborts the test.
 */
#ifndef TESTS_FETCH_SERVER_H
#define TESTS_FETCH_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/ocsp_pki.h"

#define REPLIES_MAX 4
#define REQUESTS_MAX 8

/*
 * struct reply - sent in this order
 * @text:  up to the first NULL of all replies; %d in it is the server's port
 * @der:   behind it
 * @flood: bytes behind that, or until the client goes
 * @hang:  then wait for the client to go; else close, or go on if @keep
 */
struct reply {
	const char *text;
	struct ocsp_bytes der;
	size_t flood;
	bool hang, keep;
};

struct request {
	char head[2000];
	uint8_t body[1000];
	size_t body_len;
	int connection;
};

struct server {
	int fd, port;
	pthread_t thread;
	struct reply replies[REPLIES_MAX];
	struct request requests[REQUESTS_MAX];
	int connections;
	atomic_int n_requests;
};

static inline bool server_send(int fd, const void *data, size_t len)
{
	return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static inline void server_flood(int fd, size_t n)
{
	char block[1000];

	memset(block, 'A', sizeof(block));
	while (n && server_send(fd, block, n < sizeof(block) ? n : 1000))
		n -= n < sizeof(block) ? n : sizeof(block);
}

static inline void server_wait_gone(int fd)
{
	char c;

	while (recv(fd, &c, 1, 0) > 0)
		;
}

/* One request, if it is one: TLS is answered by closing. */
static inline bool server_read(int fd, struct request *r)
{
	const char *length;
	size_t len = 0, want;

	do {
		if (len == sizeof(r->head) - 1 ||
		    recv(fd, r->head + len, 1, 0) != 1)
			return false;
		if (r->head[0] == 0x16)
			return false;
		r->head[++len] = '\0';
	} while (len < 4 || strcmp(r->head + len - 4, "\r\n\r\n"));
	length = strcasestr(r->head, "\r\nContent-Length: ");
	want = length ? strtoul(length + 18, NULL, 10) : 0;
	MUST(want <= sizeof(r->body));
	while (r->body_len < want) {
		if (recv(fd, r->body + r->body_len, 1, 0) != 1)
			return false;
		r->body_len++;
	}
	return true;
}

static inline bool server_reply(struct server *s, int fd,
				const struct reply *reply)
{
	char text[4000];

	snprintf(text, sizeof(text), reply->text, s->port, s->port);
	if (!server_send(fd, text, strlen(text)) ||
	    !server_send(fd, reply->der.data, reply->der.len))
		return false;
	server_flood(fd, reply->flood);
	if (reply->hang)
		server_wait_gone(fd);
	return reply->keep;
}

static inline void server_serve(struct server *s, int fd)
{
	struct request *r;
	int i;

	do {
		MUST(s->n_requests < REQUESTS_MAX);
		r = &s->requests[s->n_requests];
		*r = (struct request){ .connection = s->connections };
		if (!server_read(fd, r))
			break;
		i = s->n_requests++;
		while (i > 0 && (i >= REPLIES_MAX || !s->replies[i].text))
			i--;
	} while (s->replies[i].text && server_reply(s, fd, &s->replies[i]));
}

static inline void *server_run(void *arg)
{
	struct server *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		s->connections++;
		server_serve(s, fd);
		shutdown(fd, SHUT_WR);
		server_wait_gone(fd);
		close(fd);
	}
	return NULL;
}

static inline void server_start(struct server *s)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	MUST(!bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)) &&
	     !listen(s->fd, 8) &&
	     !getsockname(s->fd, (struct sockaddr *)&addr, &len));
	s->port = ntohs(addr.sin_port);
	MUST(!pthread_create(&s->thread, NULL, server_run, s));
}

/* All clients must have gone. */
static inline void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

#endif
