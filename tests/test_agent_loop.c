// SPDX-License-Identifier: MIT
#include "agent/loop.h"

#include "agent_case.h"

TestSuite(loop, .timeout = 10);

struct item {
	struct watch watch;
	int other;
	unsigned int calls;
};

static int loop;
static struct item *items[2];

static void count(struct watch *w)
{
	((struct item *)w)->calls++;
}

static struct item *add(void (*ready)(struct watch *))
{
	struct item *item = calloc(1, sizeof(*item));
	int pair[2];

	cr_assert(item);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
		     0);
	item->watch = (struct watch){ pair[0], ready };
	item->other = pair[1];
	cr_assert_eq(loop_add(loop, &item->watch), 0);
	return item;
}

static void drop(struct item *item)
{
	loop_remove(loop, &item->watch);
	close(item->watch.fd);
	close(item->other);
	free(item);
}

static void start(void)
{
	loop = loop_new();
	cr_assert_geq(loop, 0);
}

Test(loop, waits_no_longer_than_it_may, .init = start)
{
	uint64_t before = loop_now_ms();

	cr_assert_eq(loop_wait(loop, 20), 0);
	cr_assert_geq(loop_now_ms(), before + 19);
	close(loop);
}

Test(loop, calls_for_data_and_for_a_hang_up, .init = start)
{
	struct item *item = add(count);

	cr_assert_eq(loop_wait(loop, 0), 0);
	cr_assert_eq(item->calls, 0);
	cr_assert_eq(write(item->other, "x", 1), 1);
	loop_wait(loop, 1000);
	cr_assert_eq(item->calls, 1);
	cr_assert_eq(read(item->watch.fd, &(char){ 0 }, 1), 1);
	shutdown(item->other, SHUT_RDWR);
	loop_wait(loop, 1000);
	cr_assert_eq(item->calls, 2);
	drop(item);
	close(loop);
}

Test(loop, calls_for_room_only_when_that_is_wanted, .init = start)
{
	struct item *item = add(count);
	char full[4096] = "";

	loop_wait(loop, 0);
	cr_assert_eq(item->calls, 0);
	loop_want(loop, &item->watch, LOOP_WRITE);
	cr_assert_eq(write(item->other, "x", 1), 1);
	loop_wait(loop, 1000);
	cr_assert_eq(item->calls, 1);
	while (send(item->watch.fd, full, sizeof(full), MSG_DONTWAIT) > 0)
		;
	loop_wait(loop, 0);
	cr_assert_eq(item->calls, 1);
	loop_want(loop, &item->watch, LOOP_READ | LOOP_WRITE);
	loop_wait(loop, 1000);
	cr_assert_eq(item->calls, 2);
	loop_want(loop, &item->watch, 0);
	loop_wait(loop, 0);
	cr_assert_eq(item->calls, 2);
	shutdown(item->other, SHUT_RDWR);
	loop_wait(loop, 1000);
	cr_assert_eq(item->calls, 3);
	drop(item);
	close(loop);
}

Test(loop, calls_nothing_that_was_removed, .init = start)
{
	struct item *item = add(count);

	cr_assert_eq(write(item->other, "x", 1), 1);
	loop_remove(loop, &item->watch);
	loop_wait(loop, 0);
	cr_assert_eq(item->calls, 0);
	drop(item);
	close(loop);
}

static void free_both(struct watch *w)
{
	(void)w;
	drop(items[0]);
	drop(items[1]);
	items[0] = NULL;
}

Test(loop, a_callback_may_free_another_watch_that_is_ready, .init = start)
{
	items[0] = add(free_both);
	items[1] = add(free_both);
	cr_assert_eq(write(items[0]->other, "x", 1), 1);
	cr_assert_eq(write(items[1]->other, "x", 1), 1);
	loop_wait(loop, 1000);
	cr_assert_null(items[0]);
	cr_assert_eq(loop_wait(loop, 0), 0);
	close(loop);
}

Test(loop, says_why_a_descriptor_cannot_be_watched, .init = start)
{
	struct watch w = { .fd = -1, .ready = count };

	cr_assert_eq(loop_add(loop, &w), -EBADF);
	close(loop);
}
