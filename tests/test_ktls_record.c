// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ktls/ktls.h"

/* Over a relay; records proper need a kernel: test_ktls_record_kernel.c. */
TestSuite(relayed, .timeout = 20);

static struct ktls_conn conn;
static int relay;	/* ktlsd's end */

static void open_pair(void)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	conn = (struct ktls_conn){ .fd = pair[0], .mode = KTLS_RELAY };
	relay = pair[1];
}

static void close_pair(void)
{
	if (conn.fd >= 0)
		close(conn.fd);
	close(relay);
}

Test(relayed, carries_data_both_ways, .init = open_pair, .fini = close_pair)
{
	char buf[16];

	cr_assert_eq(write(relay, "ping", 4), 4);
	cr_expect_eq(ktls_recv(&conn, buf, sizeof(buf)), 4);
	cr_expect_eq(ktls_send(&conn, "pong!", 5, 0), 5);
	cr_expect_eq(read(relay, buf, sizeof(buf)), 5);
}

/* What ktlsd does at the client's end, with or without a close_notify. */
static void client_ends(bool clean)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX };

	if (clean)
		cr_assert_eq(bind(relay, (const struct sockaddr *)&any,
				  sizeof(any.sun_family)),
			     0);
	shutdown(relay, SHUT_WR);
}

Test(relayed, tells_a_clean_end_by_the_relays_name, .init = open_pair,
     .fini = close_pair)
{
	char buf[16];

	cr_assert_eq(write(relay, "last", 4), 4);
	client_ends(true);
	cr_expect_eq(ktls_recv(&conn, buf, sizeof(buf)), 4);
	cr_expect_eq(ktls_recv(&conn, buf, sizeof(buf)), 0);
	cr_expect(conn.got_close);
	/* And our direction is still open. */
	cr_expect_eq(ktls_send(&conn, "reply", 5, 0), 5);
	cr_expect_eq(read(relay, buf, sizeof(buf)), 5);
	close(relay);
	cr_expect_eq(ktls_recv(&conn, buf, sizeof(buf)), 0, "again");
}

Test(relayed, tells_it_after_its_own_end_and_from_a_relay_that_is_gone,
     .init = open_pair, .fini = close_pair)
{
	char buf[16];

	cr_assert_eq(ktls_shutdown(&conn), 0);
	client_ends(true);
	close(relay);
	cr_expect_eq(ktls_recv(&conn, buf, sizeof(buf)), 0);
}

Test(relayed, says_an_end_without_a_name_is_a_truncation, .init = open_pair,
     .fini = close_pair)
{
	char buf[16];

	cr_assert_eq(write(relay, "half", 4), 4);
	client_ends(false);
	cr_expect_eq(ktls_recv(&conn, buf, sizeof(buf)), 4);
	cr_expect_eq(ktls_recv(&conn, buf, sizeof(buf)), -ECONNRESET);
	cr_expect(!conn.got_close);
	cr_expect_eq(ktls_send(&conn, "reply", 5, 0), 5);
	cr_expect_eq(read(relay, buf, sizeof(buf)), 5);
}

Test(relayed, says_a_relay_that_died_is_a_truncation, .init = open_pair,
     .fini = close_pair)
{
	char buf[16];

	close(relay);
	cr_expect_eq(ktls_recv(&conn, buf, sizeof(buf)), -ECONNRESET);
	cr_expect(!conn.got_close);
}

Test(relayed, gives_no_end_for_a_length_of_zero, .init = open_pair,
     .fini = close_pair)
{
	char buf[1];

	cr_expect_eq(ktls_recv(&conn, buf, 0), 0);
	cr_expect(!conn.got_close);
}

Test(relayed, says_eagain_when_there_is_nothing, .init = open_pair,
     .fini = close_pair)
{
	char buf[16];

	fcntl(conn.fd, F_SETFL, O_NONBLOCK);
	cr_expect_eq(ktls_recv(&conn, buf, sizeof(buf)), -EAGAIN);
}

Test(relayed, half_closes_at_shutdown, .init = open_pair, .fini = close_pair)
{
	char buf[16];

	cr_expect_eq(ktls_shutdown(&conn), 0);
	cr_expect(conn.sent_close);
	cr_expect_eq(ktls_shutdown(&conn), 0, "again");
	cr_expect_eq(read(relay, buf, sizeof(buf)), 0);
	cr_expect_eq(write(relay, "more", 4), 4);
	cr_expect_eq(ktls_recv(&conn, buf, sizeof(buf)), 4);
	cr_expect_eq(ktls_send(&conn, "x", 1, 0), -EPIPE, "and no SIGPIPE");
}

Test(relayed, closes_its_descriptor, .init = open_pair, .fini = close_pair)
{
	const int fd = conn.fd;

	ktls_close(&conn);
	cr_expect_eq(conn.fd, -1);
	cr_expect_eq(fcntl(fd, F_GETFD), -1);
}

Test(relayed, sends_a_file, .init = open_pair, .fini = close_pair)
{
	char name[] = "/tmp/test_ktls_record.XXXXXX", buf[16];
	const int fd = mkstemp(name);
	off_t offset = 2;

	cr_assert_geq(fd, 0);
	unlink(name);
	cr_assert_eq(write(fd, "0123456789", 10), 10);
	cr_expect_eq(ktls_sendfile(&conn, fd, &offset, 5), 5);
	cr_expect_eq(offset, 7);
	cr_expect_eq(read(relay, buf, sizeof(buf)), 5);
	cr_expect(!memcmp(buf, "23456", 5));
	close(fd);
	cr_expect_eq(ktls_sendfile(&conn, fd, &offset, 5), -EBADF);
}

/* The bytes of a client whose TLS is the consumer's to speak. */
Test(passed, is_a_plain_socket, .timeout = 20, .init = open_pair,
     .fini = close_pair)
{
	char buf[16];

	conn.mode = KTLS_PLAIN;
	cr_assert_eq(write(relay, "\x16\x03\x01", 3), 3);
	cr_expect_eq(ktls_recv(&conn, buf, sizeof(buf)), 3);
	cr_expect_arr_eq(buf, "\x16\x03\x01", 3);
	cr_expect_eq(ktls_send(&conn, "\x15\x03", 2, 0), 2);
	cr_expect_eq(recv(relay, buf, sizeof(buf), MSG_DONTWAIT), 2);
	cr_expect_eq(ktls_shutdown(&conn), 0);
	cr_expect_eq(recv(relay, buf, sizeof(buf), MSG_DONTWAIT), 0);
	/* Whether that is a clean end only TLS can tell. */
	shutdown(relay, SHUT_WR);
	cr_expect_eq(ktls_recv(&conn, buf, sizeof(buf)), 0);
	cr_expect_not(conn.got_close);
	ktls_close(&conn);
	cr_expect_eq(conn.fd, -1);
}

Test(relayed, judges_what_ones_own_receiving_came_to, .init = open_pair,
     .fini = close_pair)
{
	char buf[16];

	cr_expect_eq(ktls_recv_result(&conn, 5), 1, "data");
	cr_expect_eq(ktls_recv_result(&conn, -EINTR), 1);
	cr_expect_eq(ktls_recv_result(&conn, -EAGAIN), -EAGAIN);
	cr_expect_eq(ktls_recv_result(&conn, -EIO), -EIO, "of no relay");
	client_ends(true);
	cr_assert_eq(read(conn.fd, buf, sizeof(buf)), 0);
	cr_expect_eq(ktls_recv_result(&conn, 0), 0);
	cr_expect(conn.got_close);
	cr_expect_eq(ktls_recv_result(&conn, 0), 0, "again");
}

Test(relayed, judges_a_truncation_likewise, .init = open_pair,
     .fini = close_pair)
{
	client_ends(false);
	cr_expect_eq(ktls_recv_result(&conn, 0), -ECONNRESET);
	cr_expect(!conn.got_close);
}

Test(relayed, loses_nothing_when_a_full_socket_is_shut_down, .init = open_pair,
     .fini = close_pair)
{
	static char buf[65536];
	struct sockaddr_un name;
	socklen_t len = sizeof(name);
	size_t sent = 0, got = 0;
	ssize_t n;

	fcntl(conn.fd, F_SETFL, O_NONBLOCK);
	while ((n = ktls_send(&conn, buf, sizeof(buf), MSG_MORE)) > 0)
		sent += n;
	cr_assert_eq(n, -EAGAIN);
	cr_expect_eq(ktls_shutdown(&conn), 0);
	cr_expect(conn.sent_close);
	while ((n = read(relay, buf, sizeof(buf))) > 0)
		got += n;
	cr_expect_eq(n, 0);
	cr_expect_eq(got, sent);
	/* Its name says that the end is a clean one. */
	cr_assert_eq(getpeername(relay, (struct sockaddr *)&name, &len), 0);
	cr_expect_gt(len, sizeof(sa_family_t));
}

Test(relayed, gathers_and_knows_no_keys, .init = open_pair, .fini = close_pair)
{
	const struct iovec iov[] = { { "one, ", 5 }, { "two", 3 } };
	char buf[16];

	cr_expect_eq(ktls_writev(&conn, iov, 2), 8);
	cr_expect_eq(read(relay, buf, sizeof(buf)), 8);
	cr_expect(!memcmp(buf, "one, two", 8));
	cr_expect_eq(ktls_rekey(&conn, 0), -EOPNOTSUPP);
	cr_expect_eq(ktls_flush(&conn), 0);
	ktls_set_rekey(&conn, 1);
	cr_expect_eq(ktls_send(&conn, "still", 5, 0), 5);
}

Test(relayed, gives_its_descriptor_away, .init = open_pair, .fini = close_pair)
{
	const int fd = conn.fd;
	char byte;

	cr_expect_eq(ktls_release(&conn), fd);
	cr_expect_eq(conn.fd, -1);
	cr_expect_eq(write(relay, "x", 1), 1);
	cr_expect_eq(read(fd, &byte, 1), 1, "nothing was said or closed");
	close(fd);
}
