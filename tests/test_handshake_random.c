// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "handshake/random.h"

#define PART 16

static uint8_t parts[4096][PART];

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, PART);
}


static void all_parts_differ(void)
{
	qsort(parts, sizeof(parts) / PART, PART, compare);
	for (size_t i = 1; i < sizeof(parts) / PART; i++)
		cr_assert_neq(compare(parts[i - 1], parts[i]), 0);
}

TestSuite(random, .timeout = 10, .init = hs_random_use);

/* As many as empty the pool many times over, by both of libcrypto's ways */
Test(random, never_gives_the_same_twice)
{
	for (size_t i = 0; i < sizeof(parts) / PART; i++)
		cr_assert_eq(i % 2 ? RAND_bytes(parts[i], PART) :
				     RAND_priv_bytes(parts[i], PART), 1);
	all_parts_differ();
}

Test(random, fills_every_byte_that_is_asked_for)
{
	static const int lens[] = { 0, 1, 7, 510, 511, 512, 4087, 4088, 10000 };
	uint8_t any[10000], some[10001];

	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		memset(any, 0, sizeof(any));
		/* Each byte is a zero 16 times in a row nearly never. */
		for (int j = 0; j < 16; j++) {
			memset(some, 0, sizeof(some));
			cr_assert_eq(RAND_bytes(some, lens[i]), 1);
			cr_assert_eq(some[lens[i]], 0);
			for (int k = 0; k < lens[i]; k++)
				any[k] |= some[k];
		}
		for (int k = 0; k < lens[i]; k++)
			cr_assert_neq(any[k], 0, "byte %d of %d", k, lens[i]);
	}
	cr_expect_eq(RAND_status(), 1);
	cr_expect_eq(RAND_poll(), 1);
}

Test(random, needs_no_memory)
{
	struct rlimit before, none;

	cr_assert_eq(getrlimit(RLIMIT_AS, &before), 0);
	none = before;
	none.rlim_cur = 0;
	cr_assert_eq(setrlimit(RLIMIT_AS, &none), 0);
	for (size_t i = 0; i < sizeof(parts) / PART; i++)
		if (RAND_bytes(parts[i], PART) != 1)
			break;
	cr_assert_eq(setrlimit(RLIMIT_AS, &before), 0);
	all_parts_differ();
}

/* Some of the parent's are left when it forks. */
Test(random, gives_a_child_others_than_its_parent)
{
	int pipes[2], status;
	pid_t pid;

	cr_assert_eq(RAND_bytes(parts[0], PART), 1);
	cr_assert_eq(pipe(pipes), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	for (size_t i = 0; i < sizeof(parts) / PART / 2; i++)
		cr_assert_eq(RAND_bytes(parts[i], PART), 1);
	if (!pid)
		_exit(write(pipes[1], parts, sizeof(parts) / 2) !=
		      sizeof(parts) / 2);
	cr_assert_eq(read(pipes[0], (uint8_t *)parts + sizeof(parts) / 2,
			  sizeof(parts) / 2), (ssize_t)sizeof(parts) / 2);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	all_parts_differ();
}

static void *draw(void *arg)
{
	uint8_t (*mine)[PART] = arg;

	for (size_t i = 0; i < sizeof(parts) / PART / 2; i++)
		if (RAND_bytes(mine[i], PART) != 1)
			return arg;
	return NULL;
}

Test(random, gives_threads_others_than_each_other)
{
	pthread_t thread;
	void *failed;

	cr_assert_eq(pthread_create(&thread, NULL, draw, parts), 0);
	cr_assert_null(draw(parts + sizeof(parts) / PART / 2));
	cr_assert_eq(pthread_join(thread, &failed), 0);
	cr_assert_null(failed);
	all_parts_differ();
}
