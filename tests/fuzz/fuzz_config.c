/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a configuration file: clang -fsanitize=fuzzer,address,undefined
 */
#include <stdint.h>

#include "tests/config_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *errors;
	struct config *config = case_parse((const char *)data, size, &errors);

	/* Either a configuration, or something that is said about it. */
	if (!config == !errors[0])
		abort();
	config_free(config);
	free(errors);
	return 0;
}
