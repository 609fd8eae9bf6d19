// SPDX-License-Identifier: MIT
#include "agent/queue.h"

#include <sys/resource.h>

#include "agent_case.h"
#include "ktls/descriptors.h"

TestSuite(queue, .timeout = 20);

#define HOLD_MS 1000
#define ITEMS 512

struct item {
	struct handoff handoff;
	char msg[16];
	int result;
	unsigned int done;
};

static struct metrics metrics;
static struct queue queue;
static struct item items[ITEMS];
static int ends[QUEUE_ENDS + 1][2];	/* read, write */
static uint64_t broken_id;

static void on_done(struct handoff *handoff, int result)
{
	struct item *item = (struct item *)handoff;

	item->result = result;
	item->done++;
}

static void on_broken(struct queue *q, uint64_t id)
{
	(void)q;
	broken_id = id;
}

static void start(void)
{
	queue_init(&queue);
	queue.hold_ms = HOLD_MS;
	queue.metrics = &metrics;
	queue.broken = on_broken;
}

/* Opens @n queues of @size bytes, with the identifiers 1 to @n. */
static void open_ends(unsigned int n, int size)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				  ends[i]));
		if (size)
			setsockopt(ends[i][1], SOL_SOCKET, SO_SNDBUF, &size,
				   sizeof(size));
		queue_add(&queue, i + 1, ends[i][1]);
	}
}

static void push(unsigned int i, uint64_t now_ms)
{
	struct item *item = &items[i];

	snprintf(item->msg, sizeof(item->msg), "%u", i);
	item->handoff = (struct handoff){
		.fd = STDIN_FILENO,
		.msg = (uint8_t *)item->msg,
		.msg_len = strlen(item->msg),
		.done = on_done,
	};
	queue_push(&queue, &item->handoff, now_ms);
}

/* The number in the oldest message of end @i, or -1. */
static int pull(unsigned int i)
{
	struct ktls_fds fds;
	char msg[16] = "";
	ssize_t n = ktls_recv_fds(ends[i][0], msg, sizeof(msg) - 1, &fds, 0);
	size_t n_fds = fds.n;

	if (n < 0)
		return -1;
	ktls_close_fds(&fds);
	return n_fds == 1 ? atoi(msg) : -2;
}

/* Pushes until one has to wait; returns its number. */
static unsigned int fill(void)
{
	unsigned int i;

	for (i = 0; i < ITEMS; i++) {
		push(i, 0);
		if (!items[i].done)
			return i;
	}
	cr_assert_fail("it is never full");
	return 0;
}

static uint64_t counted(enum metric id)
{
	return metrics.value[id];
}

Test(queue, sends_at_once_and_leaves_the_descriptor_to_its_owner,
     .init = start)
{
	unsigned int before;

	open_ends(1, 0);
	before = case_fds();
	push(7, 0);
	cr_assert_eq(items[7].done, 1);
	cr_assert_eq(items[7].result, 0);
	cr_assert_eq(pull(0), 7);
	cr_assert_eq(case_fds(), before);
	cr_assert_eq(queue_flush(&queue, 0), UINT64_MAX);
}

Test(queue, takes_turns_over_its_ends, .init = start)
{
	unsigned int i, seen = 0;

	open_ends(3, 0);
	for (i = 0; i < 9; i++)
		push(i, 0);
	for (i = 0; i < 3; i++)
		while (pull(i) >= 0)
			seen += 1u << (4 * i);
	cr_assert_eq(seen, 0x333, "%x", seen);
}

Test(queue, uses_the_end_that_has_room, .init = start)
{
	unsigned int i, first;

	open_ends(2, 4608);
	first = fill();
	cr_assert_eq(pull(1) % 2, 1);
	queue_flush(&queue, 1);
	cr_assert_eq(items[first].done, 1);
	for (i = 0; i < first; i++)
		cr_assert_eq(items[i].done, 1);
}

Test(queue, keeps_the_order_of_those_that_wait, .init = start)
{
	unsigned int first, i;

	open_ends(1, 4608);
	first = fill();
	cr_assert_gt(first, 1);
	for (i = first + 1; i < first + 5; i++)
		push(i, 0);
	cr_assert_eq(counted(METRIC_WAITED_FULL), 5);
	cr_assert_eq(queue_flush(&queue, 10), 10 + QUEUE_RETRY_MS);
	cr_assert_eq(pull(0), 0);
	/* There is room, but it belongs to those that came before. */
	push(first + 5, 20);
	cr_assert_eq(items[first + 5].done, 0);
	for (i = 1; i < first + 6; i++) {
		queue_flush(&queue, 20);
		cr_assert_eq(pull(0), (int)i);
	}
	cr_assert_eq(queue_flush(&queue, 20), UINT64_MAX);
	cr_assert_eq(pull(0), -1);
	for (i = 0; i < first + 6; i++)
		cr_assert(items[i].done == 1 && !items[i].result);
}

Test(queue, gives_up_what_waited_too_long_and_only_that, .init = start)
{
	unsigned int i;

	push(0, 100);
	push(1, 150);
	cr_assert_eq(queue_flush(&queue, 100), 100 + HOLD_MS);
	cr_assert_eq(queue_flush(&queue, 99 + HOLD_MS), 100 + HOLD_MS);
	cr_assert_eq(queue_flush(&queue, 100 + HOLD_MS), 150 + HOLD_MS);
	cr_assert_eq(items[0].done, 1);
	cr_assert_eq(items[0].result, -ETIMEDOUT);
	cr_assert_eq(items[1].done, 0);
	open_ends(1, 0);
	/* Late, but there is a consumer now. */
	cr_assert_eq(queue_flush(&queue, 500 + HOLD_MS), UINT64_MAX);
	cr_assert_eq(items[1].result, 0);
	for (i = 0; i < 2; i++)
		cr_assert_eq(items[i].done, 1);
	cr_assert_eq(counted(METRIC_WAITED_NO_CONSUMER), 2);
	cr_assert_eq(counted(METRIC_QUEUE_EXPIRED), 1);
}

Test(queue, drops_the_oldest_of_those_that_wait, .init = start)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		push(i, 100);
	cr_assert_eq(queue.n_waiting, 3);
	queue_drop(&queue);
	cr_assert_eq(queue.n_waiting, 2);
	cr_assert_eq(items[0].done, 1);
	cr_assert_eq(items[0].result, -ENOSPC);
	cr_assert_eq(counted(METRIC_QUEUE_EXPIRED), 1);
	open_ends(1, 0);
	queue_flush(&queue, 101);
	cr_assert_eq(queue.n_waiting, 0);
	for (i = 1; i < 3; i++) {
		cr_assert_eq(pull(0), (int)i);
		cr_assert_eq(items[i].result, 0);
	}
}

Test(queue, drops_an_end_that_was_shut_down_and_says_so, .init = start)
{
	unsigned int before;

	open_ends(2, 0);
	before = case_fds();
	shutdown(ends[0][0], SHUT_RD);
	push(0, 0);
	push(1, 0);
	cr_assert_eq(broken_id, 1);
	cr_assert_eq(queue.n_ends, 1);
	cr_assert_eq(case_fds(), before - 1);
	cr_assert_eq(pull(1), 0);
	cr_assert_eq(pull(1), 1);
}

static const struct {
	const char *how;
	int shutdown;	/* of the read end; -1: closed */
	bool unread;
} ways[] = {
	{ "shut down for reading", SHUT_RD, false },
	{ "shut down", SHUT_RDWR, false },
	{ "shut down with messages unread", SHUT_RDWR, true },
	{ "closed", -1, false },
	{ "closed with messages unread", -1, true },
};

Test(queue, keeps_the_message_when_its_last_end_breaks, .init = start)
{
	unsigned int i, id;

	for (i = 0; i < COUNT(ways); i++) {
		start();
		open_ends(1, 0);
		if (ways[i].unread)
			push(10, 0);
		if (ways[i].shutdown < 0)
			close(ends[0][0]);
		else
			shutdown(ends[0][0], ways[i].shutdown);
		broken_id = 0;
		items[i].done = 0;
		push(i, 0);
		cr_expect_eq(items[i].done, 0, "%s", ways[i].how);
		cr_expect_eq(queue.n_ends, 0, "%s", ways[i].how);
		cr_expect_eq(broken_id, 1, "%s", ways[i].how);
		for (id = 0; id < 1; id++)
			open_ends(1, 0);
		queue_flush(&queue, 1);
		cr_expect_eq(items[i].done, 1, "%s", ways[i].how);
		cr_expect_eq(pull(0), (int)i, "%s", ways[i].how);
	}
}

Test(queue, refuses_more_ends_than_it_may_have_and_closes_them, .init = start)
{
	unsigned int before;
	int fd;

	open_ends(QUEUE_ENDS, 0);
	before = case_fds();
	fd = dup(STDIN_FILENO);
	cr_assert_eq(queue_add(&queue, 99, fd), -ENOSPC);
	cr_assert_not(case_is_open(fd));
	fd = dup(STDIN_FILENO);
	cr_assert_eq(queue_add(&queue, 1, fd), 0, "it has that one");
	cr_assert_eq(case_fds(), before);
	cr_assert_eq(queue.n_ends, QUEUE_ENDS);
	queue_remove(&queue, 99);
	queue_remove(&queue, 3);
	cr_assert_eq(queue.n_ends, QUEUE_ENDS - 1);
	cr_assert_eq(case_fds(), before - 1);
}

/* Descriptors in flight count against the user, unless it is privileged. */
static void send_until_too_many(void)
{
	struct rlimit limit = { 24, 24 };
	unsigned int i, first;

	CHECK(!setresuid(CASE_NOBODY, CASE_NOBODY, CASE_NOBODY));
	CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
	for (first = 0; first < ITEMS; first++) {
		push(first, 0);
		if (!items[first].done)
			break;
	}
	CHECK(first >= 24 && first < ITEMS);
	CHECK(metrics.value[METRIC_WAITED_REFS] == 1);
	CHECK(metrics.value[METRIC_WAITED_FULL] == 0);
	CHECK(queue_flush(&queue, 0) == QUEUE_RETRY_MS);
	CHECK(!items[first].done);
	for (i = 0; i < first; i++)
		CHECK(pull(0) == (int)i);
	queue_flush(&queue, 0);
	CHECK(items[first].done == 1 && !items[first].result);
	CHECK(pull(0) == (int)first);
}

Test(queue, waits_when_too_many_descriptors_are_in_flight, .init = start)
{
	if (geteuid())
		cr_skip_test("needs root to become somebody else");
	open_ends(1, 0);
	case_in_child(send_until_too_many);
}
