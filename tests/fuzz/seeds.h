/* SPDX-License-Identifier: MIT */
/* For fuzzers whose good inputs random bytes never are: mutations start there. */
#ifndef TESTS_FUZZ_SEEDS_H
#define TESTS_FUZZ_SEEDS_H

#include "tests/ocsp_response.h"

/* libFuzzer's interface, which has no header. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* What LLVMFuzzerCustomMutator() does, with @n good inputs. */
static inline size_t mutate_from(const struct blob *seeds, unsigned int n,
				 uint8_t *data, size_t size, size_t max,
				 unsigned int seed)
{
	const struct blob *good = &seeds[seed % n];

	if ((size < 2 || seed % 256 == 0) && good->len <= max) {
		memcpy(data, good->data, good->len);
		size = good->len;
	}
	return LLVMFuzzerMutate(data, size, max);
}

#endif
