/* SPDX-License-Identifier: MIT */
/* ktls-staple fetch: what the stapler does, once and step by step. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fetch/fetch.h"
#include "ocsp/schedule.h"
#include "tools/staple/files.h"
#include "tools/staple/options.h"
#include "tools/staple/show.h"
#include "tools/staple/staple.h"

struct job {
	const char *cert_file, *issuer_file, *out_file, *url, *hash;
	int64_t timeout;
	struct fetch_options options;
	struct staple_certs certs, issuers;
	const struct staple_cert *leaf, *issuer;
	char own_url[OCSP_URL_MAX];
};

static bool set_hash(const struct staple_option *option, const char *value)
{
	enum ocsp_hash *hash = option->to;

	if (strcmp(value, "sha1") && strcmp(value, "sha256")) {
		staple_complain("--hash: sha1 or sha256, not %s", value);
		return false;
	}
	*hash = strcmp(value, "sha1") ? OCSP_SHA256 : OCSP_SHA1;
	return true;
}

static bool parse(struct job *j, int argc, char **argv)
{
	struct fetch_options *o = &j->options;
	const struct staple_option options[] = {
		{ "cert", staple_set_text, &j->cert_file, 0, 0 },
		{ "issuer", staple_set_text, &j->issuer_file, 0, 0 },
		{ "out", staple_set_text, &j->out_file, 0, 0 },
		{ "url", staple_set_text, &j->url, 0, 0 },
		{ "proxy", staple_set_text, &o->proxy, 0, 0 },
		{ "ca", staple_set_text, &o->ca_file, 0, 0 },
		{ "hash", set_hash, &o->hash, 0, 0 },
		{ "timeout", staple_set_number, &j->timeout, 1, 3600 },
		{ 0 },
	};

	if (!staple_options(argc, argv, options, NULL) ||
	    !staple_needs("--cert", j->cert_file))
		return false;
	o->timeout_ms = (unsigned int)j->timeout * 1000;
	return true;
}

static bool find_issuer(struct job *j)
{
	const char *file = j->cert_file;
	char text[300];

	if (j->issuer_file) {
		file = j->issuer_file;
		if (!staple_read_certs(file, &j->issuers))
			return false;
		j->issuer = staple_find_issuer(j->leaf, &j->issuers);
	} else {
		j->issuer = staple_find_issuer(j->leaf, &j->certs);
	}
	if (j->issuer) {
		printf("issuer: %s (from %s)\n",
		       staple_subject(j->issuer->x509, text), file);
		return true;
	}
	staple_complain("%s: does not hold the issuer of %s; give it by "
			"--issuer",
			file, staple_subject(j->leaf->x509, text));
	return false;
}

static bool find_url(struct job *j)
{
	const char *whose = "--url";

	if (!j->url) {
		whose = "the certificate";
		if (ocsp_responder(j->leaf->der, 0, j->own_url)) {
			staple_complain("%s: the certificate names no OCSP "
					"responder; give one by --url",
					j->cert_file);
			return false;
		}
		j->url = j->own_url;
	}
	printf("responder: %s (from %s)\n", j->url, whose);
	return true;
}

static bool prepare(struct job *j)
{
	if (!staple_read_certs(j->cert_file, &j->certs))
		return false;
	j->leaf = &j->certs.certs[0];
	staple_show_cert(j->leaf);
	return find_issuer(j) && find_url(j);
}

static void show_step(void *arg, const char *text)
{
	(void)arg;
	printf("  %s\n", text);
}

static void show_refresh(const struct fetch_outcome *o, int64_t now)
{
	const struct ocsp_intervals intervals = { .min = 300, .max = 86400 };
	char text[40], span[40];
	int64_t in = ocsp_refresh_in(&o->times, o->http.fresh, &intervals, now,
				     UINT32_MAX / 2);

	printf("refresh: in about %s, at %s\n", staple_span(in, span),
	       staple_time(now + in, text));
}

static enum staple_exit conclude(const struct job *j,
				 const struct fetch_outcome *o, int64_t now)
{
	if (o->result == FETCH_ANSWER)
		staple_show_verdict(o->verdict, &o->times, now);
	else
		printf("%s: %s\n", fetch_result_word(o->result), o->error);
	if (o->result != FETCH_ANSWER || o->verdict != OCSP_OK)
		return STAPLE_REFUSED;
	show_refresh(o, now);
	if (j->out_file && !staple_write(j->out_file, o->der))
		return STAPLE_USAGE;
	return STAPLE_GOOD;
}

static enum staple_exit ask(struct job *j)
{
	const struct fetch_outcome *outcome = NULL;
	enum staple_exit status;
	struct fetch *fetch;
	char error[300];
	CURLcode code;
	CURL *easy;

	fetch = fetch_new(&j->options, j->leaf->der, j->issuer->der, j->url,
			  error, sizeof(error));
	if (!fetch) {
		staple_complain("%s: %s", j->url, error);
		return STAPLE_USAGE;
	}
	while ((easy = fetch_next(fetch))) {
		code = curl_easy_perform(easy);
		outcome = fetch_ended(fetch, code, time(NULL));
		if (outcome->error[0])
			printf("  %s\n", outcome->error);
		else
			printf("  answered by %s\n", outcome->address);
	}
	status = conclude(j, outcome, time(NULL));
	fetch_free(fetch);
	return status;
}

enum staple_exit staple_fetch(int argc, char **argv)
{
	struct job j = {
		.timeout = 10,
		.options = { .limits = ocsp_default_limits,
			     .debug = show_step },
	};
	enum staple_exit status = STAPLE_USAGE;

	if (!parse(&j, argc, argv))
		return staple_usage();
	setvbuf(stdout, NULL, _IOLBF, 0); /* in step with what happens */
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (prepare(&j))
		status = ask(&j);
	curl_global_cleanup();
	staple_free_certs(&j.certs);
	staple_free_certs(&j.issuers);
	return status;
}
