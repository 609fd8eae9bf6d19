/* SPDX-License-Identifier: MIT */
/*
 * OCSP over HTTP (RFC 6960 A, RFC 9919): which URL to ask, and what the head of
 * the answer means. Text in, decisions out; the transfer is somebody else's.
 */
#ifndef OCSP_HTTP_H
#define OCSP_HTTP_H

#include "ocsp/cert.h"

#define OCSP_GET_MAX 255	/* bytes of a URL that caches take */

/*
 * ocsp_get_url - the URL that asks by GET
 * @base:    the responder's, http or https
 * @request: DER; goes in as base64 with '+', '/' and '=' escaped
 * One '/' between @base and the request, however many @base ends with.
 * Returns 0, or -E2BIG when the URL would have more than OCSP_GET_MAX bytes, or
 * @base has a query or fragment: ask by POST then.
 */
int ocsp_get_url(const char *base, struct ocsp_bytes request,
		 char url[OCSP_GET_MAX + 1]);

/*
 * struct ocsp_http - what the head of an answer says; zeroed before the first
 * line. Times are seconds from now, and -1 while nothing was said; they have a
 * meaning when @status is not 0, which it is without a status line.
 * @is_ocsp:     Content-Type is application/ocsp-response, parameters or not
 * @fresh:       by Cache-Control max-age less Age, else Expires; 0 for
 *               no-store, no-cache, dates in the past and what cannot be read
 * @retry_after: seconds or date (RFC 9110 10.2.3)
 * @ended:       by an empty line; trailers behind it say nothing
 */
struct ocsp_http {
	unsigned int status;
	bool is_ocsp;
	int64_t fresh, retry_after;
	int64_t max_age, age, expires;	/* as far as lines were seen */
	bool ended;
};

/*
 * ocsp_http_line - take one line of the head, status line first
 * A new status line (after a redirect, or 100 Continue) starts over; the empty
 * line ends the head. @line needs no NUL, and may end with CR LF. @now: seconds
 * since the epoch. Whatever is not understood is passed over.
 */
void ocsp_http_line(struct ocsp_http *http, const char *line, size_t len,
		    int64_t now);

#endif
