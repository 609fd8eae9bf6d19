// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ktls/descriptors.h"
#include "ktls/message.h"

TestSuite(accept, .timeout = 20);
TestSuite(accept_msg, .timeout = 20);

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

	return ktls_msg_encode(&info, NULL, buf, KTLS_MSG_MAX);
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

/* As a consumer receives that does it by itself. */
static union {
	char buf[KTLS_CONTROL_MAX];
	struct cmsghdr align;
} control;
static uint8_t received[KTLS_MSG_MAX];
static struct iovec received_iov = { received, sizeof(received) };
static struct msghdr received_msg;

static ssize_t receive_raw(void)
{
	received_msg = (struct msghdr){ .msg_iov = &received_iov,
					.msg_iovlen = 1,
					.msg_control = control.buf,
					.msg_controllen = sizeof(control) };
	return recvmsg(ends[0], &received_msg, MSG_DONTWAIT);
}

static int judge(struct ktls_conn *conn, struct ktls_info *info, int flags)
{
	return ktls_accept_msg(&received_msg, receive_raw(), HOLD_MS, conn,
			       info, flags);
}

/* Sends @msg with @n ends of pairs; returns the other end of the first. */
static int send_raw(const uint8_t *msg, size_t len, int n)
{
	int pair[2], fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fds[0] = fds[1] = pair[0];
	cr_assert_eq(ktls_send_fds(ends[1], msg, len, fds, n), 0);
	close(pair[0]);
	return pair[1];
}

Test(accept_msg, takes_what_others_received, .init = open_queue,
     .fini = close_queue)
{
	const int far = hand_off(0, 1);
	struct ktls_conn conn;
	struct ktls_info info;

	cr_assert_eq(judge(&conn, &info, SOCK_NONBLOCK | SOCK_CLOEXEC), 0);
	cr_expect_eq(conn.mode, KTLS_KERNEL);
	cr_expect_null(conn.rekey);
	cr_expect(info.alpn.len == 2 && !memcmp(info.alpn.data, "h2", 2));
	cr_expect(fcntl(conn.fd, F_GETFD) & FD_CLOEXEC);
	cr_expect(fcntl(conn.fd, F_GETFL) & O_NONBLOCK);
	close(conn.fd);
	close(far);
	cr_expect_eq(ktls_accept_msg(&received_msg, -EAGAIN, 0, &conn, NULL, 0),
		     -EAGAIN);
}

Test(accept_msg, says_that_one_waited_too_long_or_that_the_queue_has_gone,
     .init = open_queue, .fini = close_queue)
{
	const int before = open_fds(), far = hand_off(2 * HOLD_MS, 1);
	struct ktls_conn conn;

	cr_expect_eq(judge(&conn, NULL, 0), -ETIMEDOUT);
	close(far);
	cr_expect_eq(open_fds(), before);
	shutdown(ends[1], SHUT_RDWR);
	cr_expect_eq(judge(&conn, NULL, 0), -EPIPE);
}

Test(accept_msg, knows_the_flags_of_accept4_only, .init = open_queue,
     .fini = close_queue)
{
	const int before = open_fds(), far = hand_off(0, 1);
	struct ktls_conn conn;

	cr_expect_eq(ktls_accept(queue, &conn, NULL, 1), -EINVAL);
	cr_expect_eq(judge(&conn, NULL, 1), -EINVAL);
	close(far);
	cr_expect_eq(open_fds(), before);
}

#define SECRET "0123456789abcdef0123456789abcdef0123456789abcdef"

static struct ktls_bytes secret_of(size_t len)
{
	return (struct ktls_bytes){ (const uint8_t *)SECRET, len };
}

static ssize_t with_secrets(uint8_t *msg, size_t rx, size_t tx)
{
	const struct ktls_msg_secrets secrets = { secret_of(rx),
						  secret_of(tx) };
	const struct ktls_info info = { .mode = KTLS_KERNEL,
					.handoff_ns = now_ns() };

	return ktls_msg_encode(&info, &secrets, msg, KTLS_MSG_MAX);
}

static bool is_in(const uint8_t *buf, size_t len)
{
	return memmem(buf, len, SECRET, 16) != NULL;
}

Test(accept_msg, leaves_no_secret_in_the_message, .init = open_queue,
     .fini = close_queue)
{
	static const size_t lens[] = { 32, 48 };
	uint8_t msg[KTLS_MSG_MAX];
	struct ktls_conn conn;
	struct ktls_info info;
	int far;

	for (size_t i = 0; i < 2; i++) {
		const ssize_t len = with_secrets(msg, lens[i], lens[i]);

		cr_assert(is_in(msg, len));
		far = send_raw(msg, len, 1);
		cr_assert_eq(judge(&conn, &info, 0), 0);
		cr_expect_not_null(conn.rekey);
		cr_expect(!is_in(received, sizeof(received)));
		cr_expect_eq(info.mode, KTLS_KERNEL, "the rest is still there");
		close(ktls_release(&conn));
		cr_expect_null(conn.rekey);
		cr_expect_eq(conn.fd, -1);
		close(far);
	}
}

/* What is changed in a message that is right; @at from its end if negative. */
static const struct {
	const char *what;
	size_t rx, tx;
	int at, fds;
	uint8_t to;
	ssize_t cut;
	int said;
} bad[] = {
	{ "nothing", 32, 32, 0, 1, '\r', 0, 0 },
	{ "no secrets", 0, 0, 0, 1, '\r', 0, 0 },
	{ "another signature", 32, 32, 0, 1, 'x', 0, -EPROTO },
	{ "another version", 32, 32, 12, 1, 0x31, 0, -EPROTO },
	{ "a local command", 32, 32, 12, 1, 0x20, 0, -EPROTO },
	{ "another family", 32, 32, 13, 1, 0x31, 0, -EPROTO },
	{ "a wrong length", 32, 32, 15, 1, 1, 0, -EPROTO },
	{ "cut by one byte", 32, 32, 0, 1, '\r', 1, -EPROTO },
	{ "cut in a secret", 32, 32, 0, 1, '\r', 40, -EPROTO },
	{ "cut in its head", 32, 32, 0, 1, '\r', -8, -EPROTO },
	{ "no descriptor", 32, 32, 0, 0, '\r', 0, -EPROTO },
	{ "two descriptors", 32, 32, 0, 2, '\r', 0, -EPROTO },
	{ "a short secret", 31, 31, 0, 1, '\r', 0, -EPROTO },
	{ "a long secret", 47, 47, 0, 1, '\r', 0, -EPROTO },
	{ "secrets of two lengths", 32, 48, 0, 1, '\r', 0, -EPROTO },
	{ "one secret", 32, 0, 0, 1, '\r', 0, -EPROTO },
	{ "one twice", 32, 32, -35, 1, KTLS_SUB_RX_SECRET, 0, -EPROTO },
	{ "one of no known type", 32, 32, -35, 1, 0xee, 0, -EPROTO },
};

static size_t make_bad(uint8_t *msg, size_t i)
{
	const ssize_t len = with_secrets(msg, bad[i].rx, bad[i].tx);

	msg[bad[i].at < 0 ? len + bad[i].at : bad[i].at] = bad[i].to;
	return bad[i].cut < 0 ? (size_t)-bad[i].cut : (size_t)(len - bad[i].cut);
}

Test(accept_msg, keeps_nothing_of_a_bad_message, .init = open_queue,
     .fini = close_queue)
{
	const int before = open_fds();
	uint8_t msg[KTLS_MSG_MAX];
	struct ktls_conn conn;
	size_t len;
	int rc, far;

	for (size_t i = 0; i < 2 * sizeof(bad) / sizeof(*bad); i++) {
		len = make_bad(msg, i / 2);
		far = send_raw(msg, len, bad[i / 2].fds);
		rc = i % 2 ? judge(&conn, NULL, 0) :
			     ktls_accept(queue, &conn, NULL, 0);
		cr_expect_eq(rc, bad[i / 2].said, "%s: %d", bad[i / 2].what, rc);
		if (!rc)
			close(ktls_release(&conn));
		cr_expect(!is_in(received, sizeof(received)), "%s",
			  bad[i / 2].what);
		close(far);
		cr_expect_eq(open_fds(), before, "%s", bad[i / 2].what);
	}
}

Test(accept_msg, takes_secrets_of_kernel_connections_only, .init = open_queue,
     .fini = close_queue)
{
	uint8_t msg[KTLS_MSG_MAX];
	const ssize_t len = with_secrets(msg, 32, 32);
	struct ktls_conn conn;
	uint8_t *mode = memmem(msg, len, "\1\0\1\1\2", 5);
	int far;

	cr_assert_not_null(mode);
	for (mode[3] = 0; mode[3] <= KTLS_PLAIN; mode[3]++) {
		far = send_raw(msg, len, 1);
		cr_expect_eq(judge(&conn, NULL, 0),
			     mode[3] == KTLS_KERNEL ? 0 : -EPROTO);
		if (mode[3] == KTLS_KERNEL)
			close(ktls_release(&conn));
		close(far);
	}
}
