/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <errno.h>

int ring_init(struct ring *ring)
{
	int err = uring_open(&ring->uring);

	if (err)
		return err;
	/* Spares each call the descriptor's look-up; fine without. */
	io_uring_register_ring_fd(&ring->uring);
	return 0;
}

void ring_fini(struct ring *ring)
{
	io_uring_queue_exit(&ring->uring);
}

struct io_uring_sqe *ring_prepare(struct ring *ring, struct ring_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	while (!sqe) {
		io_uring_submit(&ring->uring);
		sqe = io_uring_get_sqe(&ring->uring);
	}
	/* prep_*() leave user_data alone from liburing 2.2 on. */
	io_uring_sqe_set_data(sqe, op);
	return sqe;
}

void ring_cancel(struct ring *ring, struct ring_op *op)
{
	io_uring_prep_cancel(ring_prepare(ring, NULL), op, 0);
}

void ring_close(struct ring *ring, int fd)
{
	struct io_uring_sqe *sqe = ring_prepare(ring, NULL);

	io_uring_prep_close(sqe, fd);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

int ring_wait(struct ring *ring, int64_t timeout_ms)
{
	struct __kernel_timespec ts = {
		.tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * 1000000,
	};
	struct io_uring_cqe *cqe;
	int err;

	err = io_uring_submit_and_wait_timeout(
		&ring->uring, &cqe, 1, timeout_ms < 0 ? NULL : &ts, NULL);
	/* EBUSY and EAGAIN pass once what is done has been called back. */
	if (err < 0 && err != -ETIME && err != -EINTR && err != -EBUSY &&
	    err != -EAGAIN)
		return err;
	return 0;
}

void ring_call_back(struct ring *ring)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(&ring->uring, head, cqe) {
		struct ring_op *op = io_uring_cqe_get_data(cqe);

		n++;
		ring->more = cqe->flags & IORING_CQE_F_MORE;
		if (op)
			op->done(op, cqe->res);
	}
	io_uring_cq_advance(&ring->uring, n);
}
