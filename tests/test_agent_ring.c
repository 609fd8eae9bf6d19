// SPDX-License-Identifier: MIT
#include "agent/ring.h"


#include "agent/loop.h"
#include "agent_case.h"

TestSuite(ring, .timeout = 20);

struct call {
	struct ring_op op;
	int result;
	unsigned int calls;
};

static struct ring ring;
static struct call calls[3000];

static void on_done(struct ring_op *op, int result)
{
	struct call *call = container_of(op, struct call, op);

	call->result = result;
	call->calls++;
}

static void start(void)
{
	int err = ring_init(&ring);

	if (err)
		cr_skip_test("%s", uring_denied(err));
}

static void stop(void)
{
	ring_fini(&ring);
}

static void turn(int64_t timeout_ms)
{
	cr_assert_eq(ring_wait(&ring, timeout_ms), 0);
	ring_call_back(&ring);
}

static struct io_uring_sqe *prepare(unsigned int i)
{
	calls[i].op.done = on_done;
	return ring_prepare(&ring, &calls[i].op);
}

Test(ring, closes_with_the_next_wait_and_says_nothing_of_it, .init = start,
     .fini = stop)
{
	int pair[2];
	char byte;

	cr_assert_eq(pipe(pair), 0);
	ring_close(&ring, pair[1]);
	turn(0);
	cr_expect_eq(read(pair[0], &byte, 1), 0);
	cr_expect_eq(fcntl(pair[1], F_GETFD), -1);
	cr_expect_eq(io_uring_cq_ready(&ring.uring), 0);
	close(pair[0]);
}

Test(ring, calls_back_with_the_result_of_the_system_call, .init = start,
     .fini = stop)
{
	char byte;
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	io_uring_prep_recv(prepare(0), pair[0], &byte, 1, 0);
	io_uring_prep_recv(prepare(1), -1, &byte, 1, 0);
	io_uring_prep_send(prepare(2), pair[1], "x", 1, 0);
	while (!calls[0].calls || !calls[1].calls || !calls[2].calls)
		turn(1000);
	cr_assert_eq(calls[0].result, 1);
	cr_assert_eq(byte, 'x');
	cr_assert_eq(calls[1].result, -EBADF);
	cr_assert_eq(calls[2].result, 1);
}

Test(ring, waits_no_longer_than_it_may, .init = start, .fini = stop)
{
	uint64_t before = loop_now_ms();

	turn(0);
	turn(30);
	cr_assert_geq(loop_now_ms(), before + 29);
	cr_assert_lt(loop_now_ms(), before + 1000);
}

/* More in one round than the submission queue holds. */
Test(ring, calls_nobody_back_during_the_wait, .init = start, .fini = stop)
{
	io_uring_prep_nop(prepare(0));
	cr_assert_eq(ring_wait(&ring, 1000), 0);
	cr_assert_eq(calls[0].calls, 0);
	ring_call_back(&ring);
	cr_assert_eq(calls[0].calls, 1);
}

Test(ring, takes_any_number_of_operations_at_once, .init = start, .fini = stop)
{
	unsigned int i, done = 0;

	for (i = 0; i < COUNT(calls); i++)
		io_uring_prep_nop(prepare(i));
	while (done < COUNT(calls)) {
		turn(1000);
		for (i = done = 0; i < COUNT(calls); i++)
			done += calls[i].calls;
	}
	for (i = 0; i < COUNT(calls); i++)
		cr_assert_eq(calls[i].calls, 1);
}

static void again(struct ring_op *op, int result)
{
	struct call *call = container_of(op, struct call, op);

	cr_assert_eq(result, 0);
	if (++call->calls < 10)
		io_uring_prep_nop(ring_prepare(&ring, op));
}

Test(ring, a_callback_may_prepare_the_next_operation, .init = start,
     .fini = stop)
{
	unsigned int i;

	calls[0].op.done = again;
	io_uring_prep_nop(ring_prepare(&ring, &calls[0].op));
	for (i = 0; i < 20 && calls[0].calls < 10; i++)
		turn(1000);
	cr_assert_eq(calls[0].calls, 10);
}

Test(ring, is_not_there_for_programs_that_are_executed)
{
	unsigned int before = case_fds();

	start();
	cr_assert_eq(fcntl(ring.uring.ring_fd, F_GETFD), FD_CLOEXEC);
	stop();
	cr_assert_eq(case_fds(), before);
}

Test(ring, says_whether_an_operation_goes_on, .init = start, .fini = stop)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	io_uring_prep_poll_multishot(prepare(0), pair[0], POLLIN);
	cr_assert_eq(write(pair[1], "x", 1), 1);
	turn(1000);
	cr_expect_eq(calls[0].calls, 1);
	cr_expect(ring.more);
	ring_cancel(&ring, &calls[0].op);
	while (calls[0].calls == 1)
		turn(1000);
	cr_expect_eq(calls[0].result, -ECANCELED);
	cr_expect_not(ring.more);
	close(pair[0]);
	close(pair[1]);
}

Test(ring, cancels_a_poll_that_is_just_being_woken, .init = start,
     .fini = stop)
{
	unsigned int i;
	int pair[2];

	for (i = 0; i < 50; i++) {
		calls[0] = (struct call){ .calls = 0 };
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		io_uring_prep_poll_multishot(prepare(0), pair[0],
					     POLLIN | POLLOUT | POLLRDHUP);
		turn(1000);
		shutdown(pair[0], SHUT_WR);
		ring_cancel(&ring, &calls[0].op);
		do
			turn(1000);
		while (calls[0].result != -ECANCELED);
		close(pair[0]);
		close(pair[1]);
	}
}
