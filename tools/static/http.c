// SPDX-License-Identifier: MIT
#include "http.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Cuts the next line off *@text; NULL when there is a stray CR or LF in it. */
static char *next_line(char **text)
{
	char *line = *text;
	char *end = strstr(line, "\r\n");

	if (!end)
		return NULL;
	*end = '\0';
	*text = end + 2;
	return strpbrk(line, "\r\n") ? NULL : line;
}

static int parse_request_line(struct http_request *r, char *line, bool *is_1_0)
{
	static const char *const others[] = {"POST",   "PUT",	"DELETE",
					     "PATCH",  "TRACE", "OPTIONS",
					     "CONNECT"};
	const char *method = strsep(&line, " ");

	r->target = strsep(&line, " ");
	if (!*method || !r->target || !line || strlen(line) != 8 ||
	    strncmp(line, "HTTP/", 5))
		return 400;
	if (strncmp(line, "HTTP/1.", 7) || !isdigit((unsigned char)line[7]))
		return 505;
	*is_1_0 = line[7] == '0';
	r->is_head = !strcmp(method, "HEAD");
	if (r->is_head || !strcmp(method, "GET"))
		return 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (!strcmp(method, others[i]))
			return 405;
	return 501;
}

static void trim_end(char *value)
{
	size_t len = strlen(value);

	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		value[--len] = '\0';
}

/* Returns 0 or a status. */
static int parse_field(struct http_request *r, char *line, int *hosts)
{
	const size_t name_len = strcspn(line, ": \t");
	char *value = line + name_len + 1;

	/* A blank before the colon would hide the field from others. */
	if (!name_len || line[name_len] != ':')
		return 400;
	line[name_len] = '\0';
	value += strspn(value, " \t");
	trim_end(value);
	if (!strcasecmp(line, "Host"))
		++*hosts;
	else if (!strcasecmp(line, "Range"))
		r->range = value;
	else if (!strcasecmp(line, "If-Range"))
		r->if_range = value;
	else if (!strcasecmp(line, "If-Modified-Since"))
		r->if_modified_since = value;
	/* A body is not read, so nothing after it can be either. */
	else if (!strcasecmp(line, "Transfer-Encoding"))
		r->is_last = true;
	else if (!strcasecmp(line, "Content-Length"))
		r->is_last |= strcmp(value, "0") != 0;
	else if (!strcasecmp(line, "Connection"))
		r->is_last |= strcasestr(value, "close") != NULL;
	return 0;
}

int http_parse(struct http_request *r, char *text, size_t len)
{
	int status, hosts = 0;
	bool is_1_0 = false;
	char *line;

	*r = (struct http_request){.is_last = false};
	if (memchr(text, '\0', len) || !(line = next_line(&text)))
		return 400;
	status = parse_request_line(r, line, &is_1_0);
	r->is_last = is_1_0 || status;
	while (!status && (line = next_line(&text)) && *line)
		status = parse_field(r, line, &hosts);
	if (!line || (!status && hosts != 1 && !(is_1_0 && !hosts)))
		status = 400;
	if (status)
		r->is_last = true;
	return status;
}

static int hex_digit(char c)
{
	if (!isxdigit((unsigned char)c))
		return -1;
	return isdigit((unsigned char)c) ? c - '0' :
					   tolower((unsigned char)c) - 'a' + 10;
}

/* Returns false for an escape that is none, or of a NUL. */
static bool unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (*text != '%') {
			*out++ = *text;
			continue;
		}
		if (hex_digit(text[1]) < 0 || hex_digit(text[2]) < 0)
			return false;
		*out = hex_digit(text[1]) << 4 | hex_digit(text[2]);
		if (!*out++)
			return false;
		text += 2;
	}
	*out = '\0';
	return true;
}

char *http_path(char *target)
{
	if (!strncasecmp(target, "http://", 7))
		target += 7 + strcspn(target + 7, "/?");
	else if (!strncasecmp(target, "https://", 8))
		target += 8 + strcspn(target + 8, "/?");
	else if (*target != '/')
		return NULL;
	target[strcspn(target, "?#")] = '\0';
	if (!unescape(target))
		return NULL;
	return target + strspn(target, "/");
}

/* Reads digits off *@text. Returns -1 when there are none. */
static long long number(const char **text)
{
	long long n;
	char *end;

	if (!isdigit((unsigned char)**text))
		return -1;
	n = strtoll(*text, &end, 10);
	*text = end;
	return n;
}

enum http_range http_range(const char *field, off_t *start, off_t *end)
{
	const off_t size = *end;
	long long first, last;

	if (strncasecmp(field, "bytes=", 6))
		return HTTP_WHOLE;
	field += 6;
	first = number(&field);
	if (*field++ != '-')
		return HTTP_WHOLE;
	last = number(&field);
	if (*field || (first < 0 && last < 0) || (last >= 0 && last < first))
		return HTTP_WHOLE;
	if (first < 0) { /* the last so many bytes */
		first = last < size ? size - last : 0;
		last = -1;
	}
	if (first >= size)
		return HTTP_UNSATISFIABLE;
	*start = first;
	*end = last < 0 || last >= size ? size : last + 1;
	return HTTP_PART;
}

bool http_unmodified(const char *field, time_t mtime)
{
	struct tm tm = {0};
	const char *end = strptime(field, "%a, %d %b %Y %H:%M:%S GMT", &tm);

	return end && !*end && mtime <= timegm(&tm);
}

void http_date(time_t t, char out[static HTTP_DATE_SIZE])
{
	struct tm tm;

	strftime(out, HTTP_DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT",
		 gmtime_r(&t, &tm));
}

const char *http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{206, "Partial Content"},
		{301, "Moved Permanently"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{416, "Range Not Satisfiable"},
		{431, "Request Header Fields Too Large"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Internal Server Error";
}

const char *http_content_type(const char *path)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {
		{".html", "text/html; charset=utf-8"},
		{".htm", "text/html; charset=utf-8"},
		{".css", "text/css; charset=utf-8"},
		{".js", "text/javascript; charset=utf-8"},
		{".json", "application/json"},
		{".txt", "text/plain; charset=utf-8"},
		{".xml", "application/xml"},
		{".pdf", "application/pdf"},
		{".png", "image/png"},
		{".jpg", "image/jpeg"},
		{".jpeg", "image/jpeg"},
		{".gif", "image/gif"},
		{".svg", "image/svg+xml"},
		{".webp", "image/webp"},
		{".ico", "image/x-icon"},
		{".woff2", "font/woff2"},
		{".wasm", "application/wasm"},
		{".mp4", "video/mp4"},
	};
	const char *suffix = strrchr(path, '.');

	for (size_t i = 0; suffix && i < sizeof(types) / sizeof(*types); i++)
		if (!strcasecmp(suffix, types[i].suffix))
			return types[i].type;
	return "application/octet-stream";
}
