/* SPDX-License-Identifier: MIT */
#ifndef FETCH_INTERNAL_H
#define FETCH_INTERNAL_H

#include <stdbool.h>

#include "fetch/fetch.h"

#define FETCH_REDIRECTS_MAX 3
#define FETCH_HEAD_MAX 65536 /* bytes, of all heads on the way */

struct fetch_buffer {
	uint8_t *data;
	size_t len, room;
};

/*
 * struct fetch_transfer - one of an attempt's two, and what came of it
 * @head:     lines as they came, one head after another
 * @too_long: we ended it
 * @tried:    addresses since the last status line, "[::1]:80, 127.0.0.1:80"
 * @reason:   libcurl's
 */
struct fetch_transfer {
	struct fetch *fetch;
	const char *method;
	struct fetch_buffer head, body;
	bool too_long;
	char tried[400];
	char reason[CURL_ERROR_SIZE];
	struct fetch_outcome outcome;
};

/*
 * @get_url: empty when there is only POST
 * @now:     NULL before the first one
 * @refused: by the caller
 */
struct fetch {
	const struct fetch_options *options;
	const char *url;
	struct ocsp_bytes leaf, issuer;
	uint8_t request[OCSP_REQUEST_MAX];
	size_t request_len;
	char get_url[OCSP_GET_MAX + 1];
	CURL *easy;
	struct curl_slist *fields;
	struct fetch_transfer get, post, *now;
	bool refused;
};

/* fetch_debug - tell the options' debug function, if there is one */
void fetch_debug(const struct fetch *fetch, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* fetch_transfer_init - what GET and POST have in common; 0 or -ENOMEM */
int fetch_transfer_init(struct fetch *fetch);
/* fetch_transfer_start - set up @fetch->easy for @t, which becomes @now */
void fetch_transfer_start(struct fetch *fetch, struct fetch_transfer *t);
void fetch_transfer_fini(struct fetch_transfer *t);

/* fetch_judge - fill the outcome of the transfer that has ended */
void fetch_judge(struct fetch_transfer *t, CURLcode code, int64_t now);

#endif
