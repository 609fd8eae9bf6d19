// SPDX-License-Identifier: MIT
/*
 * raw - say something wrong to a TLS server, and tell what it says
 *
 *   raw ADDRESS:PORT NAME...     NAME: one of the table below
 *
 * For each prints its name, alert=N (-1: none came), end=fin|rst|timeout, the bytes that came
 * and the milliseconds until the end. Exit 0 whatever the server did.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool/tool.h"

#define SIZE(text) (sizeof(text) - 1)

static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char proxied[] = "CONNECT localhost:443 HTTP/1.1\r\n\r\n";
/* SSLv2 CLIENT-HELLO: length, type 1, version 0.2, one cipher, challenge. */
static const char sslv2[] =
	"\x80\x1c\x01\x00\x02\x00\x03\x00\x00\x00\x10\x01\x00\x80"
	"0123456789abcdef";
/* A handshake record of 65,535 bytes; its body follows in zeros. */
static const char big[] = "\x16\x03\x01\xff\xff";
static const char alert[] = "\x15\x03\x01\x00\x02\x02\x28";
static const char warning[] = "\x15\x03\x01\x00\x02\x01\x00";
static const char garbage[] =
	"\x9b\x1f\x0e\xd3\x77\x41\xc8\x02\xfe\x65\x11\x90\xab\x3c\x5d\xe0"
	"\x82\x4f\x19\xb7\x60\xda\x35\xfc\x08\xe1\x93\x2a\x7d\x56\xc4\x0b";
/* Application data and a ServerHello before any ClientHello. */
static const char early[] = "\x17\x03\x03\x00\x05hello";
static const char serverhello[] = "\x16\x03\x03\x00\x04\x02\x00\x00\x00";
/* A ClientHello whose body is not one. */
static const char hello[] = "\x16\x03\x01\x00\x0a\x01\x00\x00\x06"
			    "\x03\x03zzzz";
/* The beginning of one, then nothing more. */
static const char part[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
static const char empty[] = "\x16\x03\x01\x00\x00";

static const struct input {
	const char *name, *data;
	size_t len, zeros;
	bool leave; /* close as soon as it is sent */
} inputs[] = {
	{"probe", "", 0, 0, true},
	{"silence", "", 0, 0, false},
	{"http", http, SIZE(http), 0, false},
	{"connect", proxied, SIZE(proxied), 0, false},
	{"sslv2", sslv2, SIZE(sslv2), 0, false},
	{"big", big, SIZE(big), 65535, false},
	{"bigheader", big, SIZE(big), 0, false},
	{"alert", alert, SIZE(alert), 0, false},
	{"warning", warning, SIZE(warning), 0, false},
	{"garbage", garbage, SIZE(garbage), 0, false},
	{"early", early, SIZE(early), 0, false},
	{"serverhello", serverhello, SIZE(serverhello), 0, false},
	{"hello", hello, SIZE(hello), 0, false},
	{"part", part, SIZE(part), 0, false},
	{"cut", part, SIZE(part), 0, true},
	{"empty", empty, SIZE(empty), 0, false},
};

static const struct input *find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(inputs) / sizeof(*inputs); i++)
		if (!strcmp(inputs[i].name, name))
			return &inputs[i];
	die("no input is called '%s'", name);
}

/* Receive to the end; the number of bytes that came. */
static size_t receive(int fd, uint8_t *buf, size_t size, const char **end)
{
	size_t got = 0;
	ssize_t n;

	while ((n = recv(fd, buf + got, size - got, 0)) > 0)
		got += n;
	*end = n == 0 ? "fin" : errno == EAGAIN ? "timeout" : "rst";
	return got;
}

static void say(const struct input *input, const char *where)
{
	static const uint8_t zeros[65535];
	const char *end = "left";
	uint8_t buf[4096];
	int64_t start;
	size_t got = 0;
	int fd;

	fd = tcp_connect(where, 30000);
	start = now_ms();
	send_all(fd, input->data, input->len);
	send_all(fd, zeros, input->zeros);
	if (!input->leave)
		got = receive(fd, buf, sizeof(buf), &end);
	else if (input->len)
		/* Seen as a connection first, then as one that ends. */
		sleep_ms(200);
	printf("%s alert=%d end=%s bytes=%zu ms=%lld\n", input->name,
	       got >= 7 && buf[0] == 21 ? buf[6] : -1, end, got,
	       (long long)(now_ms() - start));
	fflush(stdout);
	close(fd);
}

int main(int argc, char **argv)
{
	int i;

	if (argc < 3)
		die("usage: raw ADDRESS:PORT NAME...");
	for (i = 2; i < argc; i++)
		say(find(argv[i]), argv[1]);
	return 0;
}
