// SPDX-License-Identifier: MIT
#include "tools/probe/sections.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/kernel.h"
#include "probe/uring.h"

/* In a process of its own: a filter may kill instead of refusing. */
static int open_in_child(void)
{
	struct io_uring uring;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(-uring_open(&uring));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EPERM;
}

static void add_features(struct report *r)
{
	const struct uring_feature *features;
	size_t n, i;
	int err;

	features = uring_features(&n);
	for (i = 0; i < n; i++) {
		err = uring_try(&features[i]);
		report_add(r, "io_uring", features[i].name, json_boolean(!err),
			   err ? REPORT_FATAL : REPORT_OK, "%s",
			   err ? "no" : "yes");
	}
}

void section_uring(struct report *r)
{
	const long disabled =
		probe_number("/proc/sys/kernel/io_uring_disabled", "");
	const int err = open_in_child();

	report_add(r, "io_uring", "ring", json_boolean(!err),
		   err ? REPORT_FATAL : REPORT_OK, "%s",
		   err ? uring_denied(err) : "yes");
	if (disabled < 0)
		report_add(r, "io_uring", "io_uring_disabled", json_null(),
			   REPORT_OK, "%s", access("/proc/sys/kernel", F_OK) ?
			   "cannot be read" : "this kernel has no such switch");
	else
		report_add(r, "io_uring", "io_uring_disabled",
			   json_integer(disabled), disabled && !err ?
			   REPORT_NOTE : REPORT_OK, "%ld%s", disabled,
			   disabled && !err ? ": it works for this user; "
			   "ktlsd's workers are another one" : "");
	/* Where it is denied as a whole, that says it all. */
	if (!err || err == -EINVAL || err == -EOPNOTSUPP)
		add_features(r);
}
