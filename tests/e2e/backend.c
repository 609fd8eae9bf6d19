// SPDX-License-Identifier: MIT
/*
 * backend - a server in the clear, for proxies to connect to
 *
 *   backend [-m MODE] ADDRESS:PORT | unix:PATH
 *
 * Says `event=listening at=ADDRESS:PORT`, then serves as the test consumer does
 * (tool/serve.h), or does with each connection what MODE says:
 *   count  reads to the end, then answers with how many bytes came and their
 *          SHA-256
 *   first  says "first", ends its direction, and then reads to the end
 *   reset  waits for something, answers with 1000 bytes, and makes a reset
 *   shut   closes once something has come, which it does not read
 *   stall  reads nothing, says nothing
 * and logs how it ended: event=over bytes=N sha=HEX how=clean|cut.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ktls/message.h"
#include "tool/serve.h"
#include "tool/tool.h"

static int listen_unix(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) ||
	    listen(fd, 4096))
		die("%s: %m", path);
	return fd;
}

/* Reads to the end, and says what it was; answers if asked to. */
static void count(int fd, bool answer)
{
	static char buf[65536];
	EVP_MD_CTX *sha = sha_new();
	char hex[SHA_HEX], text[128];
	size_t bytes = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		EVP_DigestUpdate(sha, buf, n);
		bytes += n;
	}
	sha_hex(sha, hex);
	printf("event=over bytes=%zu sha=%s how=%s\n", bytes, hex,
	       n ? "cut" : "clean");
	snprintf(text, sizeof(text), "bytes=%zu sha=%s\n", bytes, hex);
	if (answer && !n)
		send_all(fd, text, strlen(text));
}

static void reset(int fd)
{
	static const struct linger now = {.l_onoff = 1};
	static char buf[1000];

	if (read(fd, buf, sizeof(buf)) <= 0)
		return;
	send_all(fd, buf, sizeof(buf));
	sleep_ms(100);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void one(const char *mode, int fd)
{
	if (!strcmp(mode, "count")) {
		count(fd, true);
	} else if (!strcmp(mode, "first")) {
		send_all(fd, "first", 5);
		shutdown(fd, SHUT_WR);
		count(fd, false);
	} else if (!strcmp(mode, "reset")) {
		reset(fd);
	} else if (!strcmp(mode, "shut")) {
		poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
	} else if (!strcmp(mode, "stall")) {
		pause();
	} else {
		die("no such mode: %s", mode);
	}
	fflush(stdout);
	_exit(0);
}

/* Into a queue, as a relay's end: that of a stream in the clear is clean. */
static void hand_on(int queue, int fd)
{
	struct ktls_info info = {.mode = KTLS_RELAY};
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	uint8_t buf[256];
	struct iovec iov = {
		buf, ktls_msg_encode(&info, NULL, buf, sizeof(buf))};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	if (sendmsg(queue, &msg, MSG_NOSIGNAL) < 0)
		exit(0);
}

int main(int argc, char **argv)
{
	const char *mode = NULL, *where = argv[argc - 1];
	int c, fd, conn, pair[2];

	while ((c = getopt(argc, argv, "m:")) == 'm')
		mode = optarg;
	if (c != -1 || optind + 1 != argc)
		die("usage: backend [-m MODE] ADDRESS:PORT|unix:PATH");
	signal(SIGCHLD, SIG_IGN);
	raise_nofile();
	fd = strncmp(where, "unix:", 5) ? tcp_listen(where, 4096) :
					  listen_unix(where + 5);
	printf("event=listening at=%s\n", where);
	fflush(stdout);
	if (!mode) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
			die("socketpair: %m");
		if (!fork()) {
			close(fd);
			close(pair[1]);
			serve(&(struct serve_config){.queue_fd = pair[0]});
		}
		close(pair[0]);
	}
	while ((conn = accept(fd, NULL, NULL)) >= 0) {
		if (!mode)
			hand_on(pair[1], conn);
		else if (!fork())
			one(mode, conn);
		close(conn);
	}
	die("accept: %m");
}
