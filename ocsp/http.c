/* SPDX-License-Identifier: MIT */
#include "ocsp/http.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/evp.h>

/* RFC 9111 1.2.2: what a number becomes that is too great */
#define SECONDS_MAX (INT64_C(1) << 31)

#define BASE64_MAX (OCSP_GET_MAX / 3 * 3)

static const char *escape(char c)
{
	switch (c) {
	case '+':
		return "%2B";
	case '/':
		return "%2F";
	case '=':
		return "%3D";
	default:
		return NULL;
	}
}

static bool put(char **at, const char *end, const char *text, size_t len)
{
	if ((size_t)(end - *at) < len)
		return false;
	memcpy(*at, text, len);
	*at += len;
	return true;
}

static bool put_base64(char **at, const char *end, struct ocsp_bytes in)
{
	unsigned char text[BASE64_MAX / 3 * 4 + 1];
	const char *p = (const char *)text;
	const char *code;

	if (in.len > BASE64_MAX)
		return false;
	EVP_EncodeBlock(text, in.data, (int)in.len);
	for (; *p; p++) {
		code = escape(*p);
		if (!put(at, end, code ? code : p, code ? 3 : 1))
			return false;
	}
	return true;
}

int ocsp_get_url(const char *base, struct ocsp_bytes request,
		 char url[OCSP_GET_MAX + 1])
{
	const char *end = url + OCSP_GET_MAX;
	size_t len = strcspn(base, "?#");
	char *at = url;

	if (base[len])
		return -E2BIG;
	while (len && base[len - 1] == '/')
		len--;
	if (!put(&at, end, base, len) || !put(&at, end, "/", 1) ||
	    !put_base64(&at, end, request))
		return -E2BIG;
	*at = '\0';
	return 0;
}

struct text {
	const char *p;
	size_t len;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct text trim(struct text t)
{
	while (t.len && is_space(t.p[0])) {
		t.p++;
		t.len--;
	}
	while (t.len && is_space(t.p[t.len - 1]))
		t.len--;
	return t;
}

static bool is(struct text t, const char *word)
{
	return t.len == strlen(word) && strncasecmp(t.p, word, t.len) == 0;
}

/* All before the first @stop outside quotes; @t is moved behind it. */
static struct text take_until(struct text *t, char stop)
{
	struct text part = { t->p, 0 };
	bool quoted = false;
	size_t i;

	for (i = 0; i < t->len; i++) {
		if (t->p[i] == stop && !quoted)
			break;
		if (t->p[i] == '"')
			quoted = !quoted;
		else if (t->p[i] == '\\' && quoted && i + 1 < t->len)
			i++;
	}
	part.len = i;
	i += i < t->len;
	t->p += i;
	t->len -= i;
	return trim(part);
}

/* delta-seconds (RFC 9111 1.2.2), or -1 */
static int64_t seconds(struct text t)
{
	int64_t n = 0;
	size_t i;

	for (i = 0; i < t.len; i++) {
		if (t.p[i] < '0' || t.p[i] > '9')
			return -1;
		n = n * 10 + (t.p[i] - '0');
		if (n > SECONDS_MAX)
			n = SECONDS_MAX;
	}
	return t.len ? n : -1;
}

/* HTTP-date in its three forms (RFC 9110 5.6.7) */
static bool read_date(struct text t, int64_t *date, bool *two_digits)
{
	static const char *const forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT",
		"%a %b %d %H:%M:%S %Y",
		"%a, %d-%b-%y %H:%M:%S GMT",
	};
	struct tm tm = { 0 };
	char copy[48];
	size_t i;

	if (t.len >= sizeof(copy))
		return false;
	memcpy(copy, t.p, t.len);
	copy[t.len] = '\0';
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (strptime(copy, forms[i], &tm) != copy + t.len)
			continue;
		*date = timegm(&tm);
		*two_digits = i == 2;
		return true;
	}
	return false;
}

#define HALF_CENTURY (INT64_C(50) * 365 * 86400)

/* Seconds until an HTTP-date, 0 when it is past; -1 when it is none. */
static int64_t seconds_until(struct text t, int64_t now)
{
	int64_t date, left;
	bool two_digits;

	if (!read_date(t, &date, &two_digits))
		return -1;
	if (date <= now)
		return 0;
	if (__builtin_sub_overflow(date, now, &left))
		return INT64_MAX;
	/* Such a year belongs to the last century then. */
	return two_digits && left > HALF_CENTURY ? 0 : left;
}

/* Contradictions and what cannot be read count as the least (4.2.1). */
static void limit_age(struct ocsp_http *http, int64_t age)
{
	if (age < 0)
		age = 0;
	if (http->max_age < 0 || age < http->max_age)
		http->max_age = age;
}

static struct text unquote(struct text t)
{
	if (t.len >= 2 && t.p[0] == '"' && t.p[t.len - 1] == '"') {
		t.p++;
		t.len -= 2;
	}
	return t;
}

static void take_cache_control(struct ocsp_http *http, struct text value)
{
	struct text directive, name;

	while (value.len) {
		directive = take_until(&value, ',');
		name = take_until(&directive, '=');
		if (is(name, "max-age"))
			limit_age(http, seconds(unquote(trim(directive))));
		else if (is(name, "no-store") || is(name, "no-cache"))
			limit_age(http, 0);
	}
}

static int64_t freshness(const struct ocsp_http *http)
{
	if (http->max_age < 0)
		return http->expires;
	if (http->age >= http->max_age)
		return 0;
	return http->max_age - (http->age > 0 ? http->age : 0);
}

static void take_field(struct ocsp_http *http, struct text name,
		       struct text value, int64_t now)
{
	int64_t n;

	if (is(name, "Content-Type")) {
		http->is_ocsp = is(take_until(&value, ';'),
				   "application/ocsp-response");
	} else if (is(name, "Cache-Control")) {
		take_cache_control(http, value);
	} else if (is(name, "Age")) {
		n = seconds(take_until(&value, ','));
		if (http->age < 0)
			http->age = n;
	} else if (is(name, "Expires")) {
		n = seconds_until(value, now);
		http->expires = n < 0 ? 0 : n;
	} else if (is(name, "Retry-After")) {
		n = seconds(value);
		http->retry_after = n < 0 ? seconds_until(value, now) : n;
	}
	http->fresh = freshness(http);
}

/* "HTTP/1.1 200 OK", "HTTP/2 200" */
static void take_status(struct ocsp_http *http, struct text line)
{
	int64_t status;

	*http = (struct ocsp_http){
		.fresh = -1,
		.retry_after = -1,
		.max_age = -1,
		.age = -1,
		.expires = -1,
	};
	take_until(&line, ' ');
	status = seconds(take_until(&line, ' '));
	if (status >= 100 && status <= 999)
		http->status = (unsigned int)status;
}

void ocsp_http_line(struct ocsp_http *http, const char *line, size_t len,
		    int64_t now)
{
	struct text value = { line, len }, name = { line, 0 };
	const char *colon;

	if (value.len && line[value.len - 1] == '\n')
		value.len--;
	if (value.len && line[value.len - 1] == '\r')
		value.len--;
	if (value.len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		take_status(http, value);
		return;
	}
	if (!value.len)
		http->ended = true;
	if (!http->status || http->ended)
		return;
	/* A folded line is none of these names, having a space in front. */
	colon = memchr(line, ':', value.len);
	if (!colon)
		return;
	name.len = (size_t)(colon - line);
	value.p += name.len + 1;
	value.len -= name.len + 1;
	take_field(http, name, trim(value), now);
}
