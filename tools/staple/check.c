/* SPDX-License-Identifier: MIT */
/* ktls-staple check: a response in a file, as ktlsd would judge it. */
#include <stdlib.h>
#include <time.h>

#include "tools/staple/files.h"
#include "tools/staple/options.h"
#include "tools/staple/show.h"
#include "tools/staple/staple.h"

/* More is as much: a response's own times end with the year 9999. */
#define AGE_MAX (INT64_C(1) << 40)

struct check {
	const char *cert_file, *issuer_file, *response_file;
	int64_t at, max_age;
	struct staple_certs certs, issuers;
	struct ocsp_bytes response;
	uint8_t *file, *decoded;
};

static bool parse(struct check *c, int argc, char **argv)
{
	const struct staple_option options[] = {
		{ "cert", staple_set_text, &c->cert_file, 0, 0 },
		{ "issuer", staple_set_text, &c->issuer_file, 0, 0 },
		{ "response", staple_set_text, &c->response_file, 0, 0 },
		{ "at", staple_set_number, &c->at, INT64_MIN, INT64_MAX },
		{ "max-age", staple_set_number, &c->max_age, 0, INT64_MAX },
		{ 0 },
	};

	return staple_options(argc, argv, options, NULL) &&
	       staple_needs("--cert", c->cert_file) &&
	       staple_needs("--issuer", c->issuer_file) &&
	       staple_needs("--response", c->response_file);
}

static bool read_files(struct check *c)
{
	return staple_read_certs(c->cert_file, &c->certs) &&
	       staple_read_certs(c->issuer_file, &c->issuers) &&
	       staple_read_response(c->response_file, &c->response, &c->file,
				    &c->decoded);
}

static enum ocsp_verdict judge(struct check *c, struct ocsp_times *times)
{
	const struct staple_cert *issuer =
		staple_find_issuer(c->certs.certs, &c->issuers);
	struct ocsp_limits limits = ocsp_default_limits;

	if (c->max_age >= 0)
		limits.max_age = limits.max_age_open =
			c->max_age < AGE_MAX ? c->max_age : AGE_MAX;
	if (!issuer)
		issuer = c->issuers.certs;
	return ocsp_check(c->response, c->certs.certs[0].der, issuer->der,
			  &limits, c->at, times);
}

enum staple_exit staple_check(int argc, char **argv)
{
	struct check c = { .at = time(NULL), .max_age = -1 };
	enum staple_exit status = STAPLE_USAGE;
	struct ocsp_times times;
	enum ocsp_verdict verdict;

	if (!parse(&c, argc, argv))
		return staple_usage();
	if (read_files(&c)) {
		verdict = judge(&c, &times);
		staple_show_verdict(verdict, &times, c.at);
		status = verdict == OCSP_OK ? STAPLE_GOOD : STAPLE_REFUSED;
	}
	staple_free_certs(&c.certs);
	staple_free_certs(&c.issuers);
	free(c.file);
	free(c.decoded);
	return status;
}
