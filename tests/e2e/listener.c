// SPDX-License-Identifier: MIT
/*
 * listener - a TCP server that has never heard of ktlsd
 *
 *   listener [-6] PORT [FD]
 *
 * Listens on 127.0.0.1, or [::], at PORT, or goes on with FD that listens
 * already. What it does with a connection is the path that it is asked for:
 *   /read /recv /recvfrom /readv /recvmsg /recvmmsg /peek /splice
 *             answers, then receives in that way to the end
 *   /info     says what it was told of the connection
 *   /sink     (PUT) reads 10 bytes of the body, then as FIONREAD says
 *   /fork     a child answers, ours is closed before it does
 *   /forked   answers and closes, after a child was there and went
 *   /dup      closes the first of two, answers by the second
 *   /dup2     likewise, and ends the second by putting another in its place
 *   /over     puts something in the place of many a descriptor, after
 *   /stdio    answers by stdio, closes so, and reads a file in that place
 *   /shut     shuts down the client's direction, and reads
 *   /full     writes until there is no more room, and closes
 *   /half     shuts down its direction, and waits for the client's end
 *   /exec     executes itself anew, to go on with FD
 *   /deaf     a child shuts the listening socket down
 *   /range    closes all descriptors from 3 on but the two sockets
 * Events are lines on standard output.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/tool.h"

static char **args;
static int listening = -1;

static int option(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	return getsockopt(fd, level, name, &value, &len) ? -errno : value;
}

static const char *text_of(const struct sockaddr_storage *a)
{
	static char text[2][INET6_ADDRSTRLEN + 10];
	static int i;
	char ip[INET6_ADDRSTRLEN] = "";
	const struct sockaddr_in *v4 = (const void *)a;
	const struct sockaddr_in6 *v6 = (const void *)a;

	i = !i;
	if (a->ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof(ip));
	else
		inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof(ip));
	snprintf(text[i], sizeof(text[i]), "%s/%d", ip, ntohs(v4->sin_port));
	return text[i];
}

static const char *name_of(int fd,
			   int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage a = {0};
	socklen_t len = sizeof(a);

	return get(fd, (struct sockaddr *)&a, &len) ? strerror(errno) :
						      text_of(&a);
}

static int bind_to(int family, int port)
{
	const struct sockaddr_in v4 = {.sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr =
					       htonl(INADDR_LOOPBACK)};
	const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
					.sin6_port = htons(port)};
	const int fd = socket(family, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, family == AF_INET ? (void *)&v4 : (void *)&v6,
		 family == AF_INET ? sizeof(v4) : sizeof(v6)) ||
	    listen(fd, 10) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof(on)))
		die("port %d: %m", port);
	return fd;
}

/* With FD there may be a connection already. */
static void say_listening(int fd, bool found)
{
	const int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	printf("event=listening fd=%d type=%d domain=%d protocol=%d "
	       "acceptconn=%d name=%s blocks=%d,%d",
	       fd, option(fd, SOL_SOCKET, SO_TYPE),
	       option(fd, SOL_SOCKET, SO_DOMAIN),
	       option(fd, SOL_SOCKET, SO_PROTOCOL),
	       option(fd, SOL_SOCKET, SO_ACCEPTCONN), name_of(fd, getsockname),
	       !(flags & O_NONBLOCK), !(fcntl(fd, F_GETFL) & O_NONBLOCK));
	errno = 0;
	if (!found)
		printf(" accept=%d", accept(fd, NULL, NULL));
	printf(" again=%d\n", errno == EAGAIN);
	fcntl(fd, F_SETFL, flags);
}

static void answer(int fd, const char *text)
{
	char head[512];
	const int n = snprintf(head, sizeof(head),
			       "HTTP/1.1 200 OK\r\nContent-Length: "
			       "%zu\r\n\r\n%s",
			       strlen(text), text);

	if (write(fd, head, n) != n)
		printf("event=write error=%s\n", strerror(errno));
}

static ssize_t by_splice(int fd)
{
	int pair[2];
	ssize_t n;

	if (pipe(pair))
		die("pipe: %m");
	n = splice(fd, NULL, pair[1], NULL, 100, 0);
	close(pair[0]);
	close(pair[1]);
	return n;
}

static ssize_t receive(int fd, const char *how)
{
	char a[50], b[50], control[64];
	struct iovec iov[] = {{a, sizeof(a)}, {b, sizeof(b)}};
	struct msghdr msg = {.msg_iov = iov,
			     .msg_iovlen = 2,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct mmsghdr all = {.msg_hdr = msg};
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);

	if (!strcmp(how, "recv"))
		return recv(fd, a, sizeof(a), 0);
	if (!strcmp(how, "recvfrom"))
		return recvfrom(fd, a, sizeof(a), 0, (struct sockaddr *)&from,
				&len);
	if (!strcmp(how, "readv"))
		return readv(fd, iov, 2);
	if (!strcmp(how, "recvmsg"))
		return recvmsg(fd, &msg, 0);
	if (!strcmp(how, "recvmmsg"))
		return recvmmsg(fd, &all, 1, 0, NULL) == 1 ? (ssize_t)all.msg_len : -1;
	if (!strcmp(how, "peek"))
		return recv(fd, a, sizeof(a), MSG_PEEK);
	if (!strcmp(how, "splice"))
		return by_splice(fd);
	return read(fd, a, sizeof(a));
}

static const char *receive_end(int fd, const char *how)
{
	ssize_t n;

	while ((n = receive(fd, how)) > 0)
		;
	return !n		   ? "eof" :
	       errno == ECONNRESET ? "ECONNRESET" :
				     strerror(errno);
}

static void to_the_end(int fd, const char *how)
{
	const char *first = receive_end(fd, how);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	const int polled = poll(&p, 1, 0);

	printf("event=end by=%s how=%s again=%s readable=%d\n", how, first,
	       receive_end(fd, how), polled);
	close(fd);
}

static void info(int fd)
{
	char text[400];
	int on = 1;

	snprintf(text, sizeof(text),
		 "type=%d domain=%d protocol=%d acceptconn=%d nodelay=%d "
		 "keepidle=%d blocks=%d peer=%s local=%s",
		 option(fd, SOL_SOCKET, SO_TYPE),
		 option(fd, SOL_SOCKET, SO_DOMAIN),
		 option(fd, SOL_SOCKET, SO_PROTOCOL),
		 option(fd, SOL_SOCKET, SO_ACCEPTCONN),
		 setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)),
		 setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &on, sizeof(on)),
		 !(fcntl(fd, F_GETFL) & O_NONBLOCK), name_of(fd, getpeername),
		 name_of(fd, getsockname));
	answer(fd, text);
	close(fd);
}

static int ready(int fd)
{
	int n = 0;

	ioctl(fd, FIONREAD, &n);
	return n;
}

/* As a server that trusts FIONREAD reads a body. */
static void sink(int fd, size_t left)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buf[70000], text[64];
	size_t part = 10;
	ssize_t n;

	while (left && poll(&p, 1, 3000) == 1) {
		n = read(fd, buf, part);
		if (n <= 0)
			break;
		left -= n;
		if (left && poll(&p, 1, 3000) == 1 && !ready(fd))
			break;
		part = sizeof(buf);
	}
	snprintf(text, sizeof(text), "left=%zu ready=%d", left, ready(fd));
	printf("event=sink %s\n", text);
	answer(fd, text);
	close(fd);
}

static void by_fork(int fd)
{
	int closed[2];
	char byte;

	if (pipe(closed))
		die("pipe: %m");
	if (!fork()) {
		close(closed[1]);
		if (read(closed[0], &byte, 1) < 0)
			_exit(1);
		answer(fd, "child");
		shutdown(fd, SHUT_WR);
		_exit(0);
	}
	close(fd);
	close(closed[0]);
	close(closed[1]);
	wait(NULL);
}

static void forked(int fd)
{
	if (!fork())
		_exit(0);
	wait(NULL);
	answer(fd, "forked");
	close(fd);
}

static void by_dup(int fd)
{
	const int copy = dup(fd);

	close(fd);
	answer(copy, "dup");
	close(copy);
}

static void by_dup2(int fd)
{
	const int copy = dup2(fd, 200);
	const int null = open("/dev/null", O_RDONLY);

	close(fd);
	answer(copy, "dup2");
	dup2(null, copy);
	close(copy);
	close(null);
}

/* Those from 64 on are the library's, but who knows that? */
static void over(int fd)
{
	for (int i = 64; i < 80; i++)
		dup2(STDOUT_FILENO, i);
	answer(fd, "over");
	close(fd);
}

static void by_stdio(int fd)
{
	FILE *file = fdopen(fd, "w");
	char byte;

	fprintf(file, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstdio");
	fflush(file);
	while (read(fd, &byte, 1) > 0)
		;
	fclose(file);
	if (open("/proc/self/exe", O_RDONLY) == fd)
		printf("event=file read=%zd\n", read(fd, &byte, 1));
	close(fd);
}

static void closed_to_us(int fd)
{
	char byte;

	answer(fd, "shut");
	shutdown(fd, SHUT_RD);
	printf("event=shut read=%zd\n", read(fd, &byte, 1));
	close(fd);
}

static void full(int fd)
{
	static char block[16384];
	int on = 1;

	if (write(fd, "HTTP/1.1 200 OK\r\n\r\n", 19) != 19)
		return;
	ioctl(fd, FIONBIO, &on);
	while (write(fd, block, sizeof(block)) > 0)
		;
	printf("event=full error=%s\n",
	       errno == EAGAIN ? "EAGAIN" : strerror(errno));
	close(fd);
}

static void half(int fd)
{
	answer(fd, "half");
	shutdown(fd, SHUT_WR);
	to_the_end(fd, "read");
}

static void execute(int fd)
{
	char number[16];

	answer(fd, "exec");
	close(fd);
	snprintf(number, sizeof(number), "%d", listening);
	execv("/proc/self/exe", (char *[]){args[0], args[1], number, NULL});
	die("exec: %m");
}

static void deaf(int fd)
{
	if (!fork())
		_exit(shutdown(listening, SHUT_RDWR) ? 1 : 0);
	wait(NULL);
	answer(fd, "deaf");
	shutdown(fd, SHUT_RDWR);
	close(fd);
}

static void range(int fd)
{
	for (int i = 3; i < 1024; i++)
		if (i != fd && i != listening)
			close(i);
	if (fd > listening)
		close_range(fd + 1, ~0U, 0);
	answer(fd, "range");
	close(fd);
}

static const struct {
	const char *path;
	void (*run)(int fd);
} actions[] = {
	{"info", info},		{"fork", by_fork}, {"forked", forked},
	{"dup", by_dup},	{"dup2", by_dup2}, {"full", full},
	{"half", half},		{"exec", execute}, {"deaf", deaf},
	{"range", range},	{"over", over},	   {"stdio", by_stdio},
	{"shut", closed_to_us},
};

/* Reads one request's head, and a byte at a time, so that no body is taken. */
static bool read_head(int fd, char *head, size_t size)
{
	size_t n = 0;

	while (n < size - 1 && read(fd, head + n, 1) == 1) {
		head[++n] = 0;
		if (n >= 4 && !strcmp(head + n - 4, "\r\n\r\n"))
			return true;
	}
	return false;
}

static void serve(int fd)
{
	char head[2048], path[32] = "";
	const char *length;

	if (!read_head(fd, head, sizeof(head))) {
		close(fd);
		return;
	}
	sscanf(head, "%*s /%31[a-z0-9]", path);
	length = strstr(head, "Content-Length: ");
	if (length) {
		sink(fd, strtoul(length + 16, NULL, 10));
		return;
	}
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (!strcmp(path, actions[i].path)) {
			actions[i].run(fd);
			return;
		}
	answer(fd, path);
	to_the_end(fd, path);
}

int main(int argc, char **argv)
{
	const bool v6 = argc > 1 && !strcmp(argv[1], "-6");
	struct sockaddr_storage from;
	socklen_t len;
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	args = argv + v6;
	if (argc < 2 + v6)
		die("listener [-6] PORT [FD]");
	listening = argc > 2 + v6 ?
			    atoi(args[2]) :
			    bind_to(v6 ? AF_INET6 : AF_INET, atoi(args[1]));
	say_listening(listening, argc > 2 + v6);
	for (;;) {
		len = sizeof(from);
		fd = accept(listening, (struct sockaddr *)&from, &len);
		if (fd < 0)
			die("accept: %m");
		printf("event=accept from=%s\n", text_of(&from));
		serve(fd);
	}
}
