// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ktls/descriptors.h"
#include "ktls/message.h"

TestSuite(accept, .timeout = 20);

#define HOLD_MS 1000

static int ends[2];	/* read end, write end */
static struct ktls_queue *queue;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static void open_queue(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				ends),
		     0);
	queue = ktls_queue_new(ends[0], HOLD_MS);
	cr_assert(queue);
}

static void close_queue(void)
{
	ktls_queue_free(queue);
	close(ends[0]);
	close(ends[1]);
}

/* A message that was handed off @age_ms ago. */
static ssize_t make_message(uint8_t *buf, unsigned int age_ms)
{
	const struct ktls_info info = {
		.mode = KTLS_KERNEL,
		.handoff_ns = now_ns() - age_ms * UINT64_C(1000000),
		.alpn = { (const uint8_t *)"h2", 2 },
	};

	return ktls_msg_encode(&info, buf, KTLS_MSG_MAX);
}

static int lowest_free(void)
{
	const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/*
 * No descriptor from @n on. To be undone before the test ends: what reports
 * leaks then opens files.
 */
static void limit_descriptors(rlim_t n)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = n;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static rlim_t descriptor_limit(void)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	return limit.rlim_cur;
}

/* Sends @n ends of socket pairs, keeps the other end of the first. */
static int hand_off(unsigned int age_ms, int n)
{
	uint8_t buf[KTLS_MSG_MAX];
	const ssize_t len = make_message(buf, age_ms);
	int pair[2], other[2], fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	fds[0] = pair[0];
	fds[1] = other[0];
	cr_assert_eq(ktls_send_fds(ends[1], buf, len, fds, n), 0);
	close(pair[0]);
	close(other[0]);
	close(other[1]);
	return pair[1];
}

Test(accept, takes_a_connection_and_what_is_known_of_it, .init = open_queue,
     .fini = close_queue)
{
	const int far = hand_off(0, 1);
	struct ktls_conn conn;
	struct ktls_info info;
	char byte = 0;

	cr_assert_eq(ktls_accept(queue, &conn, &info, SOCK_CLOEXEC), 0);
	cr_expect_eq(conn.mode, KTLS_KERNEL);
	cr_expect_eq(info.alpn.len, 2);
	cr_expect(!memcmp(info.alpn.data, "h2", 2));
	cr_expect(fcntl(conn.fd, F_GETFD) & FD_CLOEXEC);
	cr_expect(!(fcntl(conn.fd, F_GETFL) & O_NONBLOCK));
	cr_assert_eq(write(far, "x", 1), 1);
	cr_assert_eq(read(conn.fd, &byte, 1), 1);
	cr_expect_eq(byte, 'x');
	close(conn.fd);
	close(far);
}

Test(accept, sets_only_the_flags_that_are_asked_for, .init = open_queue,
     .fini = close_queue)
{
	const int far = hand_off(0, 1);
	struct ktls_conn conn;

	cr_assert_eq(ktls_accept(queue, &conn, NULL, SOCK_NONBLOCK), 0);
	cr_expect(fcntl(conn.fd, F_GETFL) & O_NONBLOCK);
	cr_expect(!(fcntl(conn.fd, F_GETFD) & FD_CLOEXEC));
	cr_expect(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK));
	close(conn.fd);
	close(far);
}

Test(accept, says_eagain_on_an_empty_queue, .init = open_queue,
     .fini = close_queue)
{
	struct ktls_conn conn;

	cr_expect_eq(ktls_accept(queue, &conn, NULL, 0), -EAGAIN);
}

Test(accept, says_epipe_when_the_queue_was_shut_down, .init = open_queue,
     .fini = close_queue)
{
	struct ktls_conn conn;

	shutdown(ends[1], SHUT_RDWR);
	cr_expect_eq(ktls_accept(queue, &conn, NULL, 0), -EPIPE);
}

Test(accept, closes_every_descriptor_of_a_message_with_two, .init = open_queue,
     .fini = close_queue)
{
	struct ktls_conn conn;
	const int far = hand_off(0, 2), before = open_fds();
	char byte;

	cr_expect_eq(ktls_accept(queue, &conn, NULL, 0), -EPROTO);
	cr_expect_eq(open_fds(), before);
	cr_expect_eq(read(far, &byte, 1), 0, "its connection is still open");
	cr_expect_eq(ktls_accept(queue, &conn, NULL, 0), -EAGAIN);
	close(far);
}

Test(accept, drops_a_message_without_a_descriptor, .init = open_queue,
     .fini = close_queue)
{
	struct ktls_conn conn;

	close(hand_off(0, 0));
	cr_expect_eq(ktls_accept(queue, &conn, NULL, 0), -EPROTO);
	cr_expect_eq(ktls_accept(queue, &conn, NULL, 0), -EAGAIN);
}

static const struct {
	const char *what;
	size_t cut, len;	/* bytes off the end; or a length to send */
} broken[] = {
	{ "one byte too few", 1, 0 },
	{ "longer than any message", 0, KTLS_MSG_MAX + 1 },
	{ "a single byte", 0, 1 },
	{ "empty", 0, 0 },
};

Test(accept, closes_what_comes_with_a_broken_message, .init = open_queue,
     .fini = close_queue)
{
	static uint8_t buf[KTLS_MSG_MAX + 1];
	struct ktls_conn conn;
	int pair[2];
	char byte;

	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		ssize_t len = make_message(buf, 0);

		len = broken[i].cut ? len - (ssize_t)broken[i].cut :
				      (ssize_t)broken[i].len;
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		cr_assert_eq(ktls_send_fds(ends[1], buf, len, pair, 1), 0);
		close(pair[0]);
		cr_expect_eq(ktls_accept(queue, &conn, NULL, 0), -EPROTO, "%s",
			     broken[i].what);
		cr_expect_eq(read(pair[1], &byte, 1), 0, "%s", broken[i].what);
		close(pair[1]);
	}
}

Test(accept, closes_connections_that_waited_too_long, .init = open_queue,
     .fini = close_queue)
{
	const int old = hand_off(HOLD_MS + 100, 1);
	const int fresh = hand_off(HOLD_MS / 2, 1);
	struct ktls_conn conn;
	char byte;

	cr_assert_eq(ktls_accept(queue, &conn, NULL, 0), 0);
	cr_expect_eq(read(old, &byte, 1), 0);
	cr_expect_eq(write(conn.fd, "x", 1), 1);
	cr_expect_eq(read(fresh, &byte, 1), 1);
	close(conn.fd);
	close(old);
	close(fresh);
}

Test(accept, keeps_the_oldest_where_no_limit_is_set, .init = open_queue,
     .fini = close_queue)
{
	const int far = hand_off(10 * HOLD_MS, 1);
	struct ktls_queue *unlimited = ktls_queue_new(ends[0], 0);
	struct ktls_conn conn;

	cr_assert_eq(ktls_accept(unlimited, &conn, NULL, 0), 0);
	close(conn.fd);
	close(far);
	ktls_queue_free(unlimited);
}

Test(accept, takes_nothing_at_the_descriptor_limit, .init = open_queue,
     .fini = close_queue)
{
	enum { CONNECTIONS = 3 };
	const rlim_t before = descriptor_limit();
	int far[CONNECTIONS], taken[CONNECTIONS];
	struct ktls_conn conn;
	char byte;

	for (int i = 0; i < CONNECTIONS; i++)
		far[i] = hand_off(0, 1);
	/* The table is full but for the reserve. */
	limit_descriptors(lowest_free());

	cr_assert_eq(ktls_accept(queue, &conn, NULL, 0), 0);
	taken[0] = conn.fd;
	for (int i = 0; i < 3; i++)
		cr_assert_eq(ktls_accept(queue, &conn, NULL, 0), -EMFILE);

	/* Each that is closed makes room for one, and none was destroyed. */
	for (int i = 1; i < CONNECTIONS; i++) {
		close(taken[i - 1]);
		cr_assert_eq(ktls_accept(queue, &conn, NULL, 0), 0);
		taken[i] = conn.fd;
		cr_assert_eq(write(conn.fd, "x", 1), 1);
		cr_assert_eq(read(far[i], &byte, 1), 1);
		cr_assert_eq(ktls_accept(queue, &conn, NULL, 0), -EMFILE);
	}
	close(taken[CONNECTIONS - 1]);
	cr_expect_eq(ktls_accept(queue, &conn, NULL, 0), -EAGAIN);
	limit_descriptors(before);
}

Test(accept, says_what_was_lost_when_others_took_the_place, .init = open_queue,
     .fini = close_queue)
{
	const rlim_t before = descriptor_limit();
	const int far = hand_off(0, 1);
	struct ktls_conn conn;
	char byte;

	/* The limit is lowered below the reserve: to give it up is no help. */
	limit_descriptors(1);
	cr_expect_eq(ktls_accept(queue, &conn, NULL, 0), -ECONNABORTED);
	cr_expect_eq(ktls_accept(queue, &conn, NULL, 0), -EMFILE);
	limit_descriptors(before);
	cr_expect_eq(read(far, &byte, 1), 0);
}

Test(accept, needs_a_descriptor_to_begin_with)
{
	const rlim_t before = descriptor_limit();

	limit_descriptors(lowest_free());
	errno = 0;
	cr_expect_null(ktls_queue_new(0, 0));
	cr_expect_eq(errno, EMFILE);
	limit_descriptors(before);
	ktls_queue_free(NULL);
}
