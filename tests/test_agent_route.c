// SPDX-License-Identifier: MIT
#include "agent/route.h"

#include <sys/un.h>
#include <time.h>

#include "agent/queue.h"
#include "agent_case.h"
#include "ktls/descriptors.h"
#include "ktls/message.h"
#include "ktls/register.h"

TestSuite(route, .timeout = 20);

#define GRACE_MS 1000
#define HOLD_MS 300

static const struct ktls_hello hello = {
	.magic = KTLS_REG_MAGIC,
	.version = KTLS_REG_VERSION,
};
static char dir[32], path[64];
static uid_t allowed[] = { 4711, 0 };
static struct config_route config = {
	.name = (char *)"web",
	.handoff = path,
	.mode = 0666,
	.queue = 64,
	.hold_timeout_ms = HOLD_MS,
};
static struct ktls_answer answer;
static struct ktls_fds given;
static struct route *route;
static int loop;

/* What a worker would know. */
static struct queue worker;
static struct metrics metrics;
static unsigned int n_added, n_removed, n_live;
static bool is_live;

static void on_added(void *arg, const struct route *r, uint64_t id,
		     int write_fd)
{
	(void)arg;
	cr_assert_eq(r, route);
	n_added++;
	queue_add(&worker, id, dup(write_fd));
}

static void on_removed(void *arg, const struct route *r, uint64_t id)
{
	(void)arg;
	cr_assert_eq(r, route);
	n_removed++;
	queue_remove(&worker, id);
}

static void on_live(void *arg, const struct route *r, bool live)
{
	(void)arg;
	(void)r;
	is_live = live;
	n_live++;
}

static const struct route_events events = { on_added, on_removed, on_live,
					    &metrics, NULL };

static void on_broken(struct queue *q, uint64_t id)
{
	(void)q;
	route_broken(route, id);
}

static void open_route(void)
{
	char error[256] = "";

	route = route_open(&config, -1, loop, &events, error, sizeof(error));
	cr_assert(route, "%s", error);
}

static void start(void)
{
	case_make_dir(dir);
	snprintf(path, sizeof(path), "%s/web.sock", dir);
	config.user = geteuid();
	config.group = getegid();
	queue_init(&worker);
	worker.hold_ms = 60000;
	worker.metrics = &metrics;
	worker.broken = on_broken;
	loop = loop_new();
	open_route();
}

static void stop(void)
{
	route_close(route);
	close(loop);
	case_remove_dir(dir, NULL);
}

/* What master does until nothing happens any more. */
static void run(void)
{
	unsigned int i;

	for (i = 0; i < 40; i++) {
		cr_assert_eq(loop_wait(loop, 0), 0);
		route_tick(route, loop_now_ms());
	}
}

static void run_for(unsigned int ms)
{
	uint64_t end = loop_now_ms() + ms, now, due;

	while ((now = loop_now_ms()) < end) {
		due = route_tick(route, now);
		due = due < end ? due : end;
		cr_assert_eq(loop_wait(loop, due > now ? (int)(due - now) : 0),
			     0);
	}
}

static int dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	cr_assert_eq(connect(fd, (void *)&addr, sizeof(addr)), 0);
	return fd;
}

static void make_queue(int pair[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				pair), 0);
}

/* Registers, with @offer unless it is NULL; leaves the answer to hear(). */
static int say_hello(const int *offer)
{
	int fd = dial();

	cr_assert_eq(ktls_send_fds(fd, &hello, sizeof(hello), offer,
				   offer ? 2 : 0), 0);
	run();
	return fd;
}

static int hear(int fd)
{
	ssize_t n = ktls_recv_fds(fd, &answer, sizeof(answer), &given,
				  MSG_CMSG_CLOEXEC);

	if (n != sizeof(answer))
		return n < 0 ? (int)n : -EPROTO;
	cr_assert_str_eq(answer.magic, KTLS_REG_MAGIC);
	return answer.status;
}

/* Hands connection @n to the workers' queue. */
static void handed_off(struct handoff *handoff, int result)
{
	cr_assert_eq(result, 0);
	free(handoff);
}

static void put(unsigned int n, unsigned int age_ms)
{
	static uint8_t msg[8][256];
	struct handoff *handoff = calloc(1, sizeof(*handoff));
	struct ktls_info info = {
		.mode = KTLS_KERNEL,
		.unique_id = { (uint8_t *)&n, sizeof(n) },
		.handoff_ns = (loop_now_ms() - age_ms) * 1000000,
	};

	handoff->fd = STDIN_FILENO;
	handoff->msg = msg[n % 8];
	handoff->msg_len = (size_t)ktls_msg_encode(&info, NULL, msg[n % 8], 256);
	handoff->done = handed_off;
	queue_push(&worker, handoff, 0);
}

/* The connection that a consumer takes from @fd, or -1. */
static int get(int fd)
{
	struct ktls_info info;
	struct ktls_fds fds;
	uint8_t msg[512];
	unsigned int n;
	ssize_t len = ktls_recv_fds(fd, msg, sizeof(msg), &fds, 0);

	if (len <= 0)
		return -1;
	cr_assert_eq(fds.n, 1);
	ktls_close_fds(&fds);
	cr_assert_eq(ktls_msg_decode(&info, NULL, msg, (size_t)len), 0);
	memcpy(&n, info.unique_id.data, sizeof(n));
	return (int)n;
}

/* --- registering ------------------------------------------------------- */

Test(route, gives_a_queue_once_the_grace_period_is_over, .init = start,
     .fini = stop)
{
	uint64_t before = loop_now_ms();
	int fd = say_hello(NULL), other = say_hello(NULL);
	int read_end;

	cr_assert_eq(hear(fd), -EAGAIN);
	cr_assert_eq(route_registrations(route), 0);
	while (!case_readable(fd, 0))
		run_for(20);
	cr_assert_geq(loop_now_ms(), before + GRACE_MS - 50);
	cr_assert_eq(hear(fd), KTLS_REG_OK);
	cr_assert_eq(answer.hold_ms, HOLD_MS);
	cr_assert_eq(given.n, 2);
	read_end = given.fd[0];
	put(1, 0);
	cr_assert_eq(get(read_end), 1);
	/* The other one got the same queue. */
	cr_assert_eq(hear(other), KTLS_REG_OK);
	put(2, 0);
	cr_assert_eq(get(given.fd[0]), 2);
	put(3, 0);
	cr_assert_eq(get(read_end), 3);
	cr_assert_eq(route_registrations(route), 2);
	cr_assert_eq(n_added, 1);
}

Test(route, serves_at_once_those_that_waited_when_an_offer_comes,
     .init = start, .fini = stop)
{
	int waits = say_hello(NULL), offer[2], offers;

	make_queue(offer);
	offers = say_hello(offer);
	cr_assert_eq(hear(offers), KTLS_REG_ADOPTED);
	cr_assert_eq(given.n, 0);
	cr_assert_eq(hear(waits), KTLS_REG_OK);
	put(1, 0);
	cr_assert_eq(get(given.fd[0]), 1);
	put(2, 0);
	cr_assert_eq(get(offer[0]), 2);
	cr_assert_eq(n_added, 1);
}

Test(route, knows_by_its_inode_that_a_queue_was_offered_before, .init = start,
     .fini = stop)
{
	unsigned int before;
	int offer[2], one;

	make_queue(offer);
	one = say_hello(offer);
	cr_assert_eq(hear(one), KTLS_REG_ADOPTED);
	before = case_fds();
	cr_assert_eq(hear(say_hello(offer)), KTLS_REG_ADOPTED);
	cr_assert_eq(n_added, 1);
	cr_assert_eq(case_fds(), before + 2, "two ends of the connection");
	/* It lives as long as one of the two does. */
	close(one);
	run();
	cr_assert_eq(route_registrations(route), 1);
	cr_assert_eq(n_removed, 0);
}

Test(route, says_when_its_first_consumer_comes_and_its_last_one_goes,
     .init = start, .fini = stop)
{
	int offer[2], one, other;

	make_queue(offer);
	cr_assert_eq(n_live, 0);
	one = say_hello(offer);
	cr_assert_eq(hear(one), KTLS_REG_ADOPTED);
	cr_assert(n_live == 1 && is_live);
	other = say_hello(NULL);
	cr_assert_eq(hear(other), KTLS_REG_OK);
	close(one);
	run();
	cr_assert_eq(n_live, 1);
	close(other);
	run();
	cr_assert(n_live == 2 && !is_live);
	cr_assert_eq(route_registrations(route), 0);
}

Test(route, says_whether_ipv6_may_come_by_the_configuration_of_the_day,
     .init = start, .fini = stop)
{
	struct config_route next = config;
	int offer[2];

	make_queue(offer);
	cr_assert_eq(hear(say_hello(offer)), KTLS_REG_ADOPTED);
	cr_expect_eq(answer.flags, 0);
	next.ipv6 = true;
	route_update(route, &next);
	cr_assert_eq(hear(say_hello(NULL)), KTLS_REG_OK);
	cr_expect_eq(answer.flags, KTLS_REG_IPV6);
	route_update(route, &config);
	cr_assert_eq(hear(say_hello(offer)), KTLS_REG_ADOPTED);
	cr_expect_eq(answer.flags, 0);
}

Test(route, takes_what_a_queue_held_when_it_was_offered, .init = start,
     .fini = stop)
{
	int offer[2];

	make_queue(offer);
	queue_add(&worker, 77, dup(offer[1]));
	put(1, 0);
	queue_remove(&worker, 77);
	cr_assert_eq(hear(say_hello(offer)), KTLS_REG_ADOPTED);
	put(2, 0);
	cr_assert_eq(get(offer[0]), 1);
	cr_assert_eq(get(offer[0]), 2);
}

/* --- refusals ---------------------------------------------------------- */

static void refuses_offer(int a, int b, const char *why)
{
	unsigned int before = case_fds();
	int fd = say_hello((int[]){ a, b });

	cr_expect_eq(hear(fd), KTLS_REG_BAD_OFFER, "%s", why);
	cr_expect(strstr(answer.text, why), "%s, not %s", answer.text, why);
	cr_expect_eq(hear(fd), -EPROTO, "and then the end");
	close(fd);
	cr_expect_eq(case_fds(), before, "%s", why);
}

Test(route, refuses_offers_that_are_no_queue, .init = start, .fini = stop)
{
	int one[2], two[2], pipes[2], full[2];

	make_queue(one);
	make_queue(two);
	make_queue(full);
	cr_assert_eq(pipe(pipes), 0);
	refuses_offer(one[0], two[1], "not connected");
	refuses_offer(one[0], one[0], "not connected");
	refuses_offer(pipes[0], pipes[1], "SEQPACKET");
	refuses_offer(one[0], STDIN_FILENO, "SEQPACKET");
	cr_assert_eq(send(full[1], "x", 1, 0), 1);
	refuses_offer(full[1], full[0], "swapped");
	shutdown(two[0], SHUT_RDWR);
	refuses_offer(two[0], two[1], "shut down");
	cr_assert_eq(n_added, 0);
	cr_assert_eq(hear(say_hello(one)), KTLS_REG_ADOPTED);
}

Test(route, does_not_wait_for_a_refused_descriptor, .init = start,
     .fini = stop)
{
	int silent, lingers = case_lingering(&silent), fd = dial();
	int offer[2] = { lingers, STDIN_FILENO };
	time_t began = time(NULL);

	cr_assert_eq(ktls_send_fds(fd, &hello, sizeof(hello), offer, 2), 0);
	close(lingers);
	run();
	cr_assert_eq(hear(fd), KTLS_REG_BAD_OFFER);
	cr_assert_lt(time(NULL) - began, CASE_LINGER_S - 1);
	close(silent);
	close(fd);
}

Test(route, refuses_a_hello_with_one_descriptor_or_three, .init = start,
     .fini = stop)
{
	unsigned int before = case_fds();
	struct iovec iov = { (void *)&hello, sizeof(hello) };
	size_t n;
	int fd;

	for (n = 1; n <= 3; n += 2) {
		union {
			struct cmsghdr align;
			char space[CMSG_SPACE(3 * sizeof(int))];
		} control = { .align = { CMSG_LEN(n * sizeof(int)), SOL_SOCKET,
					 SCM_RIGHTS } };
		struct msghdr hdr = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = CMSG_SPACE(n * sizeof(int)),
		};

		fd = dial();
		cr_assert_eq(sendmsg(fd, &hdr, 0), (ssize_t)sizeof(hello));
		run();
		cr_expect_eq(hear(fd), KTLS_REG_BAD_OFFER);
		cr_expect(strstr(answer.text, "two"), "%s", answer.text);
		close(fd);
		run();
		cr_expect_eq(case_fds(), before);
	}
}

Test(route, refuses_another_version_and_another_protocol, .init = start,
     .fini = stop)
{
	struct ktls_hello other = hello;
	int offer[2], fd = dial();
	unsigned int before;

	make_queue(offer);
	before = case_fds();
	other.version++;
	ktls_send_fds(fd, &other, sizeof(other), offer, 2);
	run();
	cr_expect_eq(hear(fd), KTLS_REG_BAD_VERSION);
	cr_expect_eq(answer.version, KTLS_REG_VERSION);
	close(fd);
	fd = dial();
	cr_assert_eq(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	run();
	cr_expect_eq(hear(fd), KTLS_REG_BAD_VERSION);
	cr_expect(strstr(answer.text, "handoff(7)"), "%s", answer.text);
	close(fd);
	run();
	cr_expect_eq(case_fds(), before - 1);
}

static int peer[2];

static void send_hello_as_nobody(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	CHECK(!setresuid(CASE_NOBODY, CASE_NOBODY, CASE_NOBODY));
	strcpy(addr.sun_path, path);
	peer[0] = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CHECK(!connect(peer[0], (void *)&addr, sizeof(addr)));
	CHECK(send(peer[0], &hello, sizeof(hello), 0) == sizeof(hello));
	/* The test's own process answers in the meantime. */
	CHECK(write(peer[1], "x", 1) == 1);
	CHECK(case_readable(peer[0], 5000));
	CHECK(hear(peer[0]) == KTLS_REG_REFUSED);
	CHECK(strstr(answer.text, "65534"));
	CHECK(strstr(answer.text, "allow_uids"));
	CHECK(strstr(answer.text, "web"));
}

Test(route, tells_a_user_that_may_not_register_which_key_to_set,
     .init = start, .fini = stop)
{
	int pipes[2], status;
	pid_t pid;

	if (geteuid())
		cr_skip_test("needs root to become somebody else");
	config.allow_uids = allowed;
	config.n_allow_uids = 1;
	cr_assert_eq(pipe(pipes), 0);
	peer[1] = pipes[1];
	pid = fork();
	cr_assert_geq(pid, 0);
	if (!pid) {
		send_hello_as_nobody();
		_exit(0);
	}
	/* The hello is there before the connection is accepted. */
	cr_assert(case_readable(pipes[0], 5000));
	run();
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	cr_assert_eq(route_registrations(route), 0);
}

Test(route, lets_a_listed_user_register, .init = start, .fini = stop)
{
	int offer[2];

	allowed[1] = geteuid();
	config.allow_uids = allowed;
	config.n_allow_uids = 2;
	make_queue(offer);
	cr_assert_eq(hear(say_hello(offer)), KTLS_REG_ADOPTED);
	config.n_allow_uids = 0;
}

Test(route, refuses_more_queues_than_its_workers_can_use, .init = start,
     .fini = stop)
{
	int offer[2], i;

	for (i = 0; i < QUEUE_ENDS; i++) {
		make_queue(offer);
		cr_assert_eq(hear(say_hello(offer)), KTLS_REG_ADOPTED);
	}
	cr_assert_eq(hear(say_hello(offer)), KTLS_REG_ADOPTED, "known");
	make_queue(offer);
	cr_assert_eq(hear(say_hello(offer)), KTLS_REG_ERROR);
	cr_assert(strstr(answer.text, "queues"), "%s", answer.text);
	cr_assert_eq(n_added, QUEUE_ENDS);
}

Test(route, takes_any_number_of_queues_one_after_the_other, .init = start,
     .fini = stop)
{
	unsigned int before = case_fds();
	int offer[2], fd, i;

	for (i = 0; i < 100; i++) {
		make_queue(offer);
		fd = say_hello(offer);
		cr_assert_eq(hear(fd), KTLS_REG_ADOPTED, "offer %d", i);
		put((unsigned int)i, 0);
		cr_assert_eq(get(offer[0]), i, "the workers have it");
		close(offer[0]);
		close(offer[1]);
		close(fd);
		run();
	}
	cr_assert_leq(case_fds(), before + 140);
}

Test(route, ends_with_whoever_says_more_than_hello, .init = start,
     .fini = stop)
{
	int offer[2], fd;

	make_queue(offer);
	fd = say_hello(offer);
	cr_assert_eq(hear(fd), KTLS_REG_ADOPTED);
	cr_assert_eq(send(fd, &hello, sizeof(hello), 0), sizeof(hello));
	run();
	cr_assert_eq(hear(fd), -EPROTO);
	cr_assert_eq(route_registrations(route), 0);
}

/* --- queues without a consumer ----------------------------------------- */

Test(route, keeps_a_queue_for_the_next_consumer, .init = start, .fini = stop)
{
	int offer[2], fd;

	make_queue(offer);
	fd = say_hello(offer);
	cr_assert_eq(hear(fd), KTLS_REG_ADOPTED);
	close(fd);
	close(offer[0]);
	close(offer[1]);
	run();
	cr_assert_eq(route_registrations(route), 0);
	put(1, 0);
	put(2, 0);
	cr_assert_null(worker.first, "they wait in the queue");
	cr_assert_eq(hear(say_hello(NULL)), KTLS_REG_OK);
	cr_assert_eq(get(given.fd[0]), 1);
	cr_assert_eq(get(given.fd[0]), 2);
}

Test(route, drops_what_waited_too_long_and_keeps_the_rest, .init = start,
     .fini = stop)
{
	int offer[2], fd;

	make_queue(offer);
	fd = say_hello(offer);
	cr_assert_eq(hear(fd), KTLS_REG_ADOPTED);
	put(1, 2 * HOLD_MS);
	run();
	cr_assert_eq(get(offer[0]), 1, "a live consumer judges itself");
	close(fd);
	put(2, 2 * HOLD_MS);
	put(3, 0);
	run_for(20);
	cr_assert_eq(get(offer[0]), 3);
	cr_assert_eq(metrics.value[METRIC_QUEUE_EXPIRED], 1);
	put(4, 0);
	run_for(HOLD_MS + 600);
	cr_assert_eq(get(offer[0]), -1);
	cr_assert_eq(metrics.value[METRIC_QUEUE_EXPIRED], 2);
}

static int leave(int *fd)
{
	int offer[2];

	make_queue(offer);
	*fd = say_hello(offer);
	cr_assert_eq(hear(*fd), KTLS_REG_ADOPTED);
	close(offer[1]);
	return offer[0];
}

Test(route, moves_what_waits_in_a_dead_queue_to_a_live_one, .init = start,
     .fini = stop)
{
	unsigned int before = case_fds();
	int first, second, one, two;

	one = leave(&first);
	put(1, 0);
	put(2, 0);
	two = leave(&second);
	close(one);
	close(first);
	run();
	cr_assert_eq(get(two), 1);
	cr_assert_eq(get(two), 2);
	cr_assert_eq(n_removed, 1);
	put(3, 0);
	cr_assert_eq(get(two), 3);
	run_for(1500);
	close(two);
	close(second);
	run();
	cr_assert_eq(case_fds(), before + 3, "one queue, and its worker's end");
}

/* There is room for a part of them; the rest must not be forgotten. */
Test(route, moves_all_even_when_the_live_queue_was_full, .init = start,
     .fini = stop)
{
	int first, second, one, two, i, n = 0;

	config.queue = 8;
	one = leave(&first);
	for (i = 0; !worker.first && i < 100; i++)
		put((unsigned int)i, 0);
	free(worker.first);
	queue_init(&worker);
	i--;
	worker.n_ends = 0;
	two = leave(&second);
	close(one);
	close(first);
	while (n < i) {
		run_for(10);
		while (get(two) == n)
			n++;
	}
}

/* A worker hears later that a queue is dead; what it sent there counts. */
Test(route, moves_what_a_worker_sent_to_a_queue_just_given_up, .init = start,
     .fini = stop)
{
	struct queue late;
	int first, second, one, two;

	one = leave(&first);
	queue_init(&late);
	queue_add(&late, 1, dup(worker.end[0].fd));
	two = leave(&second);
	close(one);
	close(first);
	run();
	cr_assert_eq(n_removed, 1);
	late.metrics = &metrics;
	late.broken = on_broken;
	worker = late;
	put(1, 0);
	cr_assert_null(worker.first);
	run_for(100);
	cr_assert_eq(get(two), 1);
}

Test(route, gives_nobody_a_queue_that_was_shut_down, .init = start,
     .fini = stop)
{
	int offer[2], fd;

	make_queue(offer);
	fd = say_hello(offer);
	cr_assert_eq(hear(fd), KTLS_REG_ADOPTED);
	close(fd);
	run();
	shutdown(offer[0], SHUT_RDWR);
	fd = say_hello(NULL);
	while (!case_readable(fd, 0))
		run_for(20);
	cr_assert_eq(hear(fd), KTLS_REG_OK);
	put(1, 0);
	cr_assert_eq(get(given.fd[0]), 1);
}

Test(route, ends_the_registrations_of_a_queue_that_broke, .init = start,
     .fini = stop)
{
	int first, second, one = leave(&first), two = leave(&second);

	shutdown(one, SHUT_RDWR);
	put(1, 0);
	put(2, 0);
	run();
	cr_assert_eq(route_registrations(route), 1);
	cr_assert_eq(hear(first), -EPROTO, "the end");
	cr_assert_eq(get(two), 1);
	cr_assert_eq(get(two), 2);
	route_broken(route, 12345);
}

/* --- the end ----------------------------------------------------------- */

static void announced(void *arg, const struct route *r, uint64_t id, int fd)
{
	cr_expect_eq(r, route);
	(void)id;
	(void)fd;
	++*(unsigned int *)arg;
}

Test(route, announces_its_queues_to_a_new_worker, .init = start, .fini = stop)
{
	unsigned int n = 0;
	int first, second;

	route_announce(route, announced, &n);
	cr_assert_eq(n, 0);
	leave(&first);
	leave(&second);
	route_announce(route, announced, &n);
	cr_assert_eq(n, 2);
	close(first);
	run();
	n = 0;
	route_announce(route, announced, &n);
	cr_assert_eq(n, 1);
}

Test(route, is_not_kept_busy_by_those_who_say_nothing, .init = start,
     .fini = stop)
{
	int fd[400], offer[2];
	size_t i;

	for (i = 0; i < COUNT(fd); i++) {
		fd[i] = dial();
		if (i % 30 == 29)
			run();
	}
	make_queue(offer);
	cr_assert_eq(hear(say_hello(offer)), KTLS_REG_ADOPTED);
	cr_assert(case_readable(fd[0], 0), "the first had to go");
	for (i = 0; i < COUNT(fd); i++)
		close(fd[i]);
}

Test(route, forgets_a_consumer_that_says_nothing, .init = start, .fini = stop)
{
	int silent = dial();

	run();
	cr_assert_geq(route_tick(route, loop_now_ms()), loop_now_ms() + 4000);
	route_tick(route, loop_now_ms() + 6000);
	cr_assert_eq(hear(silent), -EPROTO);
	cr_assert_eq(route_tick(route, loop_now_ms()), UINT64_MAX);
}

/* The room of a queue in bytes, by what the kernel says of its write end. */
static int room(int write_fd)
{
	int bytes = 0;
	socklen_t len = sizeof(bytes);

	cr_assert_eq(getsockopt(write_fd, SOL_SOCKET, SO_SNDBUF, &bytes, &len),
		     0);
	return bytes;
}

Test(route, goes_by_another_configuration_with_all_that_it_has, .init = start,
     .fini = stop)
{
	struct config_route next = config;
	struct stat st;
	int first, one, old;

	one = leave(&first);
	old = room(worker.end[0].fd);
	next.mode = 0600;
	next.queue = 2 * config.queue;
	next.hold_timeout_ms = 2 * HOLD_MS;
	route_update(route, &next);
	cr_expect_eq(n_added, 1);
	cr_expect_eq(n_removed, 0);
	cr_expect_eq(route_registrations(route), 1);
	cr_expect_eq(room(worker.end[0].fd), 2 * old);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	put(1, 0);
	cr_expect_eq(get(one), 1);
	cr_assert_eq(hear(say_hello(NULL)), KTLS_REG_OK);
	cr_expect_eq(answer.hold_ms, 2 * HOLD_MS);
	route_update(route, &config);
	close(one);
	close(first);
}

Test(route, makes_room_in_a_queue_that_it_has_never_seen, .init = start,
     .fini = stop)
{
	int offer[2], one, small;

	make_queue(offer);
	small = room(offer[1]);
	config.queue = 2048;
	one = say_hello(offer);
	cr_assert_eq(hear(one), KTLS_REG_ADOPTED);
	cr_expect_eq(answer.hold_ms, HOLD_MS);
	if (geteuid() == 0)
		cr_expect_geq(room(offer[1]), 2048 * 1280);
	cr_expect_gt(room(offer[1]), small);
	close(one);
	close(offer[0]);
	close(offer[1]);
}

Test(route, closes_everything_and_leaves_the_queues_to_their_holders,
     .init = start, .fini = stop)
{
	unsigned int before = case_fds();
	int first, one = leave(&first), silent = dial();

	run();
	route_close(route);
	route = NULL;
	cr_assert(access(path, F_OK));
	cr_assert_eq(hear(first), -EPROTO);
	cr_assert_eq(hear(silent), -EPROTO);
	cr_assert_eq(n_removed, 0);
	put(1, 0);
	cr_assert_eq(get(one), 1);
	close(one);
	close(first);
	close(silent);
	cr_assert_eq(case_fds(), before - 1 + 1, "the worker's own end");
}

/* --- a proxy's -------------------------------------------------------------- */

static struct config_backend server = { .text = (char *)"unix:/x" };
static struct config_route proxied = {
	.name = (char *)"legacy", .queue = 16, .hold_timeout_ms = 5000,
	.proxy = { .backends = &server, .n = 1 },
};

static void start_proxied(void)
{
	char error[128];

	loop = loop_new();
	n_added = n_removed = n_live = 0;
	route = route_open(&proxied, -1, loop, &events, error, sizeof(error));
	cr_assert(route);
}

static void stop_proxied(void)
{
	route_close(route);
	close(loop);
}

Test(route, registers_a_proxy_at_once_and_as_any_other, .init = start_proxied,
     .fini = stop_proxied)
{
	int fd = route_register(route, 4711, 1, 2);

	cr_assert_geq(fd, 0);
	cr_assert_eq(send(fd, &hello, sizeof(hello), 0), sizeof(hello));
	run_for(20);
	cr_expect_eq(hear(fd), KTLS_REG_OK);
	cr_expect_eq(given.n, 2);
	ktls_close_fds(&given);
	cr_expect_eq(route_registrations(route), 1);
	close(fd);
	run_for(20);
	cr_expect_eq(route_registrations(route), 0);
}

Test(route, knows_one_without_a_path_by_its_name, .init = start_proxied,
     .fini = stop_proxied)
{
	struct config_route other = { .name = (char *)"legacy" };

	cr_expect(route_is(route, &other));
	other.name = (char *)"web";
	cr_expect_not(route_is(route, &other));
	other = (struct config_route){ .name = (char *)"legacy",
				       .handoff = (char *)"legacy" };
	cr_expect_not(route_is(route, &other));
}
