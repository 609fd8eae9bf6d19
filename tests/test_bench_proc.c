// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/bench/cpus.h"
#include "tools/bench/proc.h"
#include "tools/bench/util.h"

TestSuite(bench_proc, .timeout = 20);

Test(bench_proc, reads_a_stat_line_whatever_the_name)
{
	struct proc_stat s;

	cr_assert_eq(proc_parse_stat("71 (a) R (b)) S 3 70 70 0 -1 4194304 1 "
				     "2 3 4 55 66 7 8 20 0 1 0 9\n", &s), 0);
	cr_assert_eq(s.state, 'S');
	cr_assert_eq(s.ppid, 3);
	cr_assert_eq(s.pgrp, 70);
	cr_assert_eq(s.user, 55);
	cr_assert_eq(s.system, 66);
}

Test(bench_proc, refuses_what_is_cut_short)
{
	struct proc_stat s;
	uint64_t run, wait;

	cr_assert_eq(proc_parse_stat("", &s), -EPROTO);
	cr_assert_eq(proc_parse_stat("71 (a", &s), -EPROTO);
	cr_assert_eq(proc_parse_stat("71 (a) S 3 70 70 0 -1 0 1 2 3 4 55", &s),
		     -EPROTO);
	cr_assert_eq(proc_parse_schedstat("12", &run, &wait), -EPROTO);
	cr_assert_eq(proc_parse_schedstat("", &run, &wait), -EPROTO);
}

Test(bench_proc, reads_a_schedstat_line)
{
	uint64_t run, wait;

	cr_assert_eq(proc_parse_schedstat("18446744073709551615 22 3\n", &run,
					  &wait), 0);
	cr_assert_eq(run, UINT64_MAX);
	cr_assert_eq(wait, 22);
}

Test(bench_proc, finds_what_listens_in_a_table_of_sockets)
{
	uint64_t inode;
	uint16_t port;

	cr_assert_eq(proc_parse_listener(
			     "  12: 0100007F:480C 00000000:0000 0A "
			     "00000000:00000000 00:00000000 00000000     0   "
			     "     0 65756 1 0000000089efa19a 100 0 0 10 0\n",
			     &port, &inode), 0);
	cr_assert_eq(port, 0x480c);
	cr_assert_eq(inode, 65756);
}

Test(bench_proc, takes_nothing_else_for_what_listens)
{
	static const char *const lines[] = {
		"  sl  local_address rem_address   st tx_queue rx_queue tr "
		"tm->when retrnsmt   uid  timeout inode\n",
		"   4: 0100007F:480C 0100007F:C6F6 01 00000000:00000000 "
		"00:00000000 00000000     0        0 65256 1 0 20 4 29 13 -1\n",
		"   0: 00000000:07E8 00000000:0000 0A 00000000:00000000", "",
	};
	uint64_t inode;
	uint16_t port;
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		cr_assert_eq(proc_parse_listener(lines[i], &port, &inode),
			     -EPROTO, "%s", lines[i]);
}

static int listen_at(struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	socklen_t len = sizeof(*at);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	cr_assert_eq(bind(fd, (struct sockaddr *)at, len), 0);
	cr_assert_eq(listen(fd, 1), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)at, &len), 0);
	return fd;
}

Test(bench_proc, a_port_bound_anew_has_another_listener)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = listen_at(&at);
	const uint16_t port = ntohs(at.sin_port);
	const uint64_t first = proc_listener(port);

	cr_assert_neq(first, 0);
	cr_assert_eq(proc_listener(port), first);
	close(fd);
	cr_assert_eq(proc_listener(port), 0);
	fd = listen_at(&at);
	cr_assert_neq(proc_listener(port), 0);
	cr_assert_neq(proc_listener(port), first);
	close(fd);
}

Test(bench_proc, reads_numbers_of_kib_by_their_key)
{
	static const char text[] = "Name:\tx\nRss:   1 kB\nPss:  22 kB\n"
				   "Pss_Anon:\t333 kB\nend";

	cr_assert_eq(proc_parse_kib(text, "Pss:"), 22);
	cr_assert_eq(proc_parse_kib(text, "Pss_Anon:"), 333);
	cr_assert_eq(proc_parse_kib(text, "Anon:"), -EPROTO);
	cr_assert_eq(proc_parse_kib("", "Rss:"), -EPROTO);
}

Test(bench_proc, memory_of_a_group_grows_when_it_is_touched)
{
	const size_t mib = 16;
	uint64_t before = proc_group_kib(getpgrp(), false);
	uint64_t after;
	char *p = malloc(mib << 20);

	memset(p, 1, mib << 20);
	after = proc_group_kib(getpgrp(), false);
	cr_assert_geq(after, before + (mib << 10) / 2);
	free(p);
	cr_assert_gt(proc_kernel_kib(), 0);
}

static void spin(uint64_t ns)
{
	struct timespec t;

	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	while (t.tv_sec * UINT64_C(1000000000) + t.tv_nsec < ns);
}

static void *spin_thread(void *arg)
{
	(void)arg;
	spin(20000000);
	return NULL;
}

Test(bench_proc, time_of_threads_that_have_ended_counts)
{
	struct usage before = {0}, after = {0}, u;
	pthread_t thread;

	proc_usage(getpid(), &before);
	cr_assert_eq(pthread_create(&thread, NULL, spin_thread, NULL), 0);
	pthread_join(thread, NULL);
	proc_usage(getpid(), &after);
	u = usage_since(&after, &before);
	cr_assert_geq(u.cpu_ns, 20000000);
	cr_assert_lt(u.cpu_ns, 200000000);
	cr_assert_eq(u.processes, 1);
}

/* A group of two: a process that used CPU time, and its child. */
static pid_t family(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setpgid(0, 0);
	fork();
	alarm(20);
	spin(20000000);
	pause();
	_exit(0);
}

Test(bench_proc, a_group_is_all_that_is_in_it)
{
	struct usage u;
	pid_t pids[8], pid = family();
	int tries = 0;

	do {
		u = (struct usage){0};
		sleep_ms(10);
		proc_group_usage(pid, &u);
	} while ((u.processes < 2 || u.cpu_ns < 40000000) && tries++ < 500);
	cr_assert_eq(u.processes, 2);
	cr_assert_geq(u.cpu_ns, 40000000);
	cr_assert_eq(proc_group(pid, pids, 8), 2);
	cr_assert(pids[0] == pid || pids[1] == pid);
	kill(-pid, SIGKILL);
	for (tries = 0; proc_group(pid, pids, 8) && tries < 500; tries++)
		sleep_ms(10);
	cr_assert_eq(proc_group(pid, pids, 8), 0, "zombies count");
	waitpid(pid, NULL, 0);
}

static pid_t idler(pid_t group)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	cr_assert_eq(setpgid(pid, group), 0);
	return pid;
}

Test(bench_proc, a_newcomer_is_one_once_and_of_its_group)
{
	static struct proc_seen seen;
	pid_t first = idler(0), other = idler(0), second;

	cr_expect(proc_newcomer(first, &seen));
	cr_expect_not(proc_newcomer(first, &seen));
	second = idler(first);
	cr_expect(proc_newcomer(first, &seen));
	cr_expect_not(proc_newcomer(first, &seen));
	cr_expect_not(proc_newcomer(other, &seen), "it was there before");
	kill(-first, SIGKILL);
	kill(other, SIGKILL);
	waitpid(first, NULL, 0);
	waitpid(second, NULL, 0);
	waitpid(other, NULL, 0);
}

Test(bench_proc, time_never_runs_backwards)
{
	const struct usage more = {.cpu_ns = 5}, less = {.cpu_ns = 3};

	cr_assert_eq(usage_since(&more, &less).cpu_ns, 2);
	cr_assert_eq(usage_since(&less, &more).cpu_ns, 0);
}

Test(bench_proc, the_server_has_a_cpu_that_no_client_has)
{
	cpu_set_t all;
	struct cpus c;

	CPU_ZERO(&all);
	CPU_SET(3, &all);
	c = cpus_split(&all);
	cr_assert_not(c.apart);
	cr_assert(CPU_ISSET(3, &c.server) && CPU_ISSET(3, &c.client));
	CPU_SET(5, &all);
	CPU_SET(9, &all);
	c = cpus_split(&all);
	cr_assert(c.apart);
	cr_assert(CPU_ISSET(3, &c.server) && CPU_COUNT(&c.server) == 1);
	cr_assert(CPU_ISSET(5, &c.client) && CPU_ISSET(9, &c.client));
	cr_assert_eq(CPU_COUNT(&c.client), 2);
}
