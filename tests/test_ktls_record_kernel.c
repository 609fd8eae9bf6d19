// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "ktls/install.h"
#include "ktls/ktls.h"

/*
 * On kTLS sockets over loopback: `ours` is used through libktls, `peer` is
 * kTLS too, so that it can send any record, or plain TCP for broken ones.
 */
TestSuite(kernel, .timeout = 60);

static struct ktls_conn ours;
static int peer = -1;

static void open_tcp(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	const int listener = socket(AF_INET, SOCK_STREAM, 0);
	const int on = 1;

	cr_assert_eq(bind(listener, (struct sockaddr *)&addr, len), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	peer = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(connect(peer, (struct sockaddr *)&addr, len), 0);
	setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	ours = (struct ktls_conn){ .fd = accept(listener, NULL, NULL),
				   .mode = KTLS_KERNEL };
	cr_assert_geq(ours.fd, 0);
	close(listener);
}

static struct ktls_keys make_keys(uint16_t version, enum ktls_cipher cipher)
{
	struct ktls_keys keys = { .version = version, .cipher = cipher };

	memset(keys.tx.key, 1, sizeof(keys.tx.key));
	memset(keys.rx.key, 2, sizeof(keys.rx.key));
	memset(keys.tx.iv, 3, sizeof(keys.tx.iv));
	memset(keys.rx.iv, 4, sizeof(keys.rx.iv));
	keys.tx.seq = 1;
	keys.rx.seq = 3;
	return keys;
}

static void open_pair(uint16_t version, enum ktls_cipher cipher, bool raw_peer)
{
	struct ktls_keys keys = make_keys(version, cipher);
	const struct ktls_dir swap = keys.tx;
	int rc;

	open_tcp();
	rc = ktls_attach(ours.fd);
	if (rc == -ENOENT)
		cr_skip("this kernel has no tls module");
	cr_assert_eq(rc, 0);
	rc = ktls_install(ours.fd, &keys);
	if (rc == -ENOENT)
		cr_skip("this kernel cannot offload the cipher");
	cr_assert_eq(rc, 0);
	if (raw_peer)
		return;
	keys.tx = keys.rx;
	keys.rx = swap;
	cr_assert_eq(ktls_attach(peer), 0);
	cr_assert_eq(ktls_install(peer, &keys), 0);
}

static void close_pair(void)
{
	if (ours.fd >= 0)
		close(ours.fd);
	close(peer);
}

static ssize_t send_record(int fd, uint8_t type, const void *data, size_t len)
{
	char control[CMSG_SPACE(1)] = { 0 };
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_TLS;
	head->cmsg_type = TLS_SET_RECORD_TYPE;
	head->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(head) = type;
	return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

/* Returns the record's type and its first two bytes. */
static int recv_record(int fd, uint8_t data[2])
{
	char control[CMSG_SPACE(1)];
	struct iovec iov = { data, 2 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };

	if (recvmsg(fd, &msg, 0) <= 0)
		return -1;
	return CMSG_FIRSTHDR(&msg) ? *CMSG_DATA(CMSG_FIRSTHDR(&msg)) : -1;
}

static void expect_alert(uint8_t level, uint8_t description)
{
	uint8_t alert[2] = { 0, 0 };

	cr_expect_eq(recv_record(peer, alert), 21);
	cr_expect_eq(alert[0], level);
	cr_expect_eq(alert[1], description);
}

struct pair {
	uint16_t version;
	enum ktls_cipher cipher;
};

ParameterizedTestParameters(kernel, carries_data_and_both_close_notifies)
{
	static struct pair pairs[] = {
		{ KTLS_TLS12, KTLS_AES_128_GCM },
		{ KTLS_TLS12, KTLS_AES_256_GCM },
		{ KTLS_TLS12, KTLS_CHACHA20_POLY1305 },
		{ KTLS_TLS13, KTLS_AES_128_GCM },
		{ KTLS_TLS13, KTLS_AES_256_GCM },
		{ KTLS_TLS13, KTLS_CHACHA20_POLY1305 },
	};

	return cr_make_param_array(struct pair, pairs,
				   sizeof(pairs) / sizeof(*pairs));
}

ParameterizedTest(struct pair *p, kernel, carries_data_and_both_close_notifies,
		  .fini = close_pair)
{
	struct ktls_conn other;
	char buf[64];

	open_pair(p->version, p->cipher, false);
	other = (struct ktls_conn){ .fd = peer, .mode = KTLS_KERNEL };
	cr_expect_eq(ktls_send(&other, "ping", 4, 0), 4);
	cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)), 4);
	cr_expect(!memcmp(buf, "ping", 4));
	cr_expect_eq(ktls_shutdown(&other), 0);
	cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)), 0);
	cr_expect(ours.got_close);
	cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)), 0, "again");
	/* RFC 8446 6.1: a close_notify ends one direction only. */
	cr_expect_eq(ktls_send(&ours, "pong", 4, 0), 4);
	cr_expect_eq(ktls_shutdown(&ours), 0);
	cr_expect_eq(ktls_recv(&other, buf, sizeof(buf)), 4);
	cr_expect_eq(ktls_recv(&other, buf, sizeof(buf)), 0);
	cr_expect(other.got_close);
}

Test(kernel, says_close_notify_at_close, .fini = close_pair)
{
	open_pair(KTLS_TLS13, KTLS_AES_128_GCM, false);
	ktls_close(&ours);
	expect_alert(1, 0);
}

Test(kernel, tells_a_truncation_from_an_end, .fini = close_pair)
{
	char buf[64];

	open_pair(KTLS_TLS13, KTLS_AES_128_GCM, false);
	cr_assert_eq(send(peer, "half", 4, 0), 4);
	shutdown(peer, SHUT_WR);
	cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)), 4);
	cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)), -ECONNRESET);
	cr_expect(!ours.got_close);
}

Test(kernel, tells_a_truncation_inside_a_record, .fini = close_pair)
{
	char buf[64];

	open_pair(KTLS_TLS13, KTLS_AES_128_GCM, true);
	cr_assert_eq(write(peer, "\x17\x03\x03\x00\x20half", 9), 9);
	shutdown(peer, SHUT_WR);
	cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)), -ECONNRESET);
}

/* What the peer sends; what ktls_recv() says; the alert that goes back. */
static const struct {
	const char *what;
	uint16_t version;
	uint8_t type;
	const char *record;
	size_t len;
	int said, alert;
	uint8_t level, answer;
} controls[] = {
	{ "fatal alert", KTLS_TLS13, 21, "\x02\x30", 2, -EPROTO, 48, 0, 0 },
	{ "fatal alert", KTLS_TLS12, 21, "\x02\x14", 2, -EPROTO, 20, 0, 0 },
	{ "1.3 alert called a warning", KTLS_TLS13, 21, "\x01\x30", 2, -EPROTO,
	  48, 0, 0 },
	{ "half an alert", KTLS_TLS13, 21, "\x02", 1, -EPROTO, 0, 2, 50 },
	{ "KeyUpdate", KTLS_TLS13, 22, "\x18\x00\x00\x01\x00", 5, -EKEYEXPIRED,
	  0, 2, 80 },
	{ "another handshake message", KTLS_TLS13, 22, "\x0d\x00\x00\x00", 4,
	  -EPROTO, 0, 2, 10 },
	{ "another handshake message", KTLS_TLS12, 22, "\x0b\x00\x00\x00", 4,
	  -EPROTO, 0, 2, 10 },
	{ "a record type that is none", KTLS_TLS13, 99, "x", 1, -EPROTO, 0, 2,
	  10 },
	{ "a ChangeCipherSpec", KTLS_TLS12, 20, "\x01", 1, -EPROTO, 0, 2, 10 },
};

Test(kernel, ends_a_connection_at_a_record_out_of_place)
{
	char buf[64];

	for (size_t i = 0; i < sizeof(controls) / sizeof(*controls); i++) {
		open_pair(controls[i].version, KTLS_AES_128_GCM, false);
		cr_assert_gt(send_record(peer, controls[i].type,
					 controls[i].record, controls[i].len),
			     0);
		cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)),
			     controls[i].said, "%s", controls[i].what);
		cr_expect_eq(ours.alert, controls[i].alert, "%s",
			     controls[i].what);
		if (controls[i].level)
			expect_alert(controls[i].level, controls[i].answer);
		/* And no close_notify after a fatal alert, of either side. */
		ktls_close(&ours);
		cr_expect_eq(read(peer, buf, sizeof(buf)), 0, "%s",
			     controls[i].what);
		close(peer);
	}
}

Test(kernel, goes_on_after_warnings, .fini = close_pair)
{
	char buf[64];

	open_pair(KTLS_TLS12, KTLS_AES_128_GCM, false);
	cr_assert_eq(send_record(peer, 21, "\x01\x5a", 2), 2);
	cr_assert_eq(send_record(peer, 21, "\x01\x64", 2), 2);
	cr_assert_eq(send(peer, "data", 4, 0), 4);
	cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)), 4);
	cr_expect_eq(ours.alert, 100);
}

Test(kernel, ignores_user_canceled_until_close_notify, .fini = close_pair)
{
	char buf[64];

	open_pair(KTLS_TLS13, KTLS_AES_128_GCM, false);
	cr_assert_eq(send_record(peer, 21, "\x01\x5a", 2), 2);
	cr_assert_eq(send_record(peer, 21, "\x01\x00", 2), 2);
	cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)), 0);
	cr_expect(ours.got_close);
}

Test(kernel, refuses_renegotiation_and_goes_on, .fini = close_pair)
{
	static const char hello[300] = "\x01\x00\x01\x28\x03\x03";
	char buf[64];

	open_pair(KTLS_TLS12, KTLS_AES_256_GCM, false);
	cr_assert_eq(send_record(peer, 22, hello, sizeof(hello)),
		     sizeof(hello));
	cr_assert_eq(send(peer, "data", 4, 0), 4);
	cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)), 4);
	expect_alert(1, 100);
}

Test(kernel, is_not_kept_busy_by_warnings, .fini = close_pair)
{
	char buf[64];

	open_pair(KTLS_TLS12, KTLS_AES_128_GCM, false);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(send_record(peer, 21, "\x01\x5a", 2), 2);
	cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)), -EPROTO);
	expect_alert(2, 10);
}

static const struct {
	const char *what, *bytes;
	size_t len;
} garbage[] = {
	{ "a record that does not decrypt",
	  "\x17\x03\x03\x00\x14" "12345678901234567890", 25 },
	{ "a record too short for its tag", "\x17\x03\x03\x00\x02xx", 7 },
	{ "a record of 65,535 bytes", "\x17\x03\x03\xff\xff", 5 },
	{ "another version", "\x17\x02\x00\x00\x14" "12345678901234567890", 25 },
};

Test(kernel, says_what_is_wrong_with_a_broken_record)
{
	char buf[64], alert[64];

	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
		open_pair(KTLS_TLS13, KTLS_AES_128_GCM, true);
		cr_assert_eq(write(peer, garbage[i].bytes, garbage[i].len),
			     garbage[i].len);
		cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)), -EBADMSG, "%s",
			     garbage[i].what);
		/* Encrypted, so seen as one record of the alert's length. */
		cr_expect_eq(recv(peer, alert, sizeof(alert), 0),
			     5 + 2 + 1 + 16, "%s", garbage[i].what);
		cr_expect_eq(alert[0], 0x17);
		close(ours.fd);
		close(peer);
	}
}

/* Sends until the socket is full. Returns the bytes it took. */
static size_t fill(struct ktls_conn *c, size_t chunk)
{
	static const char zeros[20000];
	size_t total = 0;
	ssize_t n;

	while ((n = ktls_send(c, zeros, chunk, 0)) > 0)
		total += n;
	cr_expect_eq(n, -EAGAIN);
	return total;
}

static size_t drain(int fd, int *end)
{
	struct ktls_conn other = { .fd = fd, .mode = KTLS_KERNEL };
	static char buf[5000];
	size_t total = 0;
	ssize_t n;

	while ((n = ktls_recv(&other, buf, sizeof(buf))) > 0)
		total += n;
	*end = n;
	return total;
}

static void fill_then_shut_down(size_t chunk)
{
	struct pollfd p;
	size_t sent;
	pid_t pid;
	int status, end, rc, size = 20000;

	open_pair(KTLS_TLS13, KTLS_AES_128_GCM, false);
	setsockopt(ours.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	fcntl(ours.fd, F_SETFL, O_NONBLOCK);
	sent = fill(&ours, chunk);
	cr_expect_eq(ktls_shutdown(&ours), -EAGAIN);
	pid = fork();
	if (!pid) {
		close(ours.fd);
		_exit(drain(peer, &end) != sent || end);
	}
	p = (struct pollfd){ .fd = ours.fd, .events = POLLOUT };
	while ((rc = ktls_shutdown(&ours)) == -EAGAIN)
		poll(&p, 1, 1000);
	cr_expect_eq(rc, 0);
	ktls_close(&ours);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "in chunks of %zu the peer got less than %zu, "
				"or no close_notify", chunk, sent);
	close(peer);
}

Test(kernel, loses_nothing_when_a_full_socket_is_shut_down)
{
	for (size_t chunk = 500; chunk <= 20000; chunk += 2500)
		fill_then_shut_down(chunk);
}

Test(kernel, sends_what_was_held_back_before_the_end, .fini = close_pair)
{
	struct ktls_conn other;
	char buf[64];

	for (int i = 0; i < 2; i++) {
		open_pair(KTLS_TLS13, KTLS_AES_128_GCM, false);
		other = (struct ktls_conn){ .fd = peer, .mode = KTLS_KERNEL };
		cr_assert_eq(ktls_send(&ours, "held", 4, MSG_MORE), 4);
		cr_expect_eq(recv(peer, buf, sizeof(buf), MSG_DONTWAIT), -1);
		if (i)
			ktls_close(&ours);
		else
			cr_expect_eq(ktls_shutdown(&ours), 0);
		cr_expect_eq(ktls_recv(&other, buf, sizeof(buf)), 4);
		cr_expect_eq(ktls_recv(&other, buf, sizeof(buf)), 0);
		if (!i)
			close_pair();
	}
}

Test(kernel, judges_what_ones_own_reading_came_to, .fini = close_pair)
{
	struct ktls_conn other;
	char buf[64];

	open_pair(KTLS_TLS13, KTLS_AES_128_GCM, false);
	other = (struct ktls_conn){ .fd = peer, .mode = KTLS_KERNEL };
	cr_assert_eq(send_record(peer, 21, "\x01\x5a", 2), 2);
	cr_assert_eq(send(peer, "data", 4, 0), 4);
	cr_assert_eq(read(ours.fd, buf, sizeof(buf)), -1);
	cr_expect_eq(ktls_recv_result(&ours, -errno), 1);
	cr_expect_eq(read(ours.fd, buf, sizeof(buf)), 4);
	cr_expect_eq(ktls_recv_result(&ours, 4), 1);
	cr_expect_eq(ktls_shutdown(&other), 0);
	cr_assert_eq(read(ours.fd, buf, sizeof(buf)), -1);
	cr_expect_eq(ktls_recv_result(&ours, -errno), 0);
	cr_expect(ours.got_close);
}

Test(kernel, gathers, .fini = close_pair)
{
	const struct iovec iov[] = { { "one, ", 5 }, { "two", 3 } };
	char buf[64];

	open_pair(KTLS_TLS13, KTLS_AES_128_GCM, false);
	cr_expect_eq(ktls_writev(&ours, iov, 2), 8);
	cr_expect_eq(recv(peer, buf, sizeof(buf), 0), 8);
	cr_expect(!memcmp(buf, "one, two", 8));
	cr_expect_eq(ktls_writev(&ours, iov, -1), -EINVAL);
	cr_expect_eq(ktls_rekey(&ours, 0), -EOPNOTSUPP);
	cr_expect_eq(ktls_flush(&ours), 0);
}

Test(kernel, sends_a_file_of_many_records, .fini = close_pair)
{
	enum { SIZE = 2 << 20 };
	char name[] = "/tmp/test_ktls_kernel.XXXXXX";
	const int fd = mkstemp(name);
	off_t offset = 0;
	int status, end;
	ssize_t n;
	pid_t pid;

	cr_assert_geq(fd, 0);
	unlink(name);
	cr_assert_eq(ftruncate(fd, SIZE), 0);
	open_pair(KTLS_TLS13, KTLS_AES_128_GCM, false);
	pid = fork();
	if (!pid) {
		close(ours.fd);
		_exit(drain(peer, &end) != SIZE || end);
	}
	while (offset < SIZE) {
		n = ktls_sendfile(&ours, fd, &offset, SIZE - offset);
		cr_assert_gt(n, 0);
	}
	ktls_close(&ours);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	close(fd);
}

Test(kernel, keeps_to_a_payload_limit_where_there_is_one, .fini = close_pair)
{
	struct ktls_keys keys = make_keys(KTLS_TLS13, KTLS_AES_128_GCM);
	static char data[1000];
	uint8_t head[5];
	int rc;

	open_tcp();
	if (ktls_attach(ours.fd))
		cr_skip("this kernel has no tls module");
	keys.max_payload = 512;
	rc = ktls_install(ours.fd, &keys);
	if (rc == -EOPNOTSUPP) {
		/* As it was: it still takes plain TCP, and keys. */
		keys.max_payload = 0;
		cr_assert_eq(write(ours.fd, "plain", 5), 5);
		cr_assert_eq(read(peer, head, 5), 5);
		cr_expect_eq(ktls_install(ours.fd, &keys), 0);
		return;
	}
	cr_assert_eq(rc, 0);
	cr_assert_eq(ktls_send(&ours, data, sizeof(data), 0), sizeof(data));
	cr_assert_eq(recv(peer, head, 5, MSG_WAITALL), 5);
	cr_expect_eq(head[3] << 8 | head[4], 512 + 1 + 16);
}
