// SPDX-License-Identifier: MIT
#include "agent/upgrade_msg.h"

#include "agent_case.h"

TestSuite(upgrade_msg, .timeout = 20);

static int pair[2];
static struct upgrade_in in;
static struct ktls_fds fds;

static void start(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				pair), 0);
}

static void stop(void)
{
	close(pair[0]);
	close(pair[1]);
}

static int hear(void)
{
	return upgrade_hear(pair[1], &in, &fds);
}

Test(upgrade_msg, says_and_hears, .init = start, .fini = stop)
{
	cr_expect_eq(hear(), -EAGAIN);
	cr_assert_eq(upgrade_say(pair[0], UPGRADE_HELLO, 30000, NULL, NULL, 0),
		     0);
	cr_assert_eq(hear(), 1);
	cr_expect_eq(in.msg.type, UPGRADE_HELLO);
	cr_expect_eq(in.msg.number, 30000);
	cr_expect_str_eq(in.msg.text, "");
	cr_assert_eq(upgrade_say(pair[0], UPGRADE_FAILED, 0, "why", NULL, 0),
		     0);
	cr_assert_eq(hear(), 1);
	cr_expect_str_eq(in.msg.text, "why");
	close(pair[0]);
	cr_expect_eq(hear(), 0);
	pair[0] = -1;
}

Test(upgrade_msg, carries_descriptors, .init = start, .fini = stop)
{
	unsigned int before = case_fds();
	int many[KTLS_FDS_MAX];
	size_t i;

	for (i = 0; i < COUNT(many); i++)
		many[i] = pair[0];
	cr_assert_eq(upgrade_say(pair[0], UPGRADE_FDS, COUNT(many), NULL, many,
				 COUNT(many)), 0);
	cr_assert_eq(hear(), 1);
	cr_expect_eq(in.msg.number, COUNT(many));
	cr_assert_eq(fds.n, COUNT(many));
	cr_expect_eq(fcntl(fds.fd[0], F_GETFD), FD_CLOEXEC);
	ktls_close_fds(&fds);
	cr_expect_eq(case_fds(), before);
}

Test(upgrade_msg, tells_what_is_taken, .init = start, .fini = stop)
{
	static struct upgrade_taken taken[UPGRADE_TAKEN_MAX];

	taken[1] = (struct upgrade_taken){ UPGRADE_ROUTE, 7 };
	cr_assert_eq(upgrade_say_serves(pair[0], taken, 0), 0);
	cr_assert_eq(hear(), 1);
	cr_expect_eq(in.msg.number, 0);
	cr_assert_eq(upgrade_say_serves(pair[0], taken, COUNT(taken)), 0);
	cr_assert_eq(hear(), 1);
	cr_expect_eq(in.msg.type, UPGRADE_SERVES);
	cr_expect_eq(in.msg.number, COUNT(taken));
	cr_expect_eq(in.taken[1].type, UPGRADE_ROUTE);
	cr_expect_eq(in.taken[1].number, 7);
}

/* As it is on the wire. */
static struct upgrade_msg good(void)
{
	return (struct upgrade_msg){ "ktlsd-u", UPGRADE_VERSION, UPGRADE_HELLO,
				     0, "" };
}

Test(upgrade_msg, knows_another_version_whatever_follows, .init = start,
     .fini = stop)
{
	struct upgrade_msg msg = good();

	msg.version = 7;
	send(pair[0], &msg, sizeof(msg), 0);
	cr_expect_eq(hear(), -EPROTO);
	cr_expect_eq(in.msg.version, 7);
	send(pair[0], &msg, 12, 0);
	cr_expect_eq(hear(), -EPROTO);
}

Test(upgrade_msg, refuses_what_is_none_and_closes_what_came, .init = start,
     .fini = stop)
{
	unsigned int before = case_fds();
	struct upgrade_msg msg = good();
	size_t n;

	for (n = 1; n < sizeof(msg); n++) {
		send(pair[0], &msg, n, 0);
		cr_expect_eq(hear(), -EBADMSG, "%zu bytes", n);
	}
	msg.type = UPGRADE_SERVES;
	msg.number = 1;
	send(pair[0], &msg, sizeof(msg), 0);
	cr_expect_eq(hear(), -EBADMSG, "nothing behind it");
	msg.number = UINT32_MAX;
	send(pair[0], &msg, sizeof(msg), 0);
	cr_expect_eq(hear(), -EBADMSG, "too many");
	msg = good();
	msg.magic[0] = 'K';
	ktls_send_fds(pair[0], &msg, sizeof(msg), pair, 2);
	cr_expect_eq(hear(), -EBADMSG);
	cr_expect_eq(case_fds(), before);
	msg = good();
	memset(msg.text, 'x', sizeof(msg.text));
	send(pair[0], &msg, sizeof(msg), 0);
	cr_assert_eq(hear(), 1);
	cr_expect_eq(strlen(in.msg.text), sizeof(msg.text) - 1);
}
