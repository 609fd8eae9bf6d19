// SPDX-License-Identifier: MIT
#include "agent/delivery.h"

#include "agent_case.h"

TestSuite(delivery, .timeout = 10);

#define SLOTS 100

static struct delivery_item items[SLOTS];
static const struct delivery_list list = { items, SLOTS };
static uint8_t bytes[OCSP_MAX_LEN];
static struct delivery d;
static struct channel_in in;
static int ends[2];

static void set(size_t slot, size_t len)
{
	items[slot].generation++;
	items[slot].der = (struct ocsp_bytes){ bytes, len };
	delivery_changed(&d, slot);
}

static void start(void)
{
	size_t i;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				ends), 0);
	for (i = 0; i < SLOTS; i++)
		items[i] = (struct delivery_item){ .cert = (uint32_t)i };
	cr_assert_eq(delivery_init(&d, &list), 0);
}

static void stop(void)
{
	delivery_fini(&d);
}

/* The worker's side: what came, and an answer. Returns false for nothing. */
static bool take(bool taken)
{
	int fd;

	if (channel_recv(ends[1], &in, &fd) != 1)
		return false;
	cr_assert_eq(in.msg.type, CHANNEL_STAPLE);
	delivery_answered(&d, in.staple.id, taken);
	return true;
}

Test(delivery, a_new_worker_has_what_there_is, .init = start, .fini = stop)
{
	set(3, 10);
	cr_assert_not(delivery_done(&d, 3));
	cr_assert(delivery_done(&d, 4), "there is nothing to have");
	delivery_inherit(&d);
	cr_assert(delivery_done(&d, 3));
	cr_assert_eq(delivery_run(&d, ends[0]), 0);
	cr_assert_not(take(true));
}

Test(delivery, is_done_when_the_worker_says_so, .init = start, .fini = stop)
{
	items[7].cert = 5;
	items[7].depth = 2;
	items[7].times = (struct ocsp_times){ 100, 200 };
	set(7, 1234);
	cr_assert_eq(delivery_run(&d, ends[0]), 0);
	cr_assert_not(delivery_done(&d, 7));
	cr_assert(take(true));
	cr_assert_eq(in.staple.cert, 5);
	cr_assert_eq(in.staple.depth, 2);
	cr_assert_eq(in.staple.times.next_update, 200);
	cr_assert_eq(in.der.len, 1234);
	cr_assert(delivery_done(&d, 7));
	cr_assert_eq(delivery_run(&d, ends[0]), 0);
	cr_assert_not(take(true), "once is enough");
}

Test(delivery, is_not_done_with_a_staple_that_was_lost_or_replaced,
     .init = start, .fini = stop)
{
	set(0, 10);
	delivery_run(&d, ends[0]);
	cr_assert(take(false));
	cr_assert_not(delivery_done(&d, 0));
	set(0, 10);
	delivery_run(&d, ends[0]);
	set(0, 11);
	cr_assert_eq(d.n_lacking, 1);
	cr_assert(take(true));
	cr_assert_not(delivery_done(&d, 0), "that was the one before");
	delivery_run(&d, ends[0]);
	cr_assert(take(true));
	cr_assert(delivery_done(&d, 0));
}

Test(delivery, sends_again_what_was_lost_unless_it_was_replaced, .init = start,
     .fini = stop)
{
	set(0, 10);
	delivery_run(&d, ends[0]);
	cr_assert(take(false));
	cr_assert_eq(delivery_run(&d, ends[0]), 0);
	set(0, 11);
	cr_assert(take(false));
	cr_assert_eq(d.n_lacking, 1, "the one after it is on its way anyway");
	cr_assert_eq(delivery_run(&d, ends[0]), 0);
	cr_assert(take(true));
	cr_assert_eq(in.der.len, 11);
	cr_assert(delivery_done(&d, 0));
	cr_assert_eq(d.under_way, 0);
	/* That of an older one, late: the worker has the newest. */
	delivery_answered(&d, items[0].generation - 1, false);
	cr_assert_eq(d.n_lacking, 0);
	cr_assert(delivery_done(&d, 0));
}

Test(delivery, goes_on_as_answers_come_until_all_is_there, .init = start,
     .fini = stop)
{
	static const size_t lengths[] = { 500, 3000, OCSP_MAX_LEN };
	unsigned int before, n;
	size_t i, j;

	for (i = 0; i < COUNT(lengths); i++) {
		for (j = 0; j < SLOTS; j++)
			set(j, lengths[i]);
		cr_assert_eq(delivery_run(&d, ends[0]), 0);
		before = d.under_way;
		cr_assert_eq(delivery_run(&d, ends[0]), 0);
		cr_expect_eq(d.under_way, before);
		cr_expect_leq(before, 16);
		for (n = 0; take(true); n++)
			cr_assert_eq(delivery_run(&d, ends[0]), 0);
		cr_expect_eq(n, SLOTS);
		for (j = 0; j < SLOTS; j++)
			cr_expect(delivery_done(&d, j));
	}
}

Test(delivery, leaves_room_for_other_messages, .init = start, .fini = stop)
{
	struct channel_msg msg = { CHANNEL_QUEUE_ADD, 0, 1 };
	size_t i;

	for (i = 0; i < SLOTS; i++)
		set(i, 2500);
	cr_assert_eq(delivery_run(&d, ends[0]), 0);
	for (i = 0; i < 64; i++)
		cr_assert_eq(channel_send(ends[0], &msg, -1), 0);
}

Test(delivery, says_when_it_must_be_tried_again, .init = start, .fini = stop)
{
	struct channel_msg msg = { CHANNEL_QUEUE_ADD, 0, 1 };
	int fd;

	while (!channel_send(ends[0], &msg, -1))
		;
	set(50, OCSP_MAX_LEN);
	cr_assert_eq(delivery_run(&d, ends[0]), -EAGAIN,
		     "nothing under way would bring an answer");
	while (channel_recv(ends[1], &in, &fd) == 1)
		;
	cr_assert_eq(delivery_run(&d, ends[0]), 0);
	cr_assert(take(true));
	cr_assert(delivery_done(&d, 50));
	close(ends[1]);
	set(1, 10);
	cr_assert_lt(delivery_run(&d, ends[0]), 0);
}

Test(delivery, bears_answers_to_what_nobody_asked, .init = start, .fini = stop)
{
	delivery_answered(&d, UINT64_MAX, true);
	delivery_answered(&d, (uint64_t)SLOTS << 32, true);
	delivery_answered(&d, (uint64_t)SLOTS << 32, false);
	delivery_answered(&d, 1, false);
	set(0, 10);
	delivery_run(&d, ends[0]);
	cr_assert(take(true));
	cr_assert(delivery_done(&d, 0));
}
