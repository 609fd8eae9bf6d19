// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

/* The largest prime below 2^20. */
#define PERIOD 1048573

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

void sleep_ms(int64_t ms)
{
	poll(NULL, 0, (int)ms);
}

void wait_line(void)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
		;
}

void raise_nofile(void)
{
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

size_t parse_size(const char *text)
{
	char *end;
	size_t n = strtoull(text, &end, 10);

	if (*end == 'K')
		n <<= 10, end++;
	else if (*end == 'M')
		n <<= 20, end++;
	if (end == text || *end)
		die("'%s' is not a size", text);
	return n;
}

static socklen_t parse_address(const char *where, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	const char *colon = strrchr(where, ':');
	char host[64];

	if (!colon || colon - where >= (int)sizeof(host))
		die("'%s' is not ADDRESS:PORT", where);
	memset(ss, 0, sizeof(*ss));
	if (*where == '[')
		snprintf(host, sizeof(host), "%.*s", (int)(colon - where - 2),
			 where + 1);
	else
		snprintf(host, sizeof(host), "%.*s", (int)(colon - where),
			 where);
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(atoi(colon + 1));
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
		die("'%s' is not an address", host);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(atoi(colon + 1));
	return sizeof(*in6);
}

static int sources, next_source;

void tcp_sources(int n)
{
	sources = n;
}

void tcp_source(uint32_t address)
{
	sources = INT32_MAX;
	next_source = address - INADDR_LOOPBACK;
}

static void bind_source(int fd)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int one = 1;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + next_source);
	next_source = (next_source + 1) % sources;
	/* The port is chosen later, when it need not be free for all. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)))
		die("bind: %m");
}

int tcp_try(const char *where)
{
	struct sockaddr_storage ss;
	socklen_t len = parse_address(where, &ss);
	int fd, one = 1;

	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    0);
	if (fd < 0)
		die("socket: %m");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (sources && ss.ss_family == AF_INET)
		bind_source(fd);
	if (!connect(fd, (struct sockaddr *)&ss, len) || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

int tcp_start(const char *where)
{
	int fd = tcp_try(where);

	if (fd < 0)
		die("connect to %s: %m", where);
	return fd;
}

int tcp_listen(const char *where, int backlog)
{
	struct sockaddr_storage ss;
	socklen_t len = parse_address(where, &ss);
	int fd, one = 1;

	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket: %m");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&ss, len) || listen(fd, backlog))
		die("%s: %m", where);
	return fd;
}

int tcp_connect(const char *where, int timeout_ms)
{
	struct timeval tv = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	int fd = tcp_start(where), error = 0;
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(error);

	if (poll(&p, 1, timeout_ms) != 1)
		die("connect to %s: no answer", where);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error)
		die("connect to %s: %s", where, strerror(error));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	return fd;
}

int send_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;
	ssize_t n;

	while (len) {
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= n;
	}
	return 0;
}

static void pattern_fill(uint8_t *block)
{
	uint64_t x = 0x9e3779b97f4a7c15;
	size_t i;

	for (i = 0; i < PERIOD; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		block[i] = x >> 32;
	}
}

const uint8_t *pattern(uint64_t offset, size_t *len)
{
	static uint8_t *block;

	if (!block) {
		block = malloc(PERIOD);
		if (!block)
			die("out of memory");
		pattern_fill(block);
	}
	*len = PERIOD - offset % PERIOD;
	return block + offset % PERIOD;
}

EVP_MD_CTX *sha_new(void)
{
	EVP_MD_CTX *sha = EVP_MD_CTX_new();

	if (!sha || !EVP_DigestInit_ex(sha, EVP_sha256(), NULL))
		die("SHA-256: %s", ssl_reason());
	return sha;
}

void sha_hex(EVP_MD_CTX *sha, char hex[static SHA_HEX])
{
	unsigned char md[32];
	unsigned int i;

	if (!EVP_DigestFinal_ex(sha, md, NULL))
		die("SHA-256: %s", ssl_reason());
	for (i = 0; i < sizeof(md); i++)
		sprintf(hex + 2 * i, "%02x", md[i]);
	EVP_MD_CTX_free(sha);
}

void pattern_sha(uint64_t len, char hex[static SHA_HEX])
{
	EVP_MD_CTX *sha = sha_new();
	uint64_t done = 0;
	const uint8_t *p;
	size_t n;

	while (done < len) {
		p = pattern(done, &n);
		if (n > len - done)
			n = len - done;
		EVP_DigestUpdate(sha, p, n);
		done += n;
	}
	sha_hex(sha, hex);
}
