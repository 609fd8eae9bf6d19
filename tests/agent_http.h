/* SPDX-License-Identifier: MIT */
/*
 * A small HTTP server in a process of its own, which the test tells what to
 * answer while it runs, and which counts.
 */
#ifndef TESTS_AGENT_HTTP_H
#define TESTS_AGENT_HTTP_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "agent_case.h"

enum http_mode {
	HTTP_ANSWER,		/* 200 with the body */
	HTTP_ERROR,		/* 500 */
	HTTP_SILENT,		/* reads, says nothing */
	HTTP_HANG_UP,		/* closes instead of answering */
	HTTP_DRIBBLE,		/* the answer in small pieces */
	HTTP_ONCE,		/* closes after the answer */
};

/* struct http_shared - at the same place in all processes */
struct http_shared {
	_Atomic int mode;
	_Atomic unsigned int delay_ms;	/* before each answer */
	_Atomic unsigned int requests, active, most_active, connections;
	_Atomic size_t received;	/* bytes of bodies */
	size_t len, get_len;
	uint8_t body[70000];
	uint8_t get_body[2000];		/* what GET gets unless @get_len is 0 */
	char head[256];			/* more lines of it, each with CR LF */
};

struct http_server {
	pid_t pid;
	int listener;
	uint16_t port;
	struct http_shared *shared;
};

static inline void http_enter(struct http_shared *s)
{
	unsigned int active = ++s->active, most = s->most_active;

	while (active > most &&
	       !atomic_compare_exchange_weak(&s->most_active, &most, active))
		;
	s->requests++;
}

/* Reads one request; returns false at the end. */
static inline bool http_read(int fd, struct http_shared *s, bool *get)
{
	char buf[16384], *end = NULL, *length;
	size_t n = 0, body;
	ssize_t got;

	while (!end) {
		got = read(fd, buf + n, sizeof(buf) - 1 - n);
		if (got <= 0)
			return false;
		n += (size_t)got;
		buf[n] = 0;
		end = strstr(buf, "\r\n\r\n");
	}
	*get = !strncmp(buf, "GET ", 4);
	length = strcasestr(buf, "\r\nContent-Length:");
	body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
	s->received += n - (size_t)(end + 4 - buf);
	for (n -= (size_t)(end + 4 - buf); n < body; n += (size_t)got) {
		got = read(fd, buf, sizeof(buf));
		if (got <= 0)
			return false;
		s->received += (size_t)got;
	}
	return true;
}

static inline void http_write(int fd, const void *data, size_t len, int mode)
{
	const uint8_t *p = data;
	size_t piece = mode == HTTP_DRIBBLE ? 100 : len;

	while (len) {
		ssize_t n = write(fd, p, len < piece ? len : piece);

		if (n < 0)
			_exit(0);
		p += n;
		len -= (size_t)n;
		if (mode == HTTP_DRIBBLE)
			usleep(1000);
	}
}

static inline void http_answer(int fd, struct http_shared *s, int mode,
			       bool get)
{
	bool error = mode == HTTP_ERROR, other = get && s->get_len;
	size_t len = error ? 0 : other ? s->get_len : s->len;
	char head[512];
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 %s\r\nContent-Length: %zu\r\n"
			 "Content-Type: application/ocsp-response\r\n%s%s\r\n",
			 error ? "500 Broken" : "200 OK", len,
			 mode == HTTP_ONCE ? "Connection: close\r\n" : "",
			 s->head);

	http_write(fd, head, (size_t)n, mode);
	http_write(fd, other ? s->get_body : s->body, len, mode);
}

static inline void http_serve(int fd, struct http_shared *s)
{
	bool get;
	int mode;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	s->connections++;
	while (http_read(fd, s, &get)) {
		mode = s->mode;
		http_enter(s);
		if (mode == HTTP_SILENT)
			while (read(fd, &(char){ 0 }, 1) > 0)
				;
		usleep(s->delay_ms * 1000);
		s->active--;
		if (mode == HTTP_SILENT || mode == HTTP_HANG_UP)
			return;
		http_answer(fd, s, mode, get);
		if (mode == HTTP_ONCE)
			return;
	}
}

static inline void http_accept(struct http_server *server)
{
	int fd;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			http_serve(fd, server->shared);
			_exit(0);
		}
		close(fd);
	}
	_exit(1);
}

static inline void http_start(struct http_server *server)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);

	server->shared = mmap(NULL, sizeof(*server->shared),
			      PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(server->shared, MAP_FAILED);
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(server->listener, (void *)&addr, len), 0);
	cr_assert_eq(listen(server->listener, 128), 0);
	cr_assert_eq(getsockname(server->listener, (void *)&addr, &len), 0);
	server->port = ntohs(addr.sin_port);
	server->pid = fork();
	cr_assert_geq(server->pid, 0);
	if (!server->pid)
		http_accept(server);
	setpgid(server->pid, server->pid);
	close(server->listener);
}

static inline void http_stop(struct http_server *server)
{
	kill(-server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	munmap(server->shared, sizeof(*server->shared));
}

#endif
