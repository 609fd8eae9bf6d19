/* SPDX-License-Identifier: MIT */
/*
 * A folder of responses with any names in it, one per line; for libFuzzer. Only
 * what has the store's own form of name may be removed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ocsp/store.h"

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static const uint8_t *names;
static size_t names_len;

static int look(int dir, const char *name, struct stat *st)
{
	(void)dir;
	(void)name;
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFREG;
	return 0;
}

static int list(int dir, void (*each)(void *arg, const char *name), void *arg)
{
	const uint8_t *p = names, *end = names + names_len, *stop;
	char *name;

	(void)dir;
	for (; p < end; p = stop + 1) {
		stop = memchr(p, '\n', (size_t)(end - p));
		if (!stop)
			stop = end;
		name = strndup((const char *)p, (size_t)(stop - p));
		if (!name)
			abort();
		each(arg, name);
		free(name);
	}
	return 0;
}

static int remove_own(int dir, const char *name)
{
	size_t len = strlen(name);

	(void)dir;
	if (strspn(name, "0123456789abcdef") != 64)
		abort();
	if (len != 68 && (len != 73 || memcmp(name + 68, ".tmp", 4) != 0 ||
			  !strchr("0123456789", name[72])))
		abort();
	return memcmp(name + 64, ".der", 4) == 0 ? 0 : -EIO;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ocsp_files files = {
		.look = look, .list = list, .unlink = remove_own,
	};

	names = data;
	names_len = size;
	if (ocsp_store_sweep(&files, INT64_MAX, 1) < 0)
		abort();
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	static const char good[] = DIGITS "0123456789abcdef.der\n" DIGITS
					  "0123456789abcdef.der.tmp0\n";

	if ((size < 2 || seed % 256 == 0) && sizeof(good) <= max) {
		memcpy(data, good, sizeof(good));
		size = sizeof(good) - 1;
	}
	return LLVMFuzzerMutate(data, size, max);
}
