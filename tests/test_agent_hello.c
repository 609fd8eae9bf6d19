// SPDX-License-Identifier: MIT
#include "agent/hello.h"

#include <sys/uio.h>

#include "agent_case.h"

TestSuite(hello, .timeout = 10);

static const struct ktls_hello good = {
	.magic = KTLS_REG_MAGIC,
	.version = KTLS_REG_VERSION,
};
static int ends[2];	/* the consumer's, ours */

static void start(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				ends), 0);
}

/* Sends @len bytes and @n copies of standard input. */
static void say(const void *data, size_t len, size_t n)
{
	union {
		struct cmsghdr align;
		char space[512];
	} control = { 0 };
	struct iovec iov = { (void *)data, len };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	static const int zero[64];

	if (n) {
		hdr.msg_control = &control;
		hdr.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&control.align), zero, n * sizeof(int));
	}
	cr_assert_eq(sendmsg(ends[0], &hdr, 0), (ssize_t)len);
}

Test(hello, is_taken_with_two_descriptors_or_none, .init = start)
{
	unsigned int before = case_fds();
	struct ktls_hello hello;
	int fds[2], n_fds = 9;

	say(&good, sizeof(good), 0);
	cr_assert_eq(hello_recv(ends[1], &hello, fds, &n_fds), sizeof(hello));
	cr_assert_eq(n_fds, 0);
	cr_assert_arr_eq(&hello, &good, sizeof(good));
	say(&good, sizeof(good), 2);
	cr_assert_eq(hello_recv(ends[1], &hello, fds, &n_fds), sizeof(hello));
	cr_assert_eq(n_fds, 2);
	cr_assert_eq(case_fds(), before + 2);
	cr_assert_eq(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	cr_assert_eq(fcntl(fds[1], F_GETFD), FD_CLOEXEC);
}

Test(hello, with_any_other_number_of_descriptors_leaves_none_open,
     .init = start)
{
	static const size_t numbers[] = { 1, 3, 4, 59, 60, 61, 64 };
	unsigned int before = case_fds();
	struct ktls_hello hello;
	int fds[2], n_fds;
	size_t i;

	for (i = 0; i < COUNT(numbers); i++) {
		say(&good, sizeof(good), numbers[i]);
		cr_expect_eq(hello_recv(ends[1], &hello, fds, &n_fds), -EPROTO);
		cr_expect_eq(n_fds, 0);
		cr_expect_eq(case_fds(), before, "%zu were sent", numbers[i]);
	}
}

/* An empty message looks like the end, but can carry descriptors. */
Test(hello, that_is_empty_leaves_no_descriptor_open, .init = start)
{
	unsigned int before = case_fds();
	struct ktls_hello hello;
	int fds[2], n_fds;

	say("", 0, 2);
	cr_expect_eq(hello_recv(ends[1], &hello, fds, &n_fds), 0);
	cr_expect_eq(n_fds, 0);
	cr_expect_eq(case_fds(), before);
}

Test(hello, may_be_short_or_absent, .init = start)
{
	struct ktls_hello hello;
	int fds[2], n_fds;

	cr_assert_eq(hello_recv(ends[1], &hello, fds, &n_fds), -EAGAIN);
	say("x", 1, 0);
	cr_assert_eq(hello_recv(ends[1], &hello, fds, &n_fds), 1);
	close(ends[0]);
	cr_assert_eq(hello_recv(ends[1], &hello, fds, &n_fds), 0);
}

static ssize_t hear(struct ktls_answer *answer, size_t *n_fds)
{
	union {
		struct cmsghdr align;
		char space[256];
	} control;
	struct iovec iov = { answer, sizeof(*answer) };
	struct msghdr hdr = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(ends[0], &hdr, MSG_DONTWAIT);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&hdr) : NULL;

	*n_fds = c ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
	return n;
}

Test(hello, answer_has_status_and_descriptors, .init = start)
{
	struct ktls_answer answer;
	int fds[2] = { 0, 1 };
	size_t n_fds;

	hello_answer(ends[1], KTLS_REG_OK, "", 30000, KTLS_REG_IPV6, fds);
	cr_assert_eq(hear(&answer, &n_fds), sizeof(answer));
	cr_assert_eq(n_fds, 2);
	cr_assert_str_eq(answer.magic, KTLS_REG_MAGIC);
	cr_assert_eq(answer.version, KTLS_REG_VERSION);
	cr_assert_eq(answer.status, KTLS_REG_OK);
	cr_assert_eq(answer.hold_ms, 30000);
	cr_assert_eq(answer.flags, KTLS_REG_IPV6);
	hello_answer(ends[1], KTLS_REG_REFUSED, "no", 0, 0, NULL);
	cr_assert_eq(hear(&answer, &n_fds), sizeof(answer));
	cr_assert_eq(n_fds, 0);
	cr_assert_eq(answer.status, KTLS_REG_REFUSED);
	cr_assert_str_eq(answer.text, "no");
	cr_assert_eq(answer.flags, 0);
}

/* Who knows of no flags takes the last 240 bytes for a text. */
Test(hello, answer_has_an_end_of_its_text_before_the_flags, .init = start)
{
	struct ktls_answer answer;
	char text[1000];
	size_t n_fds;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_assert_eq(sizeof(answer), 256);
	cr_assert_eq(offsetof(struct ktls_answer, text), 16);
	cr_assert_eq(offsetof(struct ktls_answer, flags), 252);
	hello_answer(ends[1], KTLS_REG_ERROR, text, 0, ~0U, NULL);
	cr_assert_eq(hear(&answer, &n_fds), sizeof(answer));
	cr_assert_eq(strlen((char *)&answer + 16), 235);
}

Test(hello, answer_cuts_a_long_text_and_survives_a_gone_consumer,
     .init = start)
{
	struct ktls_answer answer;
	char text[1000];
	size_t n_fds;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	hello_answer(ends[1], KTLS_REG_ERROR, text, 0, 0, NULL);
	cr_assert_eq(hear(&answer, &n_fds), sizeof(answer));
	cr_assert_eq(strlen(answer.text), sizeof(answer.text) - 1);
	close(ends[0]);
	hello_answer(ends[1], KTLS_REG_ERROR, text, 0, 0, NULL);
}
