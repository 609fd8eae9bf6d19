// SPDX-License-Identifier: MIT
/* Are a connection's secrets anywhere in memory once it is over? */
#include <fcntl.h>
#include <sys/mman.h>

#include "tests/handshake_peer.h"

#include "handshake/memory.h"

TestSuite(memory, .timeout = 60);

static bool wipes;

/* Before Criterion, whose report may use libcrypto. */
__attribute__((constructor)) static void begin(void)
{
	wipes = hs_memory_wipe();
}

#define SECRETS 5	/* of TLS 1.3 */
#define LINE_MAX_LEN 256

/*
 * Of each the end, as malloc() writes into the beginning of what is free; in
 * another form, for it to be found nowhere else.
 */
#define END 16
#define DISGUISE 0xa5
static uint8_t secrets[SECRETS][END];
static size_t n_secrets;

static void keep_secret(const char *line)
{
	const char *hex = line + strlen(line) - 2 * END;
	unsigned int byte;

	cr_assert_lt(n_secrets, SECRETS);
	for (size_t i = 0; i < END; i++) {
		cr_assert_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
		secrets[n_secrets][i] = byte ^ DISGUISE;
	}
	n_secrets++;
}

static bool is_at(const uint8_t *p, const uint8_t secret[static END])
{
	for (int i = 0; i < END; i++)
		if (p[i] != (secret[i] ^ DISGUISE))
			return false;
	return true;
}

static unsigned int count_in(const uint8_t *p, size_t len)
{
	unsigned int n = 0;

	for (size_t s = 0; s < n_secrets; s++)
		for (size_t i = 0; i + END <= len; i++)
			n += is_at(p + i, secrets[s]);
	return n;
}

/* Larger ones are a sanitizer's own. */
#define MAPPING_MAX (64 << 20)
#define PAGE 4096

/*
 * By a copy, as some pages may not be touched: those that guard stacks. It is
 * shared memory, which is not looked at.
 */
static unsigned int count_in_mapping(int memory, uint8_t *copy, off_t from,
				     off_t to)
{
	unsigned int n = 0;
	ssize_t got;

	while (from < to) {
		got = pread(memory, copy, to - from, from);
		if (got > 0)
			n += count_in(copy, got);
		from += got > 0 ? got : PAGE;
	}
	return n;
}

static unsigned int count_remains(void)
{
	uint8_t *copy = mmap(NULL, MAPPING_MAX, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int memory = open("/proc/self/mem", O_RDONLY);
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[LINE_MAX_LEN], access[5];
	unsigned long from, to;
	unsigned int n = 0;

	cr_assert(maps && memory >= 0 && copy != MAP_FAILED);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %4s", &from, &to, access) == 3 &&
		    !strcmp(access, "rw-p") && to - from <= MAPPING_MAX)
			n += count_in_mapping(memory, copy, from, to);
	munmap(copy, MAPPING_MAX);
	close(memory);
	fclose(maps);
	return n;
}

/* Lengths of secrets in sessions, as strings, and of what is made of sessions */
Test(memory, is_wiped_however_short_a_secret_is)
{
	static const size_t parts[] = { 2, 3, 10, 400 };

	for (int i = 0; i < END; i++)
		secrets[0][i] = (3 * i + 1) ^ DISGUISE;
	n_secrets = 1;
	for (size_t i = 0; i < COUNT(parts); i++) {
		uint8_t *p = OPENSSL_malloc(parts[i] * END + 1);

		for (size_t j = 0; j < parts[i] * END; j++)
			p[j] = secrets[0][j % END] ^ DISGUISE;
		cr_expect_eq(count_remains(), parts[i]);
		OPENSSL_free(p);
		cr_expect_eq(count_remains(), 0, "of %zu", parts[i]);
	}
}

static void hold_and_leave(uint16_t version, enum ktls_cipher cipher, size_t n)
{
	struct ktls_keys keys;
	unsigned int left;
	struct duo d;

	n_secrets = 0;
	duo_init(&d, "P-256");
	d.config.keylog = keep_secret;
	client_pair(&d, version, cipher);
	duo_connect(&d);
	duo_done(&d);
	cr_assert_eq(n_secrets, n);
	cr_expect_gt(count_remains(), 0);
	cr_assert_eq(hs_keys(d.hs, &keys), 0);
	duo_fini(&d);
	left = count_remains();
	cr_expect_eq(left, 0, "%u are left of TLS %x", left, version);
}

Test(memory, holds_no_secrets_of_those_who_are_gone)
{
	cr_assert(wipes);
	for (int c = 0; c < KTLS_CIPHERS; c++) {
		hold_and_leave(KTLS_TLS13, c, SECRETS);
		hold_and_leave(KTLS_TLS12, c, 1);
	}
}
