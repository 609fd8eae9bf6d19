// SPDX-License-Identifier: MIT
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/openat2.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "http.h"

/* One turn: so many bytes of a file at once, so many steps. */
#define TURN_BYTES (1 << 18)
#define TURN_STEPS 16

enum step { ON, WAIT, OVER };

struct client *client_new(const struct ktls_conn *conn, time_t now)
{
	struct client *c = malloc(sizeof(*c));

	if (!c)
		return NULL;
	c->conn = *conn;
	c->phase = REQUEST;
	c->since = now;
	c->file = -1;
	c->last = false;
	c->fresh = true;
	c->armed = c->wants = 0;
	c->in_len = 0;
	return c;
}

bool client_is_idle(const struct client *c)
{
	return c->phase == LINGER || (c->phase == REQUEST && !c->in_len);
}

void client_free(struct client *c)
{
	if (c->file >= 0)
		close(c->file);
	if (client_is_idle(c))
		ktls_close(&c->conn);
	else
		close(ktls_release(&c->conn));
	free(c);
}

static enum step wait_for(struct client *c, uint32_t events)
{
	c->wants = events;
	return WAIT;
}

/* Nobody else knows of it: ktlsd has let go of the connection. */
static void note_key_change(void)
{
	static bool said;

	if (!said)
		fprintf(stderr, "ktls-static: a client changed its key, and "
				"its connection was ended: to follow that takes "
				"rekey: true of the route, and Linux 6.14\n");
	said = true;
}

/* What comes of receiving that brought nothing, or the end. */
static enum step unread(struct client *c, ssize_t n)
{
	if (n == -EAGAIN)
		return wait_for(c, EPOLLIN);
	if (n == -EKEYEXPIRED)
		note_key_change();
	return n == -EINTR ? ON : OVER;
}

/* Appends to the head, which is large enough for all that is appended. */
__attribute__((format(printf, 2, 3))) static void add(struct client *c,
						      const char *format, ...)
{
	const size_t room = sizeof(c->head) - c->head_len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(c->head + c->head_len, room, format, args);
	va_end(args);
	if (n > 0)
		c->head_len += (size_t)n < room ? (size_t)n : room - 1;
}

static void begin_head(struct client *c, int status)
{
	char date[HTTP_DATE_SIZE];

	http_date(time(NULL), date);
	c->phase = RESPONSE;
	c->head_len = c->head_sent = 0;
	c->offset = c->end = 0;
	add(c, "HTTP/1.1 %d %s\r\nDate: %s\r\nX-Ktls-Mode: %s\r\n%s", status,
	    http_reason(status), date,
	    c->conn.mode == KTLS_KERNEL ? "ktls" : "relay",
	    c->last ? "Connection: close\r\n" : "");
}

/* A response that is all head; @field: one more header line, or "". */
static void respond_short(struct client *c, const struct http_request *r,
			  int status, const char *field)
{
	char text[80] = "";

	if (status != 304)
		snprintf(text, sizeof(text), "%d %s\n", status,
			 http_reason(status));
	begin_head(c, status);
	add(c, "%s%s", field, status == 405 ? "Allow: GET, HEAD\r\n" : "");
	if (status != 304)
		add(c, "Content-Type: text/plain\r\nContent-Length: %zu\r\n",
		    strlen(text));
	add(c, "\r\n%s", r->is_head ? "" : text);
}

static int open_below(int root, const char *path)
{
	const struct open_how how = {
		/* Not to wait for a FIFO's writer. */
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	return syscall(SYS_openat2, root, *path ? path : ".", &how,
		       sizeof(how));
}

static int status_of(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return 403;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN: /* something was renamed while it was looked up */
		return 503;
	case ENOSYS:
		return 500;
	default:
		return 404;
	}
}

static void respond_file(struct client *c, const struct http_request *r,
			 const char *path, const struct stat *st)
{
	enum http_range range = HTTP_WHOLE;
	off_t start = 0, end = st->st_size;
	char modified[HTTP_DATE_SIZE], field[80];

	http_date(st->st_mtime, modified);
	if (r->if_modified_since &&
	    http_unmodified(r->if_modified_since, st->st_mtime)) {
		snprintf(field, sizeof(field), "Last-Modified: %s\r\n",
			 modified);
		respond_short(c, r, 304, field);
		return;
	}
	if (r->range && !r->is_head &&
	    (!r->if_range || !strcmp(r->if_range, modified)))
		range = http_range(r->range, &start, &end);
	if (range == HTTP_UNSATISFIABLE) {
		snprintf(field, sizeof(field),
			 "Content-Range: bytes */%lld\r\n",
			 (long long)st->st_size);
		respond_short(c, r, 416, field);
		return;
	}
	begin_head(c, range == HTTP_PART ? 206 : 200);
	add(c,
	    "Content-Type: %s\r\nContent-Length: %lld\r\n"
	    "Last-Modified: %s\r\nAccept-Ranges: bytes\r\n",
	    http_content_type(path), (long long)(end - start), modified);
	if (range == HTTP_PART)
		add(c, "Content-Range: bytes %lld-%lld/%lld\r\n",
		    (long long)start, (long long)end - 1,
		    (long long)st->st_size);
	add(c, "\r\n");
	c->offset = start;
	c->end = r->is_head ? start : end;
}

/* A folder without its slash: links in its index would lead elsewhere. */
static void respond_moved(struct client *c, const struct http_request *r,
			  const char *target)
{
	char field[1024];
	const int len = strcspn(target, "?#");

	if (len > 1000 || *target != '/' || strpbrk(target, "\\")) {
		respond_short(c, r, 404, "");
		return;
	}
	/* One slash at the front: two would name another host. */
	target += strspn(target, "/") - 1;
	snprintf(field, sizeof(field), "Location: %.*s/\r\n",
		 (int)strcspn(target, "?#"), target);
	respond_short(c, r, 301, field);
}

/* Returns the index of the folder that @fd is, in its place. */
static int open_index(int fd)
{
	const int index = open_below(fd, "index.html");
	const int error = errno;

	close(fd);
	errno = error;
	return index;
}

static void respond(struct client *c, const struct http_request *r, int root)
{
	char original[HEADER_MAX + 1];
	struct stat st = {0};
	char *path;
	size_t len;

	strcpy(original, r->target);
	path = http_path(r->target);
	if (!path) {
		c->last = true;
		respond_short(c, r, 400, "");
		return;
	}
	len = strlen(path);
	c->file = open_below(root, path);
	if (c->file >= 0 && !fstat(c->file, &st) && S_ISDIR(st.st_mode)) {
		if (len && path[len - 1] != '/') {
			respond_moved(c, r, original);
			return;
		}
		c->file = open_index(c->file);
		path = "index.html";
	}
	if (c->file < 0 || fstat(c->file, &st))
		respond_short(c, r, status_of(errno), "");
	else if (!S_ISREG(st.st_mode))
		respond_short(c, r, 404, "");
	else
		respond_file(c, r, path, &st);
}

/* Takes @len bytes of header from the input, the rest moves up. */
static void take_request(struct client *c, size_t len, int root)
{
	const char next = c->in[len];
	struct http_request r;
	int status;

	c->in[len] = '\0';
	status = http_parse(&r, c->in, len);
	c->last |= r.is_last;
	c->fresh = false;
	if (status)
		respond_short(c, &r, status, "");
	else
		respond(c, &r, root);
	c->in[len] = next;
	c->in_len -= len;
	memmove(c->in, c->in + len, c->in_len);
}

static void refuse(struct client *c, int status)
{
	const struct http_request none = {.is_last = true};

	c->last = true;
	c->fresh = false;
	c->in_len = 0;
	respond_short(c, &none, status, "");
}

static enum step on_request(struct client *c, int root)
{
	const char *end;
	ssize_t n;

	/* RFC 9112 2.2: empty lines before a request are to be ignored. */
	while (c->in_len >= 2 && !memcmp(c->in, "\r\n", 2)) {
		c->in_len -= 2;
		memmove(c->in, c->in + 2, c->in_len);
	}
	end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
	if (end) {
		take_request(c, end + 4 - c->in, root);
		return ON;
	}
	if (c->in_len == HEADER_MAX) {
		refuse(c, 431);
		return ON;
	}
	n = ktls_recv(&c->conn, c->in + c->in_len, HEADER_MAX - c->in_len);
	if (n > 0) {
		c->in_len += n;
		return ON;
	}
	if (!n) {
		c->phase = GOODBYE;
		return ON;
	}
	return unread(c, n);
}

/* Sends some of what is left. Returns bytes or -errno; 0: the file shrank. */
static ssize_t send_some(struct client *c)
{
	const off_t left = c->end - c->offset;
	ssize_t n;

	if (c->head_sent == c->head_len)
		return ktls_sendfile(&c->conn, c->file, &c->offset,
				     left < TURN_BYTES ? left : TURN_BYTES);
	n = ktls_send(&c->conn, c->head + c->head_sent,
		      c->head_len - c->head_sent, 0);
	if (n > 0)
		c->head_sent += n;
	return n;
}

static enum step on_response(struct client *c, time_t now)
{
	ssize_t n;

	if (c->head_sent == c->head_len && c->offset == c->end) {
		if (c->file >= 0)
			close(c->file);
		c->file = -1;
		c->phase = c->last ? GOODBYE : REQUEST;
		return ON;
	}
	n = send_some(c);
	if (n == -EAGAIN)
		return wait_for(c, EPOLLOUT);
	if (n <= 0)
		return OVER;
	c->since = now;
	return ON;
}

static enum step on_goodbye(struct client *c)
{
	const int rc = ktls_shutdown(&c->conn);

	if (rc == -EAGAIN)
		return wait_for(c, EPOLLOUT);
	c->phase = LINGER;
	return rc || c->conn.got_close ? OVER : ON;
}

static enum step on_linger(struct client *c)
{
	const ssize_t n = ktls_recv(&c->conn, c->in, sizeof(c->in));

	return n > 0 ? ON : unread(c, n);
}

static enum step step(struct client *c, int root, time_t now)
{
	switch (c->phase) {
	case REQUEST:
		return on_request(c, root);
	case RESPONSE:
		return on_response(c, now);
	case GOODBYE:
		return on_goodbye(c);
	default:
		return on_linger(c);
	}
}

bool client_run(struct client *c, int root, time_t now)
{
	for (int i = 0; i < TURN_STEPS; i++) {
		switch (step(c, root, now)) {
		case ON:
			break;
		case WAIT:
			return true;
		case OVER:
			return false;
		}
	}
	/* Others are to have their turn; a writable socket is the next one's
	 * sign, whatever it is to be used for. */
	c->wants = EPOLLIN | EPOLLOUT;
	return true;
}
