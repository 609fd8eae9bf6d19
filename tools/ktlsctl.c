/* SPDX-License-Identifier: MIT */
/*
 * ktlsctl - ask a running ktlsd; see ktlsctl(1)
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/standard.h"

#define DEFAULT_SOCKET "/run/ktlsd/control.sock"
#define EXIT_USAGE 100

/*
 * How long ktlsd may take to answer, in seconds; but for a reload and an upgrade,
 * which take as long as the configuration allows.
 */
#define ANSWER_S 5

static int usage(void)
{
	fputs("usage: ktlsctl [-s SOCKET] COMMAND\n"
	      "  -s SOCKET       ktlsd's control socket (" DEFAULT_SOCKET ")\n"
	      "  metrics         print the counters in Prometheus' text format\n"
	      "  staples         print what is known of each OCSP response\n"
	      "  refresh [NAME]  ask for new responses now, for all certificates\n"
	      "                  or the one of this chain file or name\n"
	      "  reload          read the configuration again, and say whether\n"
	      "                  it serves now\n"
	      "  upgrade         have the program's file, which may be another\n"
	      "                  one now, take over, and say whether it does\n",
	      stderr);
	return EXIT_USAGE;
}

static int connect_to(const char *path, unsigned int answer_s)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = answer_s };	/* 0: for ever */
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int no_answer(const char *why)
{
	fprintf(stderr, "ktlsctl: no answer: %s\n", why);
	return 1;
}

/* Whoever hangs up on a command may have said why before. Returns 0 or 1. */
static int send_command(int fd, const char *command, const char *argument)
{
	char *line;
	const int len = asprintf(&line, "%s%s%s\n", command,
				 argument ? " " : "", argument ? argument : "");
	ssize_t n;

	if (len < 0)
		return no_answer("out of memory");
	n = send(fd, line, (size_t)len, MSG_NOSIGNAL);
	free(line);
	return n < 0 && errno != EPIPE ? no_answer(strerror(errno)) : 0;
}

/* The connection has ended too early; @n: of recv(2) */
static int no_end(ssize_t n, bool begun)
{
	const char *why = n == 0 ? "ktlsd has hung up" :
			  errno == EAGAIN ? "no time left" : strerror(errno);

	if (!begun)
		return no_answer(why);
	fflush(stdout);
	fprintf(stderr, "ktlsctl: the answer is cut off: %s\n", why);
	return 1;
}

/* Copies the answer to standard output; 1 when it is an error, or not whole. */
static int copy_answer(int fd)
{
	bool whole = false;
	char buf[4096];
	int failed = -1;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		if (failed < 0)
			failed = n >= 6 && !memcmp(buf, "error:", 6);
		whole = !buf[n - 1];
		fwrite(buf, 1, (size_t)(whole ? n - 1 : n),
		       failed ? stderr : stdout);
	}
	if (n < 0 || !whole)
		return no_end(n, failed >= 0);
	if (fflush(stdout) || ferror(stdout)) {
		fputs("ktlsctl: cannot write\n", stderr);
		return 1;
	}
	return failed;
}

static bool takes_long(const char *command)
{
	return !strcmp(command, "reload") || !strcmp(command, "upgrade");
}

int main(int argc, char **argv)
{
	const char *path = DEFAULT_SOCKET;
	int c, fd, status;

	standard_fill();
	while ((c = getopt(argc, argv, "s:")) != -1) {
		if (c != 's')
			return usage();
		path = optarg;
	}
	if (optind + 1 != argc && optind + 2 != argc)
		return usage();
	fd = connect_to(path, takes_long(argv[optind]) ? 0 : ANSWER_S);
	if (fd < 0) {
		fprintf(stderr, "ktlsctl: %s: %s\n", path, strerror(errno));
		return 1;
	}
	status = send_command(fd, argv[optind], argv[optind + 1]);
	if (!status)
		status = copy_answer(fd);
	close(fd);
	return status;
}
