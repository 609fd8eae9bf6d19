/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 (RFC 9110, RFC 9112) on strings, as a file server needs it. */
#ifndef STATIC_HTTP_H
#define STATIC_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#define HTTP_DATE_SIZE 40

/* A GET or HEAD request; the strings point into the header, or are NULL. */
struct http_request {
	bool is_head;
	bool is_last;	/* the connection ends after the response */
	char *target;
	const char *range, *if_range, *if_modified_since;
};

/*
 * http_parse - take a header apart, in place
 * @text: request line, fields and the empty line that ends them
 * @len:  its bytes; @text[@len] is '\0'
 * Returns 0, or the status to refuse it with.
 */
int http_parse(struct http_request *r, char *text, size_t len);

/*
 * http_path - turn a target (RFC 9112 3.2) into a relative path, in place
 * Without query, leading slashes and percent-encoding; "" for the root itself.
 * Returns NULL for what is no path.
 */
char *http_path(char *target);

enum http_range { HTTP_WHOLE, HTTP_PART, HTTP_UNSATISFIABLE };

/*
 * http_range - read a Range field (RFC 9110 14.2)
 * @end: in: the file's size; out with HTTP_PART: the first byte not to send
 * One that cannot be read, or a set of several, is as none: HTTP_WHOLE.
 */
enum http_range http_range(const char *field, off_t *start, off_t *end);

/* Whether a file of @mtime is unchanged for an If-Modified-Since field. */
bool http_unmodified(const char *field, time_t mtime);

void http_date(time_t t, char out[static HTTP_DATE_SIZE]);
const char *http_reason(int status);
const char *http_content_type(const char *path);

#endif
