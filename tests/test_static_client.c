// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/static/client.h"

/* Over a relay's socket pair: what is sent is what a TLS client would get. */
TestSuite(client, .timeout = 20);

#define BIG 3000000

static char dir[] = "/tmp/test_static_client.XXXXXX";
static int root, peer;
static struct client *client;
static char got[BIG + 10000];
static size_t got_len;

static void make_file(const char *name, const char *text)
{
	const int fd = openat(root, name, O_WRONLY | O_CREAT, 0644);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void begin(void)
{
	struct ktls_conn conn = { .mode = KTLS_RELAY };
	const struct timespec times[2] = { { .tv_sec = 784111777 },
					   { .tv_sec = 784111777 } };
	int pair[2], fd;

	cr_assert(mkdtemp(dir));
	root = open(dir, O_PATH | O_DIRECTORY);
	make_file("file.txt", "0123456789");
	futimens(fd = openat(root, "file.txt", O_WRONLY), times);
	close(fd);
	make_file("secret", "s");
	fd = openat(root, "big", O_WRONLY | O_CREAT, 0644);
	cr_assert_eq(ftruncate(fd, BIG), 0);
	close(fd);
	mkdirat(root, "sub", 0755);
	make_file("sub/index.html", "<p>index");
	mkdirat(root, "bare", 0755);
	cr_assert_eq(symlinkat("/etc/passwd", root, "absolute"), 0);
	cr_assert_eq(symlinkat("../../etc/passwd", root, "upward"), 0);
	cr_assert_eq(symlinkat("file.txt", root, "inside"), 0);
	cr_assert_eq(mkfifoat(root, "fifo", 0644), 0);

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
		     0);
	conn.fd = pair[0];
	peer = pair[1];
	client = client_new(&conn, 0);
	cr_assert(client);
}

static void end(void)
{
	static const char *const names[] = { "file.txt", "secret", "big",
					     "sub/index.html", "absolute",
					     "upward", "inside", "fifo" };

	if (client)
		client_free(client);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unlinkat(root, names[i], 0);
	unlinkat(root, "sub", AT_REMOVEDIR);
	unlinkat(root, "bare", AT_REMOVEDIR);
	rmdir(dir);
	close(root);
	close(peer);
}

static void drain(void)
{
	ssize_t n;

	while ((n = read(peer, got + got_len, sizeof(got) - 1 - got_len)) > 0)
		got_len += n;
	got[got_len] = '\0';
}

/* Runs until the client waits for input or is over. */
static bool run(void)
{
	for (int i = 0; i < 100000; i++) {
		if (!client_run(client, root, 1)) {
			client_free(client);
			client = NULL;
			drain();
			return false;
		}
		drain();
		if (client->wants == EPOLLIN)
			return true;
	}
	cr_assert_fail("it never stops");
	return false;
}

static const char *ask(const char *text)
{
	got_len = 0;
	cr_assert_eq(write(peer, text, strlen(text)), (ssize_t)strlen(text));
	run();
	return got;
}

static void expect_status(const char *request, const char *status)
{
	char start[64];

	snprintf(start, sizeof(start), "HTTP/1.1 %s\r\n", status);
	ask(request);
	cr_expect(!strncmp(got, start, strlen(start)), "%s\n%.60s", request,
		  got);
}

static const char *body(void)
{
	const char *end_of_head = strstr(got, "\r\n\r\n");

	cr_assert(end_of_head);
	return end_of_head + 4;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define WITH(path, fields) \
	"GET " path " HTTP/1.1\r\nHost: x\r\n" fields "\r\n\r\n"

Test(client, gets_a_file_with_what_is_known_of_it, .init = begin, .fini = end)
{
	expect_status(GET("/file.txt"), "200 OK");
	cr_expect_str_eq(body(), "0123456789");
	cr_expect(strstr(got, "\r\nContent-Length: 10\r\n"));
	cr_expect(strstr(got, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
	cr_expect(strstr(got, "\r\nLast-Modified: "
			      "Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
	cr_expect(strstr(got, "\r\nX-Ktls-Mode: relay\r\n"));
	cr_expect(strstr(got, "\r\nDate: "));
	cr_expect_null(strstr(got, "Connection: close"));
}

static const struct {
	const char *request, *status, *body;
} requests[] = {
	{ WITH("/file.txt", "Range: bytes=2-4"), "206 Partial Content", "234" },
	{ WITH("/file.txt", "Range: bytes=-3"), "206 Partial Content", "789" },
	{ WITH("/file.txt", "Range: bytes=10-"), "416 Range Not Satisfiable",
	  "416 Range Not Satisfiable\n" },
	{ WITH("/file.txt", "Range: bytes=1-2,4-5"), "200 OK", "0123456789" },
	{ WITH("/file.txt", "Range: bytes=0-0\r\nIf-Range: Sun, 06 Nov 1994 "
			    "08:49:37 GMT"),
	  "206 Partial Content", "0" },
	{ WITH("/file.txt", "Range: bytes=0-0\r\nIf-Range: \"other\""),
	  "200 OK", "0123456789" },
	{ WITH("/file.txt",
	       "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"),
	  "304 Not Modified", "" },
	{ WITH("/file.txt",
	       "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT"),
	  "200 OK", "0123456789" },
	{ "HEAD /file.txt HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK", "" },
	{ "HEAD /none HTTP/1.1\r\nHost: x\r\n\r\n", "404 Not Found", "" },
	{ GET("/none"), "404 Not Found", "404 Not Found\n" },
	{ GET("/sub/"), "200 OK", "<p>index" },
	{ GET("/sub"), "301 Moved Permanently", "301 Moved Permanently\n" },
	{ GET("/bare/"), "404 Not Found", NULL },
	{ GET("/file.txt/"), "404 Not Found", NULL },
	{ GET("/inside"), "200 OK", "0123456789" },
	{ GET("/absolute"), "404 Not Found", NULL },
	{ GET("/upward"), "404 Not Found", NULL },
	{ GET("/../../etc/passwd"), "404 Not Found", NULL },
	{ GET("/%2e%2e/%2e%2e/etc/passwd"), "404 Not Found", NULL },
	{ GET("/sub/../file.txt"), "200 OK", "0123456789" },
	{ GET("//etc/passwd"), "404 Not Found", NULL },
	{ GET("/fifo"), "404 Not Found", NULL },
};

Test(client, answers_on_one_connection, .init = begin, .fini = end)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		expect_status(requests[i].request, requests[i].status);
		cr_assert(client, "%s", requests[i].request);
		if (requests[i].body)
			cr_expect_str_eq(body(), requests[i].body);
	}
}

Test(client, is_fresh_until_it_was_asked_something, .init = begin, .fini = end)
{
	cr_expect(run());
	cr_expect(client->fresh && client_is_idle(client));
	ask("GET /file.txt HTTP/1.1\r\n");
	cr_expect(client->fresh && !client_is_idle(client));
	ask("Host: x\r\n\r\n");
	cr_expect(!client->fresh && client_is_idle(client));
}

Test(client, redirects_on_its_own_host_only, .init = begin, .fini = end)
{
	expect_status(GET("//sub?q"), "301 Moved Permanently");
	cr_expect(strstr(got, "\r\nLocation: /sub/\r\n"), "%s", got);
}

/* Each of these is the last on its connection. */
static const struct {
	const char *request, *status;
} refused[] = {
	{ "BREW / HTTP/1.1\r\nHost: x\r\n\r\n", "501 Not Implemented" },
	{ "POST / HTTP/1.1\r\nHost: x\r\n\r\n", "405 Method Not Allowed" },
	{ "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request" },
	{ "GET / HTTP/1.1\r\n\r\n", "400 Bad Request" },
	{ "GET /file.txt HTTP/1.0\r\n\r\n", "200 OK" },
};

static void refuse(const char *request, const char *status)
{
	char byte;

	begin();
	expect_status(request, status);
	cr_expect(strstr(got, "Connection: close\r\n"), "%s", request);
	cr_expect_eq(read(peer, &byte, 1), 0, "%s", request);
	/* It goes on reading: our last bytes are not to be reset. */
	cr_expect(client && client->phase == LINGER, "%s", request);
	shutdown(peer, SHUT_WR);
	cr_expect(!run());
	end();
	strcpy(strrchr(dir, '.') + 1, "XXXXXX");
}

Test(client, ends_a_connection_that_it_cannot_follow)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		refuse(refused[i].request, refused[i].status);
}

Test(client, refuses_a_header_without_end, .init = begin, .fini = end)
{
	static char text[HEADER_MAX + 1];

	memset(text, 'x', HEADER_MAX);
	expect_status(text, "431 Request Header Fields Too Large");
	cr_expect_eq(client->phase, LINGER);
}

Test(client, takes_a_header_of_the_full_length, .init = begin, .fini = end)
{
	static char text[HEADER_MAX + 1];
	static const char start[] = "GET /file.txt HTTP/1.1\r\nHost: x\r\nA: ";

	memset(text, 'x', HEADER_MAX);
	memcpy(text, start, sizeof(start) - 1);
	memcpy(text + HEADER_MAX - 4, "\r\n\r\n", 4);
	expect_status(text, "200 OK");
}

Test(client, takes_requests_byte_by_byte, .init = begin, .fini = end)
{
	static const char request[] = GET("/file.txt");

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		got_len = 0;
		cr_assert_eq(write(peer, request + i, 1), 1);
		cr_assert(run());
		cr_assert_eq(got_len > 0, i == sizeof(request) - 2);
	}
	cr_expect_str_eq(body(), "0123456789");
}

Test(client, answers_pipelined_requests_in_order, .init = begin, .fini = end)
{
	const char *first, *second;
	int n = 0;

	/* More of them than one turn takes. */
	ask(GET("/file.txt") "\r\n" GET("/none") GET("/file.txt")
		    GET("/file.txt") GET("/file.txt") GET("/file.txt")
			    GET("/file.txt") GET("/file.txt"));
	first = strstr(got, "200 OK");
	second = strstr(got, "404 Not Found");
	cr_assert(first && second && first < second);
	for (const char *at = got; (at = strstr(at, "HTTP/1.1 ")); at++)
		n++;
	cr_expect_eq(n, 8);
}

Test(client, answers_a_peer_that_has_ended_its_direction, .init = begin,
     .fini = end)
{
	static const char request[] = GET("/file.txt");

	cr_assert_gt(write(peer, request, sizeof(request) - 1), 0);
	shutdown(peer, SHUT_WR);
	run();
	cr_expect_str_eq(body(), "0123456789");
	cr_expect_null(client);
}

Test(client, sends_a_large_file_in_turns, .init = begin, .fini = end)
{
	static const char request[] = GET("/big");

	cr_assert_gt(write(peer, request, sizeof(request) - 1), 0);
	cr_assert(client_run(client, root, 7));
	cr_expect(client->wants & EPOLLOUT);
	cr_expect_eq(client->phase, RESPONSE);
	cr_expect_eq(client->since, 7);
	cr_expect(!client_is_idle(client));
	got_len = 0;
	run();
	cr_expect_eq(got + got_len - body(), BIG);
}

Test(client, cuts_off_a_file_that_shrank, .init = begin, .fini = end)
{
	static const char request[] = GET("/big");
	char byte[1000];
	ssize_t n;
	int fd;

	cr_assert_gt(write(peer, request, sizeof(request) - 1), 0);
	cr_assert(client_run(client, root, 1));
	fd = openat(root, "big", O_WRONLY | O_TRUNC);
	close(fd);
	got_len = 0;
	cr_expect(!run());
	while ((n = read(peer, byte, sizeof(byte))) > 0)
		;
	cr_expect_lt(got_len, BIG);
}
