/* SPDX-License-Identifier: MIT */
/*
 * The keys of ktlsd.conf(5) below ocsp.
 */
#include <string.h>

#include "value.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define WEEK (7 * 24 * HOUR)
#define MIN_INTERVAL_S 300	/* unless max_interval is shorter */
#define MAX_PER_HOST 256
#define MAX_RESPONDERS 1000

static CONFIG_READER(read_max_interval)
{
	struct config_ocsp *ocsp = item;

	config_read_seconds(r, key, node, item);
	ocsp->min_interval_s = MIN_INTERVAL_S;
	if (ocsp->min_interval_s > ocsp->max_interval_s)
		ocsp->min_interval_s = ocsp->max_interval_s;
}

/* Read behind the other one, which brought this one's default with it. */
static CONFIG_READER(read_min_interval)
{
	struct config_ocsp *ocsp = item;

	config_read_seconds(r, key, node, item);
	if (ocsp->max_interval_s &&
	    ocsp->min_interval_s > ocsp->max_interval_s)
		config_expected(r, key, node, "no more than max_interval, "
				"which is %us", ocsp->max_interval_s);
}

static CONFIG_READER(read_host)
{
	const struct config_ocsp *ocsp = &r->config->ocsp;
	struct config_responder *responder = item;
	size_t i;

	config_read_host(r, key, node, item);
	for (i = 0; responder->host && i < ocsp->n_responders; i++) {
		if (ocsp->responders[i].host &&
		    !strcmp(ocsp->responders[i].host, responder->host))
			config_expected(r, key, node, "another host than on "
					"line %u",
					ocsp->responders[i].mark.line);
	}
}

static const struct config_key responder_keys[] = {
	{ "host", read_host, FIELD(config_responder, host),
	  .required = true },
	{ "url", config_read_url, FIELD(config_responder, url),
	  .required = true },
};

static const struct config_table responder_table = {
	.keys = responder_keys, .n_keys = LENGTH(responder_keys),
	.size = sizeof(struct config_responder),
	.mark = offsetof(struct config_responder, mark),
};

static const char *const hash_words[] = {
	[OCSP_SHA1] = "sha1",
	[OCSP_SHA256] = "sha256",
	NULL
};
static const char *const missing_words[] = { "serve", "refuse", NULL };
static const char *const revoked_words[] = { "keep", "staple", NULL };

static const struct config_key ocsp_keys[] = {
	{ "timeout", config_read_duration, FIELD(config_ocsp, timeout_ms),
	  .preset = "10s", .min = 1, .max = 10 * MINUTE },
	{ "max_interval", read_max_interval,
	  FIELD(config_ocsp, max_interval_s),
	  .preset = "24h", .min = 1 * SECOND, .max = 1 * WEEK },
	{ "min_interval", read_min_interval,
	  FIELD(config_ocsp, min_interval_s),
	  .min = 1 * SECOND, .max = 1 * WEEK },
	{ "start_wait", config_read_duration,
	  FIELD(config_ocsp, start_wait_ms),
	  .preset = "5s", .min = 0, .max = 1 * HOUR },
	{ "per_host", config_read_number, FIELD(config_ocsp, per_host),
	  .preset = "4", .min = 1, .max = MAX_PER_HOST },
	{ "hash", config_read_word, FIELD(config_ocsp, hash),
	  .preset = "sha1", .words = hash_words },
	{ "proxy", config_read_proxy, FIELD(config_ocsp, proxy) },
	{ "ca", config_read_file, FIELD(config_ocsp, ca) },
	{ "missing", config_read_choice, FIELD(config_ocsp, missing_refuse),
	  .preset = "refuse", .words = missing_words },
	{ "revoked", config_read_choice, FIELD(config_ocsp, revoked_staple),
	  .preset = "keep", .words = revoked_words },
	{ "responders", config_read_list, FIELD(config_ocsp, responders),
	  .count = offsetof(struct config_ocsp, n_responders),
	  .min = 0, .max = MAX_RESPONDERS, .table = &responder_table },
};

const struct config_table config_ocsp_keys = {
	.keys = ocsp_keys, .n_keys = LENGTH(ocsp_keys),
};
