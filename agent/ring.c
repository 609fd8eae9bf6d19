/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "log.h"

/* A batch of submissions; more in one round only cost a second call. */
#define RING_ENTRIES 1024
/* Completions beyond these wait in the kernel, none is lost. */
#define RING_COMPLETIONS 8192

int ring_init(struct ring *ring)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
			 IORING_SETUP_CLAMP,
		.cq_entries = RING_COMPLETIONS,
	};
	int err;

	err = io_uring_queue_init_params(RING_ENTRIES, &ring->uring, &params);
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

/* The first number of a file under /proc, or -1. */
static int read_number(const char *path, const char *key)
{
	char line[128];
	int value = -1;
	FILE *f = fopen(path, "re");

	if (!f)
		return -1;
	while (value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			value = atoi(line + strlen(key));
	fclose(f);
	return value;
}

static bool kernel_too_old(void)
{
	unsigned int major, minor;
	struct utsname name;

	return !uname(&name) &&
	       sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 1));
}

static bool filtered(void)
{
	return read_number("/proc/self/status", "Seccomp:") > 0;
}

const char *ring_denied(int error)
{
	int disabled = read_number("/proc/sys/kernel/io_uring_disabled", "");

	if (error == -EPERM && disabled == 2)
		return "io_uring is switched off: sysctl kernel.io_uring_disabled=0";
	if (error == -EPERM && disabled == 1)
		return "io_uring is kept for privileged users: sysctl "
		       "kernel.io_uring_disabled=0, or set kernel.io_uring_group "
		       "to the primary group of ktlsd's user";
	if ((error == -EINVAL || error == -ENOSYS) && kernel_too_old())
		return "this kernel's io_uring is too old: Linux 6.1 or newer is "
		       "needed";
	/* Where the switch is, io_uring is (6.6 and newer). */
	if (error == -EPERM || (error == -ENOSYS && disabled >= 0))
		return filtered() ? "a seccomp filter forbids io_uring: allow "
			"io_uring_setup, io_uring_enter and io_uring_register in "
			"the container's or service's profile" :
			strerror(-error);
	if (error == -ENOSYS)
		return filtered() ? "io_uring is hidden by a seccomp filter, or "
			"this kernel was built without it (CONFIG_IO_URING)" :
			"this kernel was built without io_uring "
			"(CONFIG_IO_URING)";
	if (error == -EACCES)
		return "a security policy denies io_uring: the audit log says "
		       "which";
	return strerror(-error);
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
