// SPDX-License-Identifier: MIT
#include "agent/waiting.h"

#include <time.h>

#include "agent_case.h"
#include "ktls/descriptors.h"
#include "ktls/message.h"

TestSuite(waiting, .timeout = 10);

static int from[2], to[2];	/* read end, write end */

static void start(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				from), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, to),
		     0);
}

/* A message of @age_ms with the number @n for its server name. */
static void put(const char *n, unsigned int age_ms)
{
	struct ktls_info info = {
		.mode = KTLS_KERNEL,
		.server_name = { (const uint8_t *)n, strlen(n) },
	};
	uint8_t msg[512];
	struct timespec t;
	int fd = STDIN_FILENO;
	ssize_t len;

	clock_gettime(CLOCK_MONOTONIC, &t);
	info.handoff_ns = t.tv_sec * UINT64_C(1000000000) + t.tv_nsec -
			  age_ms * UINT64_C(1000000);
	len = ktls_msg_encode(&info, NULL, msg, sizeof(msg));
	cr_assert_gt(len, 0);
	cr_assert_eq(ktls_send_fds(from[1], msg, (size_t)len, &fd, 1), 0);
}

/* The number of the next message, or -1; it must bring one descriptor. */
static int get(int fd)
{
	struct ktls_info info;
	struct ktls_fds fds;
	uint8_t msg[512];
	char text[16] = "";
	ssize_t n = ktls_recv_fds(fd, msg, sizeof(msg), &fds, 0);

	if (n < 0)
		return -1;
	cr_assert_eq(fds.n, 1);
	ktls_close_fds(&fds);
	cr_assert_eq(ktls_msg_decode(&info, NULL, msg, (size_t)n), 0);
	memcpy(text, info.server_name.data, info.server_name.len);
	return atoi(text);
}

Test(waiting, moves_everything_in_order, .init = start)
{
	unsigned int before = case_fds();

	put("1", 0);
	put("2", 0);
	put("3", 0);
	cr_assert(waiting_move(from[0], to[1]));
	cr_assert_eq(get(from[0]), -1);
	cr_assert_eq(get(to[0]), 1);
	cr_assert_eq(get(to[0]), 2);
	cr_assert_eq(get(to[0]), 3);
	cr_assert_eq(get(to[0]), -1);
	cr_assert_eq(case_fds(), before);
}

Test(waiting, moves_no_more_than_there_is_room_for, .init = start)
{
	unsigned int before = case_fds(), i;
	int size = 4608, moved = 0, n;
	char name[8];
	bool all;

	setsockopt(to[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%u", i);
		put(name, 0);
	}
	cr_assert_not(waiting_move(from[0], to[1]));
	do {
		all = waiting_move(from[0], to[1]);
		while ((n = get(to[0])) >= 0)
			cr_assert_eq(n, moved++);
	} while (!all);
	cr_assert_eq(moved, 20);
	cr_assert_eq(case_fds(), before);
}

Test(waiting, moves_nothing_to_a_queue_that_is_gone, .init = start)
{
	put("1", 0);
	shutdown(to[0], SHUT_RDWR);
	cr_assert_not(waiting_move(from[0], to[1]));
	cr_assert_eq(get(from[0]), 1);
}

Test(waiting, an_empty_queue_is_empty, .init = start)
{
	cr_assert(waiting_move(from[0], to[1]));
	close(from[1]);
	cr_assert(waiting_move(from[0], to[1]));
}

Test(waiting, drops_the_old_and_keeps_the_young, .init = start)
{
	unsigned int before = case_fds();

	cr_assert_eq(waiting_drop(from[0], 1000), 0);
	put("1", 5000);
	put("2", 1100);
	put("3", 100);
	put("4", 0);
	cr_assert_eq(waiting_drop(from[0], 1000), 2);
	cr_assert_eq(waiting_drop(from[0], 1000), 0);
	cr_assert_eq(case_fds(), before);
	cr_assert_eq(get(from[0]), 3);
	cr_assert_eq(get(from[0]), 4);
}

Test(waiting, drops_what_is_no_message_of_ours, .init = start)
{
	int fds[2] = { 0, 1 };
	unsigned int before = case_fds();

	cr_assert_eq(ktls_send_fds(from[1], "garbage", 7, fds, 2), 0);
	put("1", 0);
	cr_assert_eq(waiting_drop(from[0], 1000), 1);
	cr_assert_eq(get(from[0]), 1);
	cr_assert_eq(case_fds(), before);
}

Test(waiting, an_empty_message_leaves_no_descriptor_open, .init = start)
{
	unsigned int before = case_fds();
	int fds[2] = { 0, 1 };

	cr_assert_eq(ktls_send_fds(from[1], "", 0, fds, 2), 0);
	put("1", 0);
	waiting_move(from[0], to[1]);
	cr_assert_eq(case_fds(), before);
	cr_assert_eq(get(to[0]), 1, "what came after it is moved");
	cr_assert_eq(ktls_send_fds(from[1], "", 0, fds, 2), 0);
	put("2", 5000);
	cr_assert_eq(waiting_drop(from[0], 1000), 2);
	cr_assert_eq(case_fds(), before);
}

/* One that goes on writing, as fast as master reads, is no reason to go on. */
Test(waiting, takes_a_turn_only, .init = start)
{
	int size = 4 << 20;
	unsigned int i, n, dropped = 0;

	if (setsockopt(from[1], SOL_SOCKET, SO_SNDBUFFORCE, &size,
		       sizeof(size)))
		cr_skip_test("needs root");
	for (i = 0; i < 3000; i++)
		cr_assert_eq(send(from[1], "x", 1, MSG_DONTWAIT), 1);
	cr_assert_not(waiting_move(from[0], to[1]));
	while ((n = waiting_drop(from[0], 1000))) {
		cr_assert_leq(n, 1500);
		dropped += n;
	}
	cr_assert_geq(dropped, 1500);
	cr_assert_leq(dropped, 2500);
	cr_assert(waiting_move(from[0], to[1]));
}

/* By hand: what lies between variables is not for a sanitizer's memmem(). */
__attribute__((no_sanitize("address", "undefined"))) static bool
is_between(const char *at, const char *end, const char *text)
{
	size_t n;

	for (; at < end; at++) {
		for (n = 0; text[n] && at + n < end && at[n] == text[n]; n++)
			;
		if (!text[n])
			return true;
	}
	return false;
}

/* In the program's own data; what has no name there is the end of it. */
static bool is_in_data(const char *text)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from_at, to_at, last = 0;
	bool found = false;
	char line[512];

	while (fgets(line, sizeof(line), maps)) {
		if (!strstr(line, " rw-p") ||
		    sscanf(line, "%lx-%lx", &from_at, &to_at) != 2 ||
		    (from_at != last && !strstr(line, "test_agent_waiting")))
			continue;
		last = to_at;
		found |= is_between((char *)from_at, (char *)to_at, text);
	}
	fclose(maps);
	cr_assert(last);
	return found;
}

/* Messages may hold secrets; what is moved or dropped is not to stay with us. */
Test(waiting, keeps_no_message, .init = start)
{
	char name[] = "4711471147114711";

	put(name, 5000);
	cr_assert_eq(waiting_drop(from[0], 1000), 1);
	cr_expect_not(is_in_data(name));
	put(name, 0);
	cr_expect_eq(waiting_drop(from[0], 1000), 0);
	cr_expect_not(is_in_data(name));
	cr_assert(waiting_move(from[0], to[1]));
	cr_expect_not(is_in_data(name));
}
