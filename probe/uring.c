// SPDX-License-Identifier: MIT
#include "probe/uring.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "probe/kernel.h"

/* Small, for where RLIMIT_MEMLOCK counts them and must stay as it is. */
/* A batch of submissions; more in one round only cost a second call. */
#define RING_ENTRIES 256
/* Completions beyond these wait in the kernel, none is lost. */
#define RING_COMPLETIONS 2048

#define SIZES (IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP)
#define SINGLE (SIZES | IORING_SETUP_SINGLE_ISSUER)

#define OP(name) { "IORING_OP_" #name, 0, IORING_OP_##name }

static const struct uring_feature features[] = {
	{ "IORING_SETUP_CQSIZE", SIZES, 0 },
	{ "IORING_SETUP_SINGLE_ISSUER", SINGLE, 0 },
	{ "IORING_SETUP_DEFER_TASKRUN", SINGLE | IORING_SETUP_DEFER_TASKRUN, 0 },
	OP(ACCEPT), OP(ASYNC_CANCEL), OP(CLOSE), OP(POLL_ADD), OP(POLL_REMOVE),
	OP(RECV), OP(RECVMSG), OP(SEND), OP(TIMEOUT),
};

#define FEATURES (sizeof(features) / sizeof(features[0]))

const struct uring_feature *uring_features(size_t *n)
{
	*n = FEATURES;
	return features;
}

static int set_up(struct io_uring *uring, unsigned int flags,
		  unsigned int entries, unsigned int completions)
{
	struct io_uring_params params = {
		.flags = flags,
		.cq_entries = completions,
	};

	return io_uring_queue_init_params(entries, uring, &params);
}

/* Returns 0, -EOPNOTSUPP: not all of these operations are there; or -errno. */
static int check_operations(struct io_uring *uring,
			    const struct uring_feature *feature, size_t n)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(uring);
	int err = 0;
	size_t i;

	if (!probe)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		if (!feature[i].setup &&
		    !io_uring_opcode_supported(probe, feature[i].op))
			err = -EOPNOTSUPP;
	io_uring_free_probe(probe);
	return err;
}

int uring_try(const struct uring_feature *feature)
{
	struct io_uring uring;
	int err = set_up(&uring, feature->setup ? feature->setup : SIZES, 1, 2);

	if (err)
		return err;
	err = check_operations(&uring, feature, 1);
	io_uring_queue_exit(&uring);
	return err;
}

int uring_open(struct io_uring *uring)
{
	unsigned int flags = 0;
	size_t i;
	int err;

	for (i = 0; i < FEATURES; i++)
		flags |= features[i].setup;
	err = set_up(uring, flags, RING_ENTRIES, RING_COMPLETIONS);
	if (err)
		return err;
	err = check_operations(uring, features, FEATURES);
	if (err)
		io_uring_queue_exit(uring);
	return err;
}

static bool kernel_too_old(void)
{
	struct probe_kernel kernel;

	probe_kernel(&kernel);
	return kernel.version && kernel.version < PROBE_VERSION(6, 1, 0);
}

static bool filtered(void)
{
	return probe_number("/proc/self/status", "Seccomp:") > 0;
}

static bool memory_limited(void)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_MEMLOCK, &limit) &&
	       limit.rlim_cur != RLIM_INFINITY;
}

const char *uring_denied(int error)
{
	long disabled = probe_number("/proc/sys/kernel/io_uring_disabled", "");

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
	if (error == -EOPNOTSUPP)
		return "this kernel's io_uring lacks an operation: ktls-probe "
		       "says which";
	if (error == -EACCES)
		return "a security policy denies io_uring: the audit log says "
		       "which";
	if (error == -ENOMEM && memory_limited())
		return "no memory for a ring: the rings of all processes of a "
		       "user may count against RLIMIT_MEMLOCK (LimitMEMLOCK=, "
		       "ulimit -l)";
	return strerror(-error);
}
