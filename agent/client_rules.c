/* SPDX-License-Identifier: MIT */
#include "client_rules.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "handshake/doubts.h"
#include "log.h"

struct rule {
	const struct config_client *config;
	struct hs_client *client;
};

static int compare_numbers(unsigned long a, unsigned long b)
{
	return (a > b) - (a < b);
}

static int compare_texts(const struct config_texts *a,
			 const struct config_texts *b)
{
	int order = compare_numbers(a->n, b->n);

	for (size_t i = 0; !order && i < a->n; i++)
		order = strcmp(a->text[i], b->text[i]);
	return order;
}

/* Any order will do, so long as what is the same is equal. */
static int compare(const void *x, const void *y)
{
	const struct config_client *a = ((const struct rule *)x)->config;
	const struct config_client *b = ((const struct rule *)y)->config;
	int order = strcmp(a->ca, b->ca);

	if (!order)
		order = compare_numbers(a->verify, b->verify);
	if (!order)
		order = compare_numbers(a->depth, b->depth);
	if (!order)
		order = compare_numbers(a->crl_expired_warn,
					b->crl_expired_warn);
	if (!order)
		order = compare_texts(&a->crls, &b->crls);
	return order ? order : compare_texts(&a->allow, &b->allow);
}

static struct hs_client *read_files(const struct config_client *config,
				    char *error, size_t error_len)
{
	const struct hs_client_config hs = {
		.ca_file = config->ca,
		.required = config->verify == CONFIG_VERIFY_REQUIRE,
		.depth = config->depth,
		.crls = (const char *const *)config->crls.text,
		.n_crls = config->crls.n,
		.crl_expired_warn = config->crl_expired_warn,
		.allow = (const char *const *)config->allow.text,
		.n_allow = config->allow.n,
	};

	return hs_client_new(&hs, error, error_len);
}

struct hs_client *client_rules_find(const struct client_rules *rules,
				    const struct config_client *config)
{
	const struct rule key = { .config = config };
	struct rule *const *found = NULL;

	if (config->verify != CONFIG_VERIFY_OFF)
		found = tfind(&key, &rules->tree, compare);
	return found ? (*found)->client : NULL;
}

static void log_doubt(void *arg, const char *sentence)
{
	const struct config_mark *mark = arg;

	log_warn("event=client_rules_doubtful at=%s:%u:%u error=\"%s\"",
		 mark->file, mark->line, mark->column, sentence);
}

bool client_rules_read(struct client_rules *rules,
		       const struct config_client *config,
		       const struct config_mark *mark)
{
	const struct hs_doubts doubts = { time(NULL), log_doubt,
					  (void *)mark };
	char error[512] = "out of memory";
	struct rule *rule;

	if (config->verify == CONFIG_VERIFY_OFF ||
	    client_rules_find(rules, config))
		return true;
	rule = malloc(sizeof(*rule));
	if (rule) {
		rule->config = config;
		rule->client = read_files(config, error, sizeof(error));
	}
	if (rule && rule->client && tsearch(rule, &rules->tree, compare)) {
		hs_client_doubts(rule->client, &doubts);
		return true;
	}
	log_error("event=client_rules_refused at=%s:%u:%u error=\"%s\"",
		  mark->file, mark->line, mark->column, error);
	if (rule)
		hs_client_free(rule->client);
	free(rule);
	return false;
}

static void free_rule(void *data)
{
	struct rule *rule = data;

	hs_client_free(rule->client);
	free(rule);
}

void client_rules_fini(struct client_rules *rules)
{
	tdestroy(rules->tree, free_rule);
}
