/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a configuration file: clang -fsanitize=fuzzer,address,undefined
 */
#include <stdint.h>

#include "tests/config_case.h"
#include "tests/config_every_key.h"
#include "tests/fuzz/seeds.h"

/* Every key; the least that is needed; and what excludes some of the others. */
static struct blob seeds[3];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const files[] = {
		EVERY_KEY,
		REST,
		CERTIFICATES ROUTES "listeners: [{bind: 'unix:a', v6only: "
		"false, rules: [{from: ['::/0'], route: deny}, {sni: [a.b], "
		"route: web}]}]\n",
	};
	struct config *config;
	char *errors;
	size_t i;

	(void)argc;
	(void)argv;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		config = case_parse(files[i], strlen(files[i]), &errors);
		MUST(config);
		config_free(config);
		free(errors);
		blob_put(&seeds[i], files[i], strlen(files[i]));
	}
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	return mutate_from(seeds, 3, data, size, max, seed);
}

/* What users of a configuration need not check again. */
static void expect_indices(const struct config *config)
{
	const struct config_listener *l;
	size_t i, k;

	for (i = 0; i < config->n_listeners; i++) {
		l = &config->listeners[i];
		MUST(l->route == CONFIG_DENY || l->route < config->n_routes);
		for (k = 0; k < l->n_rules; k++)
			MUST(l->rules[k].route == CONFIG_DENY ||
			     l->rules[k].route < config->n_routes);
		for (k = 0; k < l->n_certs; k++)
			MUST(l->certs[k] < config->n_certs &&
			     (!k || l->certs[k - 1] < l->certs[k]));
		MUST(l->client.verify == CONFIG_VERIFY_OFF || l->client.ca);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *errors;
	struct config *config = case_parse((const char *)data, size, &errors);

	/* Either a configuration, or something that is said about it. */
	MUST(!config != !errors[0]);
	if (config)
		expect_indices(config);
	config_free(config);
	free(errors);
	return 0;
}
