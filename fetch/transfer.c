/* SPDX-License-Identifier: MIT */
/* libcurl's options and callbacks. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "fetch/internal.h"
#include "fetch/text.h"

#define ROOM_MIN 2048

static int add(struct fetch_buffer *b, const void *data, size_t len, size_t max)
{
	size_t room = b->room ? b->room : ROOM_MIN;
	uint8_t *p;

	if (len > max - b->len)
		return -EMSGSIZE;
	while (room < b->len + len)
		room *= 2;
	if (room != b->room) {
		p = realloc(b->data, room);
		if (!p)
			return -ENOMEM;
		b->data = p;
		b->room = room;
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return 0;
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	int rc = add(&f->now->body, data, size * n, OCSP_MAX_LEN);

	f->now->too_long |= rc == -EMSGSIZE;
	return rc ? 0 : size * n;
}

/* What somebody who looks for a fault wants to see of a head. */
static bool matters(const char *line, size_t len)
{
	static const char *const names[] = {
		"HTTP/", "Age:", "Cache-Control:", "Content-Encoding:",
		"Content-Length:", "Content-Type:", "Date:", "Expires:",
		"Last-Modified:", "Location:", "Retry-After:", "Server:",
		"Transfer-Encoding:", "Via:", "X-Cache:",
	};
	size_t i, n;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		n = strlen(names[i]);
		if (len >= n && strncasecmp(line, names[i], n) == 0)
			return true;
	}
	return false;
}

static size_t take_head(char *data, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	size_t len = size * n, shown = len;
	char text[1000];
	int rc = add(&f->now->head, data, len, FETCH_HEAD_MAX);

	f->now->too_long |= rc == -EMSGSIZE;
	if (rc)
		return 0;
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		f->now->tried[0] = '\0';
	while (shown && strchr("\r\n", data[shown - 1]))
		shown--;
	if (f->options->debug && matters(data, shown))
		fetch_debug(f, "answer: %s",
			    fetch_escape(data, shown, text, sizeof(text)));
	return len;
}

static void name_address(const struct sockaddr *addr, char *text, size_t len)
{
	const struct sockaddr_in6 *in6 = (const void *)addr;
	const struct sockaddr_in *in = (const void *)addr;
	char ip[INET6_ADDRSTRLEN] = "";

	text[0] = '\0';
	if (addr->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
		fetch_append(text, len, "[%s]:%d", ip, ntohs(in6->sin6_port));
	} else if (addr->sa_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		fetch_append(text, len, "%s:%d", ip, ntohs(in->sin_port));
	}
}

/* As libcurl would, but no child of the caller's inherits it. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose,
				 struct curl_sockaddr *addr)
{
	struct fetch *f = arg;
	struct fetch_transfer *t = f->now;
	char text[64];

	(void)purpose;
	name_address(&addr->addr, text, sizeof(text));
	fetch_append(t->tried, sizeof(t->tried), "%s%s",
		     t->tried[0] ? ", " : "", text);
	fetch_debug(f, "trying %s", text);
	return socket(addr->family, addr->socktype | SOCK_CLOEXEC,
		      addr->protocol);
}

/* Of libcurl's talk, what is about addresses and TLS. */
static int take_talk(CURL *easy, curl_infotype type, char *data, size_t len,
		     void *arg)
{
	static const char *const starts[] = {
		"connect to ", "SSL connection using", " subject: ",
		" issuer: ", "  subject: ", "  issuer: ", "SSL certificate",
		"CONNECT tunnel", "Closing connection because",
	};
	char text[400];
	size_t i;

	(void)easy;
	while (len && strchr("\r\n", data[len - 1]))
		len--;
	for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (type == CURLINFO_TEXT && len >= strlen(starts[i]) &&
		    memcmp(data, starts[i], strlen(starts[i])) == 0)
			fetch_debug(arg, "libcurl: %s",
				    fetch_escape(data, len, text,
						 sizeof(text)));
	return 0;
}

static int set_fields(struct fetch *f)
{
	static const char *const lines[] = {
		"Content-Type: application/ocsp-request",
		"Accept: application/ocsp-response",
		"Expect:", /* not sent: some responders wait for the body */
	};
	struct curl_slist *all;
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		all = curl_slist_append(f->fields, lines[i]);
		if (!all)
			return -ENOMEM;
		f->fields = all;
	}
	return 0;
}

/* Empty strings keep the environment's http_proxy and no_proxy out. */
static void set_ways(CURL *easy, const struct fetch_options *o)
{
	curl_easy_setopt(easy, CURLOPT_PROXY, o->proxy ? o->proxy : "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (o->ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, o->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	/* Redirects are held to it, too. */
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)FETCH_REDIRECTS_MAX);
	/* 303 alone says that the answer is there for GET. */
	curl_easy_setopt(easy, CURLOPT_POSTREDIR,
			 (long)(CURL_REDIR_POST_301 | CURL_REDIR_POST_302));
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 (long)CURL_HTTP_VERSION_1_1);
}

static void set_limits(CURL *easy, const struct fetch_options *o)
{
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* Else the end of a transfer waits for a look-up that hangs. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

static void set_callbacks(struct fetch *f)
{
	CURL *easy = f->easy;

	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, f);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, f);
	if (!f->options->debug)
		return;
	curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, take_talk);
	curl_easy_setopt(easy, CURLOPT_DEBUGDATA, f);
}

int fetch_transfer_init(struct fetch *f)
{
	f->easy = curl_easy_init();
	if (!f->easy || set_fields(f))
		return -ENOMEM;
	set_ways(f->easy, f->options);
	set_limits(f->easy, f->options);
	set_callbacks(f);
	curl_easy_setopt(f->easy, CURLOPT_USERAGENT, "ktlsd");
	return 0;
}

void fetch_transfer_start(struct fetch *f, struct fetch_transfer *t)
{
	CURL *easy = f->easy;

	f->now = t;
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->reason);
	if (t == &f->get) {
		curl_easy_setopt(easy, CURLOPT_URL, f->get_url);
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, f->fields->next);
		fetch_debug(f, "GET %s", f->get_url);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_URL, f->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, f->fields);
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, f->request);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)f->request_len);
	fetch_debug(f, "POST %s (%zu bytes)", f->url, f->request_len);
}

void fetch_transfer_fini(struct fetch_transfer *t)
{
	free(t->head.data);
	free(t->body.data);
}
