/* SPDX-License-Identifier: MIT */
/* What a transfer came to, in a word and in a sentence. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fetch/internal.h"
#include "fetch/text.h"
#include "ocsp/trim.h"

static const char *const words[] = {
	[FETCH_ANSWER] = "answer",
	[FETCH_NO_ADDRESS] = "no-address",
	[FETCH_NO_CONNECTION] = "no-connection",
	[FETCH_TIMEOUT] = "timeout",
	[FETCH_TLS] = "tls",
	[FETCH_PROXY] = "proxy",
	[FETCH_BROKEN] = "broken",
	[FETCH_REDIRECTS] = "redirects",
	[FETCH_STATUS] = "status",
	[FETCH_TYPE] = "type",
	[FETCH_TOO_LONG] = "too-long",
	[FETCH_INTERNAL] = "internal",
};
_Static_assert(sizeof(words) / sizeof(words[0]) == FETCH_RESULTS,
	       "a word for each result");

const char *fetch_result_word(enum fetch_result result)
{
	return words[result];
}

static void read_head(struct fetch_transfer *t, int64_t now)
{
	const char *p = (const char *)t->head.data, *end = p + t->head.len;
	struct ocsp_http *http = &t->outcome.http;
	const char *lf;

	http->fresh = http->retry_after = -1;
	for (; p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (!lf)
			break;
		ocsp_http_line(http, p, (size_t)(lf + 1 - p), now);
	}
}

static void read_address(struct fetch_transfer *t)
{
	char *ip = NULL, *text = t->outcome.address;
	CURL *easy = t->fetch->easy;
	long port = 0;

	if (curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &ip) || !ip || !*ip ||
	    curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port))
		return;
	snprintf(text, sizeof(t->outcome.address),
		 strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld", ip, port);
	/* It may still be that of a hop before. */
	if (t->tried[0] && !strstr(t->tried, text))
		text[0] = '\0';
}

static bool is_redirect(unsigned int status)
{
	return status >= 300 && status < 400;
}

static bool proxy_refused(const struct fetch_transfer *t)
{
	long status = 0;

	if (!t->fetch->options->proxy)
		return false;
	curl_easy_getinfo(t->fetch->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return t->outcome.http.status == 407 || (status && status / 100 != 2);
}

/* The transfer ended early; nothing in its head explains it. */
static enum fetch_result result_of_code(const struct fetch_transfer *t,
					CURLcode code)
{
	bool proxied = t->fetch->options->proxy;

	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return FETCH_NO_ADDRESS;
	case CURLE_COULDNT_CONNECT:
		return proxied ? FETCH_PROXY : FETCH_NO_CONNECTION;
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_PROXY:
		return FETCH_PROXY;
	case CURLE_OPERATION_TIMEDOUT:
		return FETCH_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_ISSUER_ERROR:
		return FETCH_TLS;
	case CURLE_TOO_MANY_REDIRECTS:
		return FETCH_REDIRECTS;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, too */
	case CURLE_URL_MALFORMAT:
	case CURLE_LOGIN_DENIED:
		return is_redirect(t->outcome.http.status) ? FETCH_REDIRECTS :
							     FETCH_BROKEN;
	case CURLE_OUT_OF_MEMORY: /* so it says of a line of 100 KiB */
		return t->outcome.address[0] && !t->outcome.http.ended ?
			       FETCH_TOO_LONG :
			       FETCH_INTERNAL;
#if LIBCURL_VERSION_NUM >= 0x080600
	case CURLE_TOO_LARGE:
		return FETCH_TOO_LONG;
#endif
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return FETCH_BROKEN;
	default:
		return FETCH_INTERNAL;
	}
}

/*
 * A head that came whole decides, whatever became of the body; unless it was
 * that of a redirect, and the next hop failed.
 */
static enum fetch_result find_result(const struct fetch_transfer *t,
				     CURLcode code)
{
	const struct ocsp_http *http = &t->outcome.http;

	if (proxy_refused(t))
		return FETCH_PROXY;
	if (http->ended && http->status >= 200 &&
	    !(code && is_redirect(http->status))) {
		if (http->status != 200)
			return FETCH_STATUS;
		if (!http->is_ocsp)
			return FETCH_TYPE;
	}
	if (t->too_long)
		return FETCH_TOO_LONG;
	if (code)
		return result_of_code(t, code);
	return http->ended ? FETCH_ANSWER : FETCH_BROKEN;
}

static void check(struct fetch_transfer *t, int64_t now)
{
	const struct fetch *f = t->fetch;
	struct fetch_outcome *o = &t->outcome;

	o->der = (struct ocsp_bytes){t->body.data, t->body.len};
	o->verdict = ocsp_check(o->der, f->leaf, f->issuer, &f->options->limits,
				now, &o->times);
	if (o->verdict == OCSP_OK || o->verdict == OCSP_REVOKED)
		o->der.len = ocsp_trim(t->body.data, t->body.len, f->issuer,
				       now);
}

/* libcurl's words; they may quote the peer. */
static const char *reason(const struct fetch_transfer *t, CURLcode code,
			  char out[static 200])
{
	const char *words_of = t->reason[0] ? t->reason :
					      curl_easy_strerror(code);

	return fetch_escape(words_of, strlen(words_of), out, 200);
}

/* With whom we had to do. */
static const char *whom(const struct fetch_transfer *t)
{
	if (t->outcome.address[0])
		return t->outcome.address;
	return t->tried[0] ? t->tried : "the responder";
}

static const char *connect_reason(const struct fetch_transfer *t, CURLcode code,
				  char out[static 200])
{
	long error = 0;

	curl_easy_getinfo(t->fetch->easy, CURLINFO_OS_ERRNO, &error);
	return error ? strerror((int)error) : reason(t, code, out);
}

static void say_proxy(struct fetch_transfer *t, CURLcode code, char *s,
		      size_t len)
{
	char why[200];
	long status = t->outcome.http.status;

	if (!status)
		curl_easy_getinfo(t->fetch->easy, CURLINFO_HTTP_CONNECTCODE,
				  &status);
	fetch_append(s, len, "the proxy%s%s ", t->outcome.address[0] ? " " : "",
		     t->outcome.address);
	if (status)
		fetch_append(s, len, "answered with HTTP status %ld", status);
	else if (code == CURLE_COULDNT_CONNECT)
		fetch_append(s, len, "cannot be reached: %s: %s", t->tried,
			     connect_reason(t, code, why));
	else
		fetch_append(s, len, "failed: %s", reason(t, code, why));
}

static void say_status(const struct fetch_transfer *t, char *s, size_t len)
{
	const struct ocsp_http *http = &t->outcome.http;

	fetch_append(s, len, "%s answered %s with HTTP status %u", whom(t),
		     t->method, http->status);
	if (http->retry_after >= 0)
		fetch_append(s, len, ", to be tried again in %" PRId64 " s",
			     http->retry_after);
}

static void say_type(const struct fetch_transfer *t, char *s, size_t len)
{
	const char *type = NULL;
	char text[80];

	curl_easy_getinfo(t->fetch->easy, CURLINFO_CONTENT_TYPE, &type);
	if (!type)
		fetch_append(s, len, "%s answered %s without a media type",
			     whom(t), t->method);
	else
		fetch_append(s, len,
			     "%s answered %s with the media type %s, not "
			     "application/ocsp-response",
			     whom(t), t->method,
			     fetch_escape(type, strlen(type), text,
					  sizeof(text)));
}

static void say(struct fetch_transfer *t, CURLcode code, char *s, size_t len)
{
	char why[200];

	switch (t->outcome.result) {
	case FETCH_ANSWER:
		if (t->outcome.verdict)
			fetch_append(s, len,
				     "%s answered %s with a response that is "
				     "not to be stapled: %s",
				     whom(t), t->method,
				     ocsp_reason(t->outcome.verdict));
		break;
	case FETCH_NO_ADDRESS:
		fetch_append(s, len, "the responder has no address: %s",
			     reason(t, code, why));
		break;
	case FETCH_NO_CONNECTION:
		fetch_append(s, len, "cannot connect to %s: %s", whom(t),
			     connect_reason(t, code, why));
		break;
	case FETCH_TIMEOUT:
		fetch_append(s, len,
			     "no whole answer to %s from %s in time: %s",
			     t->method, whom(t), reason(t, code, why));
		break;
	case FETCH_TLS:
		fetch_append(s, len, "TLS with %s failed: %s", whom(t),
			     reason(t, code, why));
		break;
	case FETCH_PROXY:
		say_proxy(t, code, s, len);
		break;
	case FETCH_BROKEN:
		fetch_append(s, len, "the answer to %s from %s broke off: %s",
			     t->method, whom(t),
			     code ? reason(t, code, why) :
				    "no end of its head");
		break;
	case FETCH_REDIRECTS:
		fetch_append(s, len,
			     "%s redirects %s where it is not followed: %s",
			     whom(t), t->method, reason(t, code, why));
		break;
	case FETCH_STATUS:
		say_status(t, s, len);
		break;
	case FETCH_TYPE:
		say_type(t, s, len);
		break;
	case FETCH_TOO_LONG:
		fetch_append(s, len, "%s answered %s with more than 64 KiB",
			     whom(t), t->method);
		break;
	default:
		fetch_append(s, len, "libcurl failed: %s",
			     reason(t, code, why));
	}
}

void fetch_judge(struct fetch_transfer *t, CURLcode code, int64_t now)
{
	struct fetch_outcome *o = &t->outcome;

	read_head(t, now);
	read_address(t);
	o->result = find_result(t, code);
	o->verdict = OCSP_NOT_DER;
	if (o->result == FETCH_ANSWER)
		check(t, now);
	say(t, code, o->error, sizeof(o->error));
}
