/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as what a master leaves to the next one: another version of ktlsd
 * may have written it. What was understood, written again, is the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/upgrade_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* One of each type: a length and a type that fit are rare among random bytes. */
static size_t good(uint8_t *data, size_t max)
{
	static const char text[] = "/run/ktlsd/web.sock";
	char *bytes = NULL;
	size_t len = 0;
	struct upgrade_writer w = { .file = open_memstream(&bytes, &len) };
	uint32_t type;

	for (type = UPGRADE_LISTENER; type <= UPGRADE_STAPLE; type++)
		upgrade_write(&w, &(struct upgrade_record){
			      .type = type,
			      .data_len = type == UPGRADE_QUEUE ||
					  type == UPGRADE_REGISTRATION ? 0 :
					  sizeof(text) - 1 },
			      (int[]){ 0, 0 }, text);
	fclose(w.file);
	if (len > max)
		len = 0;
	memcpy(data, bytes, len);
	free(bytes);
	free(w.fds);
	return len;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	if (size < 2 || seed % 64 == 0)
		size = good(data, max);
	return LLVMFuzzerMutate(data, size, max);
}

static int read_all(const uint8_t *data, size_t size, struct upgrade_writer *w)
{
	struct upgrade_reader r = { data, data + size, w->n_fds, false };
	struct upgrade_record record;
	const uint8_t *at;
	int ret;

	w->n_fds = 0;
	while ((ret = upgrade_read(&r, &record, &at)) == 1) {
		if (at < data || record.data_len > (size_t)(data + size - at))
			abort();
		upgrade_write(w, &record, (int[]){ 0, 0 }, at);
	}
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	char *again = NULL;
	size_t len = 0, n_fds;
	struct upgrade_writer w = { .file = open_memstream(&again, &len) };
	int ret;

	if (!copy || !w.file)
		abort();
	if (size)
		memcpy(copy, data, size);
	/* The first byte says how many descriptors came. */
	n_fds = w.n_fds = size ? copy[0] : 0;
	w.fds = calloc(256, sizeof(int));
	ret = size ? read_all(copy + 1, size - 1, &w) : 0;
	fclose(w.file);
	if (!ret && size && (w.n_fds != n_fds || len != size - 1 ||
			     memcmp(again, copy + 1, len)))
		abort();
	if (ret > 0)
		abort();
	free(again);
	free(w.fds);
	free(copy);
	return 0;
}
