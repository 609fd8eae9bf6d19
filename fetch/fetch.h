/* SPDX-License-Identifier: MIT */
/*
 * One attempt to get a certificate's OCSP response: GET, then POST, each a
 * transfer of libcurl that the caller drives, with curl_easy_perform() or on a
 * loop of its own. Nothing waits here, and there is no clock. (libcurl looks
 * names up in a thread, which may outlive its transfer.)
 */
#ifndef FETCH_H
#define FETCH_H

#include <curl/curl.h>

#include "ocsp/http.h"

/*
 * struct fetch_options - the same for many fetches; borrowed while they live
 * @timeout_ms: of each transfer, name look-up and redirects included
 * @proxy:      URL of an HTTP proxy; NULL: none, whatever the environment says
 * @ca_file:    PEM of CAs for https responders; NULL: the system's
 * @debug:      told of each step in words, for people; NULL: nobody
 */
struct fetch_options {
	unsigned int timeout_ms;
	const char *proxy;
	const char *ca_file;
	enum ocsp_hash hash;
	struct ocsp_limits limits;
	void (*debug)(void *arg, const char *text);
	void *debug_arg;
};

enum fetch_result {
	FETCH_ANSWER,		/* a response: see the verdict */
	FETCH_NO_ADDRESS,	/* the name cannot be resolved */
	FETCH_NO_CONNECTION,	/* nor any of its addresses be reached */
	FETCH_TIMEOUT,
	FETCH_TLS,		/* an https responder that cannot be trusted */
	FETCH_PROXY,		/* the proxy failed or refused */
	FETCH_BROKEN,		/* the connection or HTTP broke off */
	FETCH_REDIRECTS,	/* too many, or to something that is not HTTP */
	FETCH_STATUS,		/* HTTP status other than 200 */
	FETCH_TYPE,		/* media type other than application/ocsp-response */
	FETCH_TOO_LONG,		/* more than OCSP_MAX_LEN, or an endless head */
	FETCH_INTERNAL,		/* libcurl or memory */
	FETCH_RESULTS,
};
const char *fetch_result_word(enum fetch_result result); /* "no-connection" */

/*
 * struct fetch_outcome - how the last transfer ended; or the one by GET, when
 * only that one brought a response
 * @verdict: with FETCH_ANSWER, and never OCSP_OK without; OCSP_OK, OCSP_REVOKED
 *           and OCSP_UNKNOWN fill @times
 * @der:     with FETCH_ANSWER, as it came but for certificates of no use (see
 *           ocsp_trim()); the bytes live until the next call on the fetch
 * @error:   empty for OCSP_OK; otherwise a whole sentence without the responder's
 *           URL, with address, HTTP status and libcurl's words where they help
 */
struct fetch_outcome {
	enum fetch_result result;
	enum ocsp_verdict verdict;
	struct ocsp_times times;
	struct ocsp_bytes der;
	struct ocsp_http http;
	char address[64];	/* "[2001:db8::1]:80", empty before a connection */
	char error[320];
};

struct fetch;

/*
 * fetch_new - prepare to ask @url about @leaf
 * All borrowed while the fetch lives. curl_global_init() was called. Returns NULL
 * with a sentence in @error (out of memory, certificates that cannot be parsed, a
 * URL other than http and https ones without a user name).
 */
struct fetch *fetch_new(const struct fetch_options *options,
			struct ocsp_bytes leaf, struct ocsp_bytes issuer,
			const char *url, char *error, size_t error_len);
/* The handle must not be in a multi any more. Takes NULL. */
void fetch_free(struct fetch *fetch);

/*
 * fetch_next - the transfer to drive next, or NULL when the attempt is over
 * First GET, if the URL can be short enough; then POST, unless the outcome so far
 * is what an attempt is made for, or says that asking differently would not
 * help: nobody could be reached, revoked, tryLater, a Retry-After. (Silence is
 * asked again: a long URL can cause it.) The handle stays the fetch's; its
 * CURLOPT_PRIVATE is the caller's to set.
 */
CURL *fetch_next(struct fetch *fetch);

/*
 * fetch_refuse - the outcome so far is not what the caller's attempt was for
 * Called before fetch_next(): it may know of a newer response, so that this one,
 * good or revoked, came from a cache, which POST passes by.
 */
void fetch_refuse(struct fetch *fetch);

/*
 * fetch_ended - the transfer is over, with libcurl's @code
 * @now: seconds since the epoch. The outcome is the fetch's, see above.
 */
const struct fetch_outcome *fetch_ended(struct fetch *fetch, CURLcode code,
					int64_t now);

#endif
