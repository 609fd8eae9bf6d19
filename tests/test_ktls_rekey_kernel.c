// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include "ktls/control.h"
#include "ktls/derive.h"
#include "ktls/install.h"
#include "ktls/rekey.h"

/*
 * KeyUpdate on kTLS sockets over loopback, both ends through libktls, on kernels
 * that can change a key; on others there is nothing to try.
 */
TestSuite(rekey, .timeout = 60);

static struct ktls_conn ours, theirs;

static const uint8_t secrets[2][KTLS_SECRET_MAX] = { "from one", "other" };

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
	ours = theirs = (struct ktls_conn){ .fd = -1 };
	theirs.fd = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(connect(theirs.fd, (struct sockaddr *)&addr, len), 0);
	setsockopt(theirs.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	ours.fd = accept(listener, NULL, NULL);
	cr_assert_geq(ours.fd, 0);
	close(listener);
}

/* One end: it sends with secret @tx. Skips where keys cannot be changed. */
static void install(struct ktls_conn *c, enum ktls_cipher cipher, int tx)
{
	const size_t len = cipher == KTLS_AES_256_GCM ? 48 : 32;
	struct ktls_keys keys = { .version = KTLS_TLS13, .cipher = cipher };
	struct ktls_derive *d = ktls_derive_new();
	int rc;

	cr_assert_eq(ktls_derive_keys(d, cipher, secrets[tx], len, &keys.tx),
		     0);
	cr_assert_eq(ktls_derive_keys(d, cipher, secrets[!tx], len, &keys.rx),
		     0);
	ktls_derive_free(d);
	c->mode = KTLS_KERNEL;
	rc = ktls_attach(c->fd);
	if (rc == -ENOENT)
		cr_skip("this kernel has no tls module");
	cr_assert_eq(rc, 0);
	rc = ktls_install(c->fd, &keys);
	if (rc == -ENOENT)
		cr_skip("this kernel cannot offload the cipher");
	cr_assert_eq(rc, 0);
	c->rekey = ktls_rekey_new((struct ktls_bytes){ secrets[!tx], len },
				  (struct ktls_bytes){ secrets[tx], len });
	cr_assert_not_null(c->rekey);
}

static void open_pair(enum ktls_cipher cipher)
{
	struct ktls_support support;

	cr_assert_eq(ktls_probe(&support), 0);
	if (support.error)
		cr_skip("this kernel has no tls module");
	if (!support.rekey)
		cr_skip("this kernel cannot change a key");
	open_tcp();
	install(&ours, cipher, 0);
	install(&theirs, cipher, 1);
}

static void close_pair(void)
{
	if (ours.fd > 0)
		ktls_close(&ours);
	if (theirs.fd > 0)
		ktls_close(&theirs);
}

static void expect_data(struct ktls_conn *from, struct ktls_conn *to,
			const char *text)
{
	char buf[64] = "";
	ssize_t n;

	cr_assert_eq(ktls_send(from, text, strlen(text), 0),
		     (ssize_t)strlen(text));
	do
		n = ktls_recv(to, buf, sizeof(buf));
	while (n == -EINTR);
	cr_assert_eq(n, (ssize_t)strlen(text));
	cr_expect_str_eq(buf, text);
}

static void change_both(enum ktls_cipher cipher)
{
	open_pair(cipher);
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(ktls_rekey(&theirs, i % 2), 0);
		expect_data(&theirs, &ours, "there");
		expect_data(&ours, &theirs, "and back");
		cr_assert_eq(ktls_rekey(&ours, i % 3 == 0), 0);
		expect_data(&ours, &theirs, "once more");
	}
	cr_expect_eq(ktls_shutdown(&ours), 0);
	cr_expect_eq(ktls_recv(&theirs, &(char){ 0 }, 1), 0);
}

Test(rekey, changes_keys_of_aes_128_both_ways, .fini = close_pair)
{
	change_both(KTLS_AES_128_GCM);
}

Test(rekey, changes_keys_of_aes_256_both_ways, .fini = close_pair)
{
	change_both(KTLS_AES_256_GCM);
}

Test(rekey, changes_keys_of_chacha20_both_ways, .fini = close_pair)
{
	change_both(KTLS_CHACHA20_POLY1305);
}

Test(rekey, follows_many_without_data_between_them, .fini = close_pair)
{
	int type, answers = 0;
	char buf[16];
	ssize_t n;

	open_pair(KTLS_AES_128_GCM);
	for (int i = 0; i < 300; i++)
		cr_assert_eq(ktls_rekey(&theirs, 1), 0);
	cr_assert_eq(ktls_send(&theirs, "data", 4, 0), 4);
	while ((n = ktls_recv(&ours, buf, sizeof(buf))) == -EINTR)
		;
	cr_expect_eq(n, 4);
	/* One answer for each call, and no more. */
	cr_assert_eq(ktls_send(&ours, "x", 1, 0), 1);
	while (recv(theirs.fd, buf, 1, 0) < 0) {
		cr_assert_eq(ktls_control_recv(theirs.fd, buf, sizeof(buf),
					       &type, 0), 5);
		cr_assert_eq(ktls_rekey_follow(&theirs, false), 1);
		answers++;
	}
	cr_expect(answers >= 1 && answers <= 300 / 16 + 1, "%d", answers);
}

/*
 * Nothing is under way, and the peer's window is shut. A window with too little
 * room for what is next looks the same for some 200 ms: then a part is sent.
 */
static bool is_stuck(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int unsent;

	cr_assert_eq(ioctl(fd, SIOCOUTQNSD, &unsent), 0);
	cr_assert_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return unsent && !info.tcpi_unacked && !info.tcpi_snd_wnd;
}

static size_t send_all_there_is_room_for(struct ktls_conn *c)
{
	static char zeros[16384];
	size_t sent = 0;
	ssize_t n;

	while ((n = ktls_send(c, zeros, sizeof(zeros), 0)) > 0)
		sent += n;
	while ((n = ktls_send(c, zeros, 1, 0)) > 0)
		sent += n;
	cr_assert_eq(n, -EAGAIN);
	return sent;
}

/* Acknowledgements make room, and how late they come is the machine's affair. */
static void fill(struct ktls_conn *c)
{
	bool stuck;

	do {
		poll(NULL, 0, 20);
		stuck = is_stuck(c->fd);
	} while (send_all_there_is_room_for(c) || !stuck);
}

static void have_them_make_room(void)
{
	static char buf[16384];

	while (ktls_recv(&theirs, buf, sizeof(buf)) > 0)
		;
	poll(&(struct pollfd){ ours.fd, POLLOUT, 0 }, 1, 100);
}

Test(rekey, answers_before_its_next_data_if_there_was_no_room,
     .fini = close_pair)
{
	int size = 20000;
	char buf[16];
	ssize_t n;

	open_pair(KTLS_AES_128_GCM);
	setsockopt(ours.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	fcntl(ours.fd, F_SETFL, O_NONBLOCK);
	fcntl(theirs.fd, F_SETFL, O_NONBLOCK);
	fill(&ours);
	cr_assert_eq(ktls_rekey(&theirs, 1), 0);
	cr_assert_eq(ktls_send(&theirs, "data", 4, 0), 4);
	do
		poll(&(struct pollfd){ ours.fd, POLLIN, 0 }, 1, 1000);
	while ((n = ktls_recv(&ours, buf, sizeof(buf))) == -EAGAIN);
	cr_expect_eq(n, 4);
	cr_expect_eq(ktls_flush(&ours), -EAGAIN);
	cr_expect_eq(ktls_send(&ours, "x", 1, 0), -EAGAIN);
	while ((n = ktls_flush(&ours)) == -EAGAIN)
		have_them_make_room();
	cr_expect_eq(n, 0);
	while ((n = ktls_send(&ours, "!", 1, 0)) == -EAGAIN)
		have_them_make_room();
	cr_assert_eq(n, 1);
	fcntl(theirs.fd, F_SETFL, 0);
	do
		n = ktls_recv(&theirs, buf, sizeof(buf));
	while (n > 0 && buf[n - 1] != '!');
	cr_expect_gt(n, 0, "%zd", n);
}

Test(rekey, changes_its_key_after_so_many_bytes, .fini = close_pair)
{
	static char zeros[1000];
	uint8_t record[8];
	int type, updates = 0;

	open_pair(KTLS_AES_128_GCM);
	ktls_set_rekey(&ours, 10 * sizeof(zeros));
	for (int i = 0; i < 31; i++)
		cr_assert_eq(ktls_send(&ours, zeros, sizeof(zeros), 0), 1000);
	/* Their side by hand, to see each. */
	for (int i = 0; i < 31; i++) {
		while (recv(theirs.fd, zeros, sizeof(zeros), 0) < 0) {
			cr_assert_eq(ktls_control_recv(theirs.fd, record, 8,
						       &type, 0), 5);
			cr_expect_eq(type, KTLS_TYPE_HANDSHAKE);
			cr_assert_eq(ktls_rekey_follow(&theirs, false), 1);
			updates++;
		}
	}
	cr_expect_eq(updates, 3);
}

/* What the peer sends, as record of type 22; what comes of it. */
static const struct {
	const char *what, *record;
	size_t len;
	int said;
	uint8_t alert;
} records[] = {
	{ "a request of no known kind", "\x18\0\0\1\2", 5, -EPROTO, 47 },
	{ "two in one record", "\x18\0\0\1\0\x18\0\0\1\0", 10, -EPROTO, 10 },
	{ "a message behind it", "\x18\0\0\1\0\4", 6, -EPROTO, 10 },
	{ "half of one", "\x18\0\0", 3, -EKEYEXPIRED, 80 },
	{ "all but its last byte", "\x18\0\0\1", 4, -EKEYEXPIRED, 80 },
	{ "a wrong length", "\x18\0\0\2\0\0", 6, -EPROTO, 50 },
	{ "a Finished", "\x14\0\0\0", 4, -EPROTO, 10 },
	{ "one behind another message", "\4\0\0\0\x18\0\0\1\0", 9, -EPROTO, 10 },
};

Test(rekey, ends_a_connection_at_what_is_no_key_update)
{
	uint8_t alert[2];
	ssize_t n;
	int type;

	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
		open_pair(KTLS_AES_128_GCM);
		cr_assert_eq(ktls_control_send(theirs.fd, KTLS_TYPE_HANDSHAKE,
					       records[i].record,
					       records[i].len, 0), 0);
		cr_expect_eq(ktls_recv(&ours, alert, 1), records[i].said, "%s",
			     records[i].what);
		ktls_close(&ours);
		poll(&(struct pollfd){ theirs.fd, POLLIN, 0 }, 1, 1000);
		n = ktls_control_recv(theirs.fd, alert, 2, &type, 0);
		cr_assert_eq(n, 2, "%s: %zd", records[i].what, n);
		cr_expect_eq(type, KTLS_TYPE_ALERT);
		cr_expect_eq(alert[0], 2);
		cr_expect_eq(alert[1], records[i].alert, "%s: %d",
			     records[i].what, alert[1]);
		ktls_close(&theirs);
	}
}

Test(rekey, is_told_by_ones_own_receiving, .fini = close_pair)
{
	char buf[16];

	open_pair(KTLS_AES_128_GCM);
	cr_assert_eq(ktls_rekey(&theirs, 1), 0);
	cr_assert_eq(ktls_send(&theirs, "data", 4, 0), 4);
	cr_assert_eq(recv(ours.fd, buf, sizeof(buf), 0), -1);
	cr_assert_eq(ktls_recv_result(&ours, -errno), 1);
	cr_expect_eq(recv(ours.fd, buf, sizeof(buf), 0), 4);
	cr_expect_eq(ktls_flush(&ours), 0, "it was answered at once");
	expect_data(&ours, &theirs, "answered");
}

Test(rekey, is_found_behind_data, .fini = close_pair)
{
	struct pollfd p = { .events = POLLIN };
	char buf[16];
	ssize_t n;

	open_pair(KTLS_AES_128_GCM);
	p.fd = ours.fd;
	cr_assert_eq(ktls_send(&theirs, "data", 4, 0), 4);
	cr_assert_eq(ktls_rekey(&theirs, 0), 0);
	cr_assert_eq(ktls_send(&theirs, "more", 4, 0), 4);
	cr_assert_eq(recv(ours.fd, buf, sizeof(buf), 0), 4);
	cr_expect_eq(poll(&p, 1, 200), 0, "it is no trap any more");
	cr_expect_eq(ktls_recv_result(&ours, 4), 1);
	cr_expect_eq(poll(&p, 1, 1000), 1);
	cr_expect_eq(recv(ours.fd, buf, sizeof(buf), 0), 4);
	cr_expect_eq(ktls_recv_result(&ours, 4), 1, "nothing behind it");
	/* What it finds there to be wrong is said next. */
	cr_assert_eq(ktls_send(&theirs, "data", 4, 0), 4);
	cr_assert_eq(ktls_control_send(theirs.fd, KTLS_TYPE_HANDSHAKE,
				       "\x18\0\0", 3, 0), 0);
	cr_assert_eq(recv(ours.fd, buf, sizeof(buf), 0), 4);
	cr_expect_eq(ktls_recv_result(&ours, 4), 1);
	cr_expect_eq(poll(&p, 1, 1000), 1, "there is something to come for");
	n = recv(ours.fd, buf, sizeof(buf), 0);
	cr_expect_leq(n, 0);
	cr_expect_eq(ktls_recv_result(&ours, n ? -errno : 0), -EKEYEXPIRED);
}

/* Without a FIN: the client goes on listening. */
Test(rekey, a_close_notify_behind_data_wakes_who_polls, .fini = close_pair)
{
	struct pollfd p = { .events = POLLIN };
	char buf[16];

	open_pair(KTLS_AES_128_GCM);
	p.fd = ours.fd;
	cr_assert_eq(ktls_send(&theirs, "data", 4, 0), 4);
	cr_assert_eq(ktls_alert(&theirs, KTLS_WARNING, KTLS_CLOSE_NOTIFY, 0),
		     0);
	cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)), 4);
	cr_expect_eq(poll(&p, 1, 1000), 1);
	cr_expect_eq(ktls_recv(&ours, buf, sizeof(buf)), 0);
}

Test(rekey, is_told_by_a_splice, .fini = close_pair)
{
	int pipes[2];

	open_pair(KTLS_AES_128_GCM);
	cr_assert_eq(pipe(pipes), 0);
	cr_assert_eq(ktls_rekey(&theirs, 0), 0);
	cr_assert_eq(ktls_send(&theirs, "data", 4, 0), 4);
	cr_assert_eq(splice(ours.fd, NULL, pipes[1], NULL, 100, 0), -1);
	cr_assert_eq(errno, EINVAL);
	cr_assert_eq(ktls_recv_result(&ours, -EINVAL), 1);
	cr_expect_eq(splice(ours.fd, NULL, pipes[1], NULL, 100, 0), 4);
	/* One that was called wrongly takes no data away. */
	cr_assert_eq(ktls_send(&theirs, "more", 4, 0), 4);
	cr_expect_eq(splice(ours.fd, NULL, ours.fd, NULL, 100, 0), -1);
	cr_expect_eq(ktls_recv_result(&ours, -EINVAL), -EINVAL);
	cr_expect_eq(splice(ours.fd, NULL, pipes[1], NULL, 100, 0), 4);
	close(pipes[0]);
	close(pipes[1]);
}

enum { TRANSFER = 4 << 20, STEP = 1 << 14 };

/* The peer: sends and receives it all at once, with a new key at each step. */
static int run_peer(void)
{
	static char out[STEP], in[STEP];
	size_t sent = 0, got = 0, next = STEP;
	struct pollfd p = { theirs.fd, POLLIN | POLLOUT, 0 };
	ssize_t n;

	fcntl(theirs.fd, F_SETFL, O_NONBLOCK);
	while (sent < TRANSFER || got < TRANSFER) {
		p.events = POLLIN | (sent < TRANSFER ? POLLOUT : 0);
		poll(&p, 1, 10000);
		n = ktls_recv(&theirs, in, sizeof(in));
		if (n > 0)
			got += n;
		else if (n != -EAGAIN && n != -EINTR)
			return 1;
		if (sent >= TRANSFER)
			continue;
		n = ktls_send(&theirs, out, sizeof(out), 0);
		if (n > 0)
			sent += n;
		else if (n != -EAGAIN)
			return 2;
		if (sent < next)
			continue;
		next += STEP;
		n = ktls_rekey(&theirs, next / STEP % 2);
		if (n && n != -EAGAIN)
			return 3;
	}
	fcntl(theirs.fd, F_SETFL, 0);
	if (ktls_shutdown(&theirs))
		return 4;
	/* Closed with something unread, the connection would be reset. */
	while ((n = ktls_recv(&theirs, in, sizeof(in))) == -EINTR)
		;
	return n ? 5 : 0;
}

Test(rekey, changes_keys_hundreds_of_times_within_a_transfer, .fini = close_pair)
{
	static char buf[STEP];
	size_t sent = 0, got = 0;
	struct pollfd p;
	int status;
	ssize_t n;
	pid_t pid;

	open_pair(KTLS_AES_128_GCM);
	pid = fork();
	if (!pid)
		_exit(run_peer());
	close(theirs.fd);
	fcntl(ours.fd, F_SETFL, O_NONBLOCK);
	ktls_set_rekey(&ours, STEP);
	while (sent < TRANSFER || got < TRANSFER) {
		p = (struct pollfd){ ours.fd, POLLIN, 0 };
		p.events |= sent < TRANSFER ? POLLOUT : 0;
		cr_assert_eq(poll(&p, 1, 10000), 1);
		n = ktls_recv(&ours, buf, sizeof(buf));
		cr_assert(n > 0 || n == -EAGAIN || n == -EINTR, "%zd", n);
		got += n > 0 ? n : 0;
		if (sent >= TRANSFER)
			continue;
		n = ktls_send(&ours, buf, sizeof(buf), 0);
		cr_assert(n > 0 || n == -EAGAIN, "%zd", n);
		sent += n > 0 ? n : 0;
	}
	fcntl(ours.fd, F_SETFL, 0);
	cr_expect_eq(ktls_shutdown(&ours), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "the peer ended with %x", status);
	theirs.fd = -1;
	ktls_rekey_free(theirs.rekey);
}
