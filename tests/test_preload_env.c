// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>

#include "ktls/preload/preload.h"

TestSuite(preload_env, .timeout = 10);

Test(preload_env, what_is_written_is_read_again)
{
	struct preload_state a = {.n = 2, .report_ino = 77, .report_fd = 256}, b;
	char text[PRELOAD_ENV_MAX];

	a.queues[0] = (struct preload_queue){
		.ino = 4294967296,
		.fd = 64,
		.given = 3,
		.port = 443,
		.hold_ms = 30000,
		.nonblocking = true,
		.bound.v4 = {.sin_family = AF_INET, .sin_port = htons(443)},
	};
	a.queues[1] = (struct preload_queue){
		.ino = 5,
		.fd = -1,
		.given = 9,
		.ipv6 = true,
	};
	cr_assert_eq(preload_format(&a, text, sizeof(text)), 0);
	cr_assert_eq(preload_parse(&b, text), 0, "%s", text);
	cr_assert_eq(b.n, 2);
	cr_assert_eq(b.report_ino, 77);
	cr_assert_eq(b.report_fd, 256);
	cr_assert_eq(b.queues[0].ino, 4294967296);
	cr_assert_eq(b.queues[0].fd, 64);
	cr_assert_eq(b.queues[0].port, 443);
	cr_assert_eq(b.queues[0].hold_ms, 30000);
	cr_assert(b.queues[0].nonblocking);
	cr_assert_eq(b.queues[0].bound.v4.sin_port, htons(443));
	cr_assert_eq(b.queues[1].fd, -1);
	cr_assert_eq(b.queues[1].given, 9);
	cr_assert_eq(b.queues[1].bound.any.sa_family, 0);
	cr_assert(!b.queues[0].ipv6);
	cr_assert(b.queues[1].ipv6);
}

Test(preload_env, a_listeners_successor_is_not_to_be_ended)
{
	struct preload_state a = {.n = 1, .report_fd = -1}, b;
	char text[PRELOAD_ENV_MAX];

	a.queues[0] = (struct preload_queue){
		.fd = -1,
		.ipv6 = true,
		.bound.v6 = {.sin6_family = AF_INET6},
	};
	cr_assert_eq(preload_format(&a, text, sizeof(text)), 0);
	cr_assert_eq(preload_parse(&b, text), 0, "%s", text);
	cr_assert(!b.queues[0].ipv6);
	cr_assert_eq(b.queues[0].bound.any.sa_family, AF_INET6);
	a.queues[0].bound.any.sa_family = 0;
	cr_assert_eq(preload_format(&a, text, sizeof(text)), 0);
	cr_assert_eq(preload_parse(&b, text), 0, "%s", text);
	cr_assert(b.queues[0].ipv6);
}

Test(preload_env, sixteen_queues_have_room)
{
	static struct preload_state s = {.n = PRELOAD_QUEUES_MAX};
	char text[PRELOAD_ENV_MAX];

	for (int i = 0; i < s.n; i++) {
		s.queues[i].ino = -1;
		s.queues[i].given = s.queues[i].fd = TABLE_FDS - 1;
		s.queues[i].port = 65535;
		s.queues[i].hold_ms = UINT32_MAX;
		s.queues[i].ipv6 = true;
		s.queues[i].bound.any.sa_family = AF_INET6;
	}
	cr_assert_eq(preload_format(&s, text, sizeof(text)), 0);
	cr_assert_eq(preload_parse(&s, text), 0);
	cr_assert_eq(preload_format(&s, text, 100), -E2BIG);
}

Test(preload_env, refuses_what_ktls_run_does_not_say)
{
	static const char *const texts[] = {
		"",
		"1",
		"2 7,8 1,3,0,0,0,0,0,-",
		"1 7,8",
		"1 7,8 ",
		"1 7 1,3,0,0,0,0,0,-",
		"1 7,8 1,3,0,0,0,0,-",
		"1 7,8 1,3,0,65536,0,0,0,-",
		"1 7,8 1,1048576,0,0,0,0,0,-",
		"1 7,8 1,3,0,0,0,2,0,-",
		"1 7,8 1,3,0,0,0,0,2,-",
		"1 7,8 1,3,0,0,0,0,0,",
		"1 7,8 1,3,0,0,0,0,0,--",
		"1 7,8 1,3,0,0,0,0,0,0200",
		"1 7,8 1,3,0,0,0,0,0,-1,3,0,0,0,0,0,-",
		"1 7,8 1,3,0,0,0,0,0,- ",
		"1 -7,8 1,3,0,0,0,0,0,-",
		"1 99999999999999999999999,8 1,3,0,0,0,0,0,-",
		"1 7,8 x",
	};
	struct preload_state s;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		cr_expect_eq(preload_parse(&s, texts[i]), -EINVAL, "taken: %s",
			     texts[i]);
}

Test(preload_env, refuses_an_address_of_another_family)
{
	char text[200] = "1 7,8 1,3,0,0,0,0,0,", *end = text + strlen(text);
	struct preload_state s;

	memset(end, '0', 2 * sizeof(union address));
	end[2 * sizeof(union address)] = 0;
	cr_assert_eq(preload_parse(&s, text), -EINVAL);
	end[0] = 'G';
	cr_assert_eq(preload_parse(&s, text), -EINVAL);
	memcpy(end, "02", 2);
	cr_assert_eq(preload_parse(&s, text), 0);
}
