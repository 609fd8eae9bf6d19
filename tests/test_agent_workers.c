// SPDX-License-Identifier: MIT
/* Real workers without a listener; the test is their master. */
#include "agent/workers.h"

#include <signal.h>

#include "agent/loop.h"
#include "agent_case.h"

#define WORKERS 3

TestSuite(workers, .timeout = 30);

static struct config_route route = { .name = (char *)"web", .queue = 16,
				     .hold_timeout_ms = 60000 };
static struct config config = {
	.workers = WORKERS,
	.user = (char *)"nobody",
	.uid = CASE_NOBODY,
	.gid = CASE_NOBODY,
	.handshake_timeout_ms = 100,
	.drain_timeout_ms = 100,
	.routes = &route,
	.n_routes = 1,
};
static struct workers *workers;
static struct hs_tickets *tickets;
static struct metrics_pool *metrics;
static unsigned int announced[WORKERS];
static int loop;
static struct delivery_item items[2];
static struct certs no_certs;
static struct keylog *keylog;
static const struct delivery_list staples = { items, COUNT(items) };

static void on_announce(void *arg, unsigned int worker)
{
	(void)arg;
	announced[worker]++;
}

static void on_broken(void *arg, unsigned int index, uint64_t queue)
{
	(void)arg;
	cr_expect_eq(index, 0);
	cr_expect_eq(queue, 7);
}

/* None is running. */
static void prepare(void)
{
	static const struct workers_events events = { on_announce, on_broken,
						      NULL };
	static const int no_listeners[1];
	struct worker_setup setup = {
		.config = &config,
		.certs = &no_certs,
		.listener_fds = no_listeners,
		.keylog = keylog,
		.slots = 8,
	};

	tickets = setup.tickets = hs_tickets_new();
	metrics = metrics_pool_new();
	loop = loop_new();
	workers = workers_new(&setup, metrics, loop, &events, &staples);
	cr_assert(workers);
}

static void start(void)
{
	prepare();
	workers_accept(workers);
}

/* Waits for a child of this process and tells. Returns its pid, or 0. */
static pid_t reap(unsigned int wait_ms)
{
	uint64_t end = loop_now_ms() + wait_ms;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) == 0 &&
	       loop_now_ms() < end)
		usleep(2000);
	if (pid > 0)
		cr_assert(workers_ended(workers, pid, status));
	return pid > 0 ? pid : 0;
}

static void clean_up(void)
{
	workers_free(workers);
	hs_tickets_free(tickets);
	metrics_pool_free(metrics);
	close(loop);
}

static void stop(void)
{
	uint64_t end = loop_now_ms() + 10000;

	workers_stop(workers);
	while (workers_count(workers) && loop_now_ms() < end) {
		workers_tick(workers, loop_now_ms());
		reap(100);
	}
	cr_expect_not(workers_count(workers));
	clean_up();
}

/* The pids of our children, as the kernel lists them. */
static unsigned int children(pid_t pid[WORKERS])
{
	unsigned int n = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children",
		 (int)getpid());
	file = fopen(path, "r");
	cr_assert(file);
	while (n < WORKERS && fscanf(file, "%d", &pid[n]) == 1)
		n++;
	fclose(file);
	return n;
}

Test(workers, start_at_the_first_tick_and_are_announced_to, .init = start,
     .fini = stop)
{
	pid_t pid[WORKERS];
	unsigned int i;

	cr_assert_not(workers_count(workers));
	cr_assert_eq(workers_tick(workers, loop_now_ms()), UINT64_MAX);
	cr_assert(workers_count(workers));
	cr_assert_eq(children(pid), WORKERS);
	for (i = 0; i < WORKERS; i++)
		cr_expect_eq(announced[i], 1);
	cr_assert_not(workers_ended(workers, 1, 0));
}

/* Is one of the process's descriptors this file? */
static bool has_open(pid_t pid, const char *file)
{
	char path[64], target[64];
	bool found = false;
	int fd;

	for (fd = 0; fd < 64; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		found |= !strcmp(target, file);
	}
	return found;
}

Test(workers, keep_the_key_log_and_nothing_else_of_masters)
{
	char file[] = "/tmp/test_agent_workers.XXXXXX";
	char other[] = "/tmp/test_agent_workers.XXXXXX";
	uint64_t end = loop_now_ms() + 10000;
	pid_t pid[WORKERS];

	close(mkstemp(file));
	cr_assert_geq(mkstemp(other), 0);
	config.keylog = file;
	cr_assert_eq(keylog_open(&config, &keylog), 0);
	start();
	workers_tick(workers, loop_now_ms());
	cr_assert_eq(children(pid), WORKERS);
	while (has_open(pid[0], other) && loop_now_ms() < end)
		usleep(1000);
	cr_expect_not(has_open(pid[0], other));
	cr_expect(has_open(pid[0], file));
	stop();
	keylog_close(keylog);
	unlink(file);
	unlink(other);
}

Test(workers, are_replaced_when_they_die, .init = start, .fini = stop)
{
	pid_t pid[WORKERS];
	uint64_t due;

	workers_tick(workers, loop_now_ms());
	cr_assert_eq(children(pid), WORKERS);
	kill(pid[1], SIGKILL);
	cr_assert_eq(reap(5000), pid[1]);
	cr_assert_eq(metrics_master(metrics)->value[METRIC_WORKER_RESTARTS], 1);
	due = workers_tick(workers, loop_now_ms());
	cr_assert_leq(due, loop_now_ms() + 100);
	cr_assert_eq(children(pid), WORKERS - 1);
	cr_assert_eq(workers_tick(workers, due), UINT64_MAX);
	cr_assert_eq(children(pid), WORKERS);
	cr_assert_eq(announced[1], 2);
}

/* A worker that is stopped does not hold up its master, and hears it later. */
Test(workers, are_told_again_what_they_had_no_room_for, .init = start,
     .fini = stop)
{
	struct channel_msg msg = { CHANNEL_QUEUE_REMOVE, 0, 9 };
	pid_t pid[WORKERS];
	unsigned int i;
	uint64_t due;

	workers_tick(workers, loop_now_ms());
	cr_assert_eq(children(pid), WORKERS);
	kill(pid[0], SIGSTOP);
	for (i = 0; i < 5000; i++)
		workers_say(workers, 0, &msg, -1);
	due = workers_tick(workers, loop_now_ms());
	cr_assert_neq(due, UINT64_MAX);
	cr_assert_eq(announced[0], 1);
	kill(pid[0], SIGCONT);
	workers_tick(workers, due);
	cr_assert_eq(announced[0], 2);
	cr_assert_eq(announced[1], 1);
}

/* What it missed: the keys, which are repeated like queues are. */
Test(workers, are_told_keys_again_that_they_had_no_room_for, .init = start,
     .fini = stop)
{
	pid_t pid[WORKERS];
	unsigned int i;
	uint64_t due;

	workers_tick(workers, loop_now_ms());
	cr_assert_eq(children(pid), WORKERS);
	workers_tickets(workers);
	cr_assert_eq(workers_tick(workers, loop_now_ms()), UINT64_MAX);
	kill(pid[0], SIGSTOP);
	for (i = 0; i < 5000; i++)
		workers_tickets(workers);
	due = workers_tick(workers, loop_now_ms());
	cr_assert_neq(due, UINT64_MAX);
	kill(pid[0], SIGCONT);
	for (i = 0; i < 100 && due != UINT64_MAX; i++) {
		usleep(20000);
		due = workers_tick(workers, due);
	}
	cr_assert_eq(due, UINT64_MAX);
}

/* When to tick after they answered. */
static uint64_t lost_one(void)
{
	uint64_t due = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < 100 && due == UINT64_MAX; i++) {
		loop_wait(loop, 100);
		due = workers_tick(workers, 0);
	}
	return due;
}

/* These have no certificates, and lose every staple. */
Test(workers, are_given_again_what_they_lost_after_a_while, .init = start,
     .fini = stop)
{
	uint8_t byte = 0;
	uint64_t due;
	unsigned int i;

	config.workers = 1;
	clean_up();
	start();
	workers_tick(workers, loop_now_ms());
	items[1].der = (struct ocsp_bytes){ &byte, 1 };
	items[1].generation = 1;
	workers_staple(workers, 1);
	for (i = 0; i < 3; i++) {
		uint64_t begun = loop_now_ms();

		due = lost_one();
		cr_assert_neq(due, UINT64_MAX);
		cr_assert_geq(due, begun + 1000);
		cr_assert_not(workers_have(workers, 1));
		workers_staple(workers, 0);
		if (loop_now_ms() < due)
			cr_assert_eq(workers_tick(workers, due - 1), due,
				     "another one is no reason to disturb it");
		cr_assert_eq(workers_tick(workers, due), UINT64_MAX);
	}
}

Test(workers, are_killed_when_they_do_not_stop, .init = start)
{
	pid_t pid[WORKERS];
	uint64_t due;

	workers_tick(workers, loop_now_ms());
	cr_assert_eq(children(pid), WORKERS);
	kill(pid[2], SIGSTOP);
	workers_stop(workers);
	cr_assert_neq(reap(5000), pid[2]);
	cr_assert_neq(reap(5000), pid[2]);
	due = workers_tick(workers, loop_now_ms());
	cr_assert_leq(due, loop_now_ms() + 2200);
	cr_assert(workers_count(workers));
	workers_tick(workers, due);
	cr_assert_eq(reap(5000), pid[2]);
	cr_assert_not(workers_count(workers));
	cr_assert_eq(workers_tick(workers, due), due + 2000);
	clean_up();
}

/* Hears them until all are ready, or none will be. */
static int wait_until_ready(void)
{
	uint64_t end = loop_now_ms() + 5000;

	while (!workers_ready(workers) && loop_now_ms() < end) {
		loop_wait(loop, 10);
		reap(0);
	}
	return workers_ready(workers);
}

Test(workers, say_when_all_of_them_are_ready, .init = prepare, .fini = stop)
{
	pid_t pid[WORKERS];

	cr_assert_eq(workers_ready(workers), 0);
	workers_tick(workers, loop_now_ms());
	cr_assert_eq(wait_until_ready(), 1);
	cr_assert_eq(children(pid), WORKERS);
	workers_accept(workers);
	kill(pid[0], SIGKILL);
	cr_assert_eq(reap(5000), pid[0]);
	workers_tick(workers, loop_now_ms() + 100);
	cr_assert_eq(children(pid), WORKERS);
}

Test(workers, are_not_replaced_when_they_do_not_get_ready, .init = prepare,
     .fini = stop)
{
	pid_t pid[WORKERS];

	workers_tick(workers, loop_now_ms());
	cr_assert_eq(children(pid), WORKERS);
	kill(pid[1], SIGKILL);
	cr_assert_eq(reap(5000), pid[1]);
	cr_assert_eq(wait_until_ready(), -ECHILD);
	cr_assert_eq(workers_tick(workers, loop_now_ms() + 1000), UINT64_MAX);
	cr_assert_eq(workers_count(workers), WORKERS - 1);
	cr_assert_eq(metrics_master(metrics)->value[METRIC_WORKER_RESTARTS],
		     0);
}
