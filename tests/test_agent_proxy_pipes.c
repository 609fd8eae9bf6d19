/* SPDX-License-Identifier: MIT */
#include "agent/proxy/pipes.h"

#include "agent_case.h"

TestSuite(agent_proxy_pipes, .timeout = 10);

Test(agent_proxy_pipes, gives_the_same_pipe_again)
{
	unsigned int before = case_fds();
	struct pipes pipes = { .max = 2 };
	struct pipe *a = pipes_get(&pipes);

	cr_assert(a);
	pipes_put(&pipes, a);
	cr_expect_eq(pipes_get(&pipes), a);
	pipes_put(&pipes, a);
	pipes_put(&pipes, NULL);
	cr_expect_eq(pipes.n, 1);
	pipes_fini(&pipes);
	cr_expect_eq(pipes.n, 0);
	cr_expect_eq(case_fds(), before);
}

Test(agent_proxy_pipes, has_no_more_than_it_may)
{
	struct pipes pipes = { .max = 1 };
	struct pipe *a = pipes_get(&pipes);

	cr_expect_null(pipes_get(&pipes));
	pipes_put(&pipes, a);
	cr_expect_eq(pipes_get(&pipes), a);
	pipes_put(&pipes, a);
	pipes_fini(&pipes);
}

Test(agent_proxy_pipes, never_gives_one_with_bytes_of_others_in_it)
{
	struct pipes pipes = { .max = 1 };
	struct pipe *a = pipes_get(&pipes), *b;
	char c;

	cr_assert_eq(write(a->in, "x", 1), 1);
	a->len = 1;
	pipes_put(&pipes, a);
	cr_expect_eq(pipes.n, 0);
	b = pipes_get(&pipes);
	cr_assert(b);
	cr_expect_eq(b->len, 0);
	cr_expect_lt(read(b->out, &c, 1), 0);
	pipes_put(&pipes, b);
	pipes_fini(&pipes);
}

Test(agent_proxy_pipes, keeps_few_that_nobody_needs)
{
	unsigned int before = case_fds(), i;
	struct pipes pipes = { .max = 200 };
	struct pipe *all[200];

	for (i = 0; i < 200; i++)
		all[i] = pipes_get(&pipes);
	for (i = 0; i < 200; i++)
		pipes_put(&pipes, all[i]);
	cr_expect_leq(case_fds() - before, 2 * 64);
	pipes_fini(&pipes);
}
