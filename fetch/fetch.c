/* SPDX-License-Identifier: MIT */
/* The life of an attempt: GET, then POST where that may help. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/internal.h"

void fetch_debug(const struct fetch *fetch, const char *format, ...)
{
	char text[1400];
	va_list ap;

	if (!fetch->options->debug)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fetch->options->debug(fetch->options->debug_arg, text);
}

/* CURLOPT_URL would take names of files, and guess what is no URL at all. */
static bool is_http(const char *url)
{
	CURLU *parts = curl_url();
	char *scheme = NULL;
	bool good;

	good = parts &&
	       !curl_url_set(parts, CURLUPART_URL, url,
			     CURLU_DISALLOW_USER) &&
	       !curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) &&
	       (!strcmp(scheme, "http") || !strcmp(scheme, "https"));
	curl_free(scheme);
	curl_url_cleanup(parts);
	return good;
}

static int prepare(struct fetch *f, char *error, size_t error_len)
{
	struct ocsp_bytes request;
	int rc;

	if (!is_http(f->url)) {
		snprintf(error, error_len,
			 "the responder's URL is not an http or https one, or "
			 "has a user name in it");
		return -EINVAL;
	}
	rc = ocsp_request(f->leaf, f->issuer, f->options->hash, f->request,
			  &f->request_len);
	if (rc == -EINVAL)
		snprintf(error, error_len, "the certificate or its issuer's "
					   "cannot be parsed");
	else if (rc)
		snprintf(error, error_len, "no request can be made: %s",
			 strerror(-rc));
	if (rc)
		return rc;
	request = (struct ocsp_bytes){ f->request, f->request_len };
	if (ocsp_get_url(f->url, request, f->get_url))
		f->get_url[0] = '\0';
	rc = fetch_transfer_init(f);
	if (rc)
		snprintf(error, error_len, "out of memory");
	return rc;
}

struct fetch *fetch_new(const struct fetch_options *options,
			struct ocsp_bytes leaf, struct ocsp_bytes issuer,
			const char *url, char *error, size_t error_len)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (!f) {
		snprintf(error, error_len, "out of memory");
		return NULL;
	}
	f->options = options;
	f->leaf = leaf;
	f->issuer = issuer;
	f->url = url;
	f->get = (struct fetch_transfer){ .fetch = f, .method = "GET" };
	f->post = (struct fetch_transfer){ .fetch = f, .method = "POST" };
	if (prepare(f, error, error_len)) {
		fetch_free(f);
		return NULL;
	}
	return f;
}

void fetch_free(struct fetch *fetch)
{
	if (!fetch)
		return;
	curl_easy_cleanup(fetch->easy);
	curl_slist_free_all(fetch->fields);
	fetch_transfer_fini(&fetch->get);
	fetch_transfer_fini(&fetch->post);
	free(fetch);
}

/*
 * May POST do better? What came by GET may be a cache's, and a server may be
 * confused by so long a URL, to the point of silence.
 */
static bool another_way_may_help(const struct fetch *f)
{
	const struct fetch_outcome *o = &f->get.outcome;

	if (o->http.retry_after >= 0)
		return false;
	switch (o->result) {
	case FETCH_ANSWER:
		if (o->verdict == OCSP_OK || o->verdict == OCSP_REVOKED)
			return f->refused;
		return o->verdict != OCSP_TRY_LATER &&
		       o->verdict > OCSP_NOT_ISSUER;
	case FETCH_TIMEOUT:
		return o->address[0];
	case FETCH_STATUS:
		return o->http.status != 429;
	case FETCH_BROKEN:
	case FETCH_REDIRECTS:
	case FETCH_TYPE:
	case FETCH_TOO_LONG:
		return true;
	default:
		return false;
	}
}

CURL *fetch_next(struct fetch *f)
{
	if (!f->now && f->get_url[0])
		fetch_transfer_start(f, &f->get);
	else if (!f->now || (f->now == &f->get && another_way_may_help(f)))
		fetch_transfer_start(f, &f->post);
	else
		return NULL;
	return f->easy;
}

void fetch_refuse(struct fetch *f)
{
	f->refused = true;
}

/*
 * A responder that knows only GET, and gave a response that is no good: that
 * is what has to be said, not that it refuses POST.
 */
static bool get_says_more(const struct fetch *f)
{
	return f->now == &f->post && f->get_url[0] &&
	       f->get.outcome.result == FETCH_ANSWER &&
	       f->post.outcome.result != FETCH_ANSWER;
}

const struct fetch_outcome *fetch_ended(struct fetch *f, CURLcode code,
					int64_t now)
{
	fetch_judge(f->now, code, now);
	if (!get_says_more(f))
		return &f->now->outcome;
	f->get.outcome.http.retry_after = f->post.outcome.http.retry_after;
	return &f->get.outcome;
}
