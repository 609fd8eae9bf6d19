// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/wait.h>

#include "tools/run/start.h"

TestSuite(run_start, .timeout = 10);

static struct run_options two(const char *a, int fd_a, const char *b, int fd_b)
{
	return (struct run_options){
		.queues = {{.path = a, .fd = fd_a}, {.path = b, .fd = fd_b}},
		.n = 2,
	};
}

Test(run_start, names_are_those_of_the_sockets_in_order)
{
	const struct run_options o = two("/run/b.sock", 4, "/run/x/a", 3);
	char names[64];

	cr_assert_eq(run_listen_fds(&o), 2);
	cr_assert_eq(run_names(&o, 2, names, sizeof(names)), 0);
	cr_assert_str_eq(names, "a:b");
}

Test(run_start, a_name_that_cannot_be_said_is_unknown)
{
	const struct run_options o = two("/run/a:b.sock", 3, "c.sock", 4);
	char names[64];

	cr_assert_eq(run_names(&o, 2, names, sizeof(names)), 0);
	cr_assert_str_eq(names, "unknown:c");
	cr_assert_eq(run_names(&o, 2, names, 9), -E2BIG);
}

Test(run_start, times_are_in_the_order_of_the_descriptors)
{
	const struct run_options o = two("a", 4, "b", 3);
	char times[32];

	cr_assert_eq(run_hold_times(&o, 2, (unsigned int[]){30000, 0}, times,
				    sizeof(times)),
		     0);
	cr_assert_str_eq(times, "0:30000");
	cr_assert_eq(run_hold_times(&o, 2, (unsigned int[]){30000, 0}, times,
				    7),
		     -E2BIG);
}

Test(run_start, counts_up_to_the_first_gap)
{
	struct run_options o = two("a", 3, "b", 5);

	cr_assert_eq(run_listen_fds(&o), 1);
	o.queues[0].fd = 6;
	cr_assert_eq(run_listen_fds(&o), 0);
}

static int run(const char *script, const struct run_queue *a,
	       const struct run_queue *b)
{
	char *command[] = {"sh", "-c", (char *)script, NULL};
	struct run_options o = {.queues = {*a, *b}, .n = 2};
	const int fds[] = {b->fd, a->fd};
	const unsigned int hold_ms[] = {30000, 0};
	sigset_t mask;
	int status;
	pid_t pid;

	o.command = command;
	sigemptyset(&mask);
	pid = run_start(&o, fds, hold_ms, &mask, NULL);
	cr_assert_gt(pid, 0);
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

Test(run_start, descriptors_may_stand_in_each_others_place)
{
	const struct run_queue a = {.path = "a", .fd = 200};
	const struct run_queue b = {.path = "b", .fd = 201};

	dup2(open("/dev/null", O_RDONLY), 200);
	dup2(open("/dev/zero", O_RDONLY), 201);
	cr_assert_eq(run("[ $(readlink /proc/$$/fd/201) = /dev/null ] && "
			 "[ $(readlink /proc/$$/fd/200) = /dev/zero ] && "
			 "[ -z \"$LISTEN_FDS$KTLS_HOLD_MS\" ]",
			 &a, &b),
		     0);
}

Test(run_start, a_low_limit_of_descriptors_is_enough_for_low_places)
{
	const struct run_queue a = {.path = "a", .fd = 3};
	const struct run_queue b = {.path = "b", .fd = 4};
	const struct rlimit low = {.rlim_cur = 40, .rlim_max = 40};
	struct run_options o = two("a", 3, "b", 39);
	int status;

	/* In a process of its own: the two descriptors are in use here. */
	if (!fork()) {
		dup2(open("/dev/null", O_RDONLY), 3);
		dup2(open("/dev/zero", O_RDONLY), 4);
		if (setrlimit(RLIMIT_NOFILE, &low) ||
		    run_out_of_way(&o, 0) != -EMFILE)
			_exit(100);
		_exit(run("[ $(readlink /proc/$$/fd/3) = /dev/zero ] && "
			  "[ \"$LISTEN_FDS $KTLS_HOLD_MS\" = '2 30000:0' ]",
			  &a, &b));
	}
	wait(&status);
	cr_assert_eq(status, 0);
}

Test(run_start, says_why_it_could_not)
{
	char *command[] = {"/no/such/program", NULL};
	struct run_options o = two("a", 3, "b", 4);
	const int fds[] = {0, 0};
	const unsigned int hold_ms[] = {0, 0};
	sigset_t mask;

	o.command = command;
	sigemptyset(&mask);
	cr_assert_eq(run_start(&o, fds, hold_ms, &mask, NULL), -ENOENT);
	command[0] = "/etc/passwd";
	cr_assert_eq(run_start(&o, fds, hold_ms, &mask, NULL), -EACCES);
}
