// SPDX-License-Identifier: MIT
#include "agent/staple_msg.h"

#include "agent_case.h"
#include "ktls/descriptors.h"

TestSuite(staple_msg, .timeout = 10);

static int ends[2];
static uint8_t buf[STAPLE_MSG_MAX];
static uint8_t bytes[STAPLE_MSG_MAX];

#define PART(text) { (const uint8_t *)(text), sizeof(text) - 1 }

/* One of each type, with everything that it may hold. */
static const struct staple_msg messages[] = {
	{ .type = STAPLE_MSG_OPTIONS,
	  .options = { 10000, OCSP_SHA256, 4, 1, 300, 86400 },
	  .part = { PART("/var/lib/ktlsd/ocsp"), PART("http://proxy:3128"),
		    PART("/etc/ca.pem") } },
	{ .type = STAPLE_MSG_OPTIONS, .options = { 1, OCSP_SHA1, 1, 0, 1, 1 } },
	{ .type = STAPLE_MSG_SLOT, .slot = 7,
	  .part = { PART("site.example"), PART("http://a/\0http://b/\0"),
		    PART("\x30\x00leaf"), PART("\x30\x01\0ssuer"),
		    PART("\0") } },
	{ .type = STAPLE_MSG_START },
	{ .type = STAPLE_MSG_REFRESH, .slot = 12345 },
	{ .type = STAPLE_MSG_RESPONSE, .slot = 7,
	  .response = { { 1000, 2000 }, OCSP_OK },
	  .part = { PART("\x30\x03\0\0\0") } },
	{ .type = STAPLE_MSG_RESPONSE, .slot = 0,
	  .response = { { -1000, 2000 }, OCSP_REVOKED } },
	{ .type = STAPLE_MSG_ATTEMPT, .slot = 1,
	  .attempt = { 1000, FETCH_RESULTS - 1, OCSP_VERDICTS - 1, 1 },
	  .part = { PART("http://a/"), PART("it did not answer") } },
	{ .type = STAPLE_MSG_NEXT, .slot = 1, .next = 2000 },
	{ .type = STAPLE_MSG_STORE_FAILED, .slot = 1 },
	{ .type = STAPLE_MSG_LOADED },
	{ .type = STAPLE_MSG_PING },
};

static void start(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				ends), 0);
}

static bool same_parts(const struct staple_msg *a, const struct staple_msg *b)
{
	size_t i;

	for (i = 0; i < STAPLE_MSG_PARTS; i++)
		if (a->part[i].len != b->part[i].len ||
		    memcmp(a->part[i].data, b->part[i].data ?
			   (const void *)b->part[i].data : "", b->part[i].len))
			return false;
	return true;
}

Test(staple_msg, carries_each_type_whole, .init = start)
{
	struct staple_msg got;
	size_t i, j;

	for (i = 0; i < COUNT(messages); i++) {
		cr_assert_eq(staple_msg_send(ends[0], &messages[i], 0), 0);
		cr_assert_eq(staple_msg_recv(ends[1], &got, buf), 1,
			     "message %zu", i);
		cr_expect_arr_eq(&got, &messages[i],
				 offsetof(struct staple_msg, part));
		cr_expect(same_parts(&got, &messages[i]), "message %zu", i);
		for (j = 0; j < STAPLE_MSG_PARTS; j++)
			cr_expect_eq(got.part[j].data[got.part[j].len], 0);
	}
	cr_assert_eq(staple_msg_recv(ends[1], &got, buf), -EAGAIN);
	close(ends[0]);
	cr_assert_eq(staple_msg_recv(ends[1], &got, buf), 0);
}

Test(staple_msg, carries_the_longest_message_and_no_longer_one, .init = start)
{
	struct staple_msg msg = { .type = STAPLE_MSG_SLOT }, got;
	size_t len = STAPLE_MSG_MAX - OCSP_MAX_LEN;

	msg.part[4] = (struct ocsp_bytes){ bytes, OCSP_MAX_LEN };
	do {
		msg.part[2] = (struct ocsp_bytes){ bytes, len-- };
	} while (staple_msg_send(ends[0], &msg, 0) == -EMSGSIZE);
	cr_assert_gt(msg.part[2].len + OCSP_MAX_LEN, STAPLE_MSG_MAX - 128);
	cr_assert_eq(staple_msg_recv(ends[1], &got, buf), 1);
	cr_assert(same_parts(&got, &msg));
	msg.part[2].len = SIZE_MAX;
	cr_assert_eq(staple_msg_send(ends[0], &msg, 0), -EMSGSIZE);
}

Test(staple_msg, says_when_there_is_no_room, .init = start)
{
	struct staple_msg msg = {
		.type = STAPLE_MSG_RESPONSE,
		.part = { { bytes, OCSP_MAX_LEN } },
	}, got;
	unsigned int i;
	int err = 0;

	for (i = 0; i < 1000 && !err; i++)
		err = staple_msg_send(ends[0], &msg, MSG_DONTWAIT);
	cr_assert_eq(err, -EAGAIN);
	cr_assert_gt(i, 2);
	cr_assert_eq(staple_msg_recv(ends[1], &got, buf), 1);
	close(ends[1]);
	cr_assert_lt(staple_msg_send(ends[0], &msg, MSG_DONTWAIT), 0);
}

/* Fields that are out of their range by one. */
static const struct staple_msg wrong[] = {
	{ .type = STAPLE_MSG_TYPES },
	{ .type = UINT32_MAX },
	{ .type = STAPLE_MSG_OPTIONS, .options.hash = 2 },
	{ .type = STAPLE_MSG_OPTIONS, .options.staple_revoked = 2 },
	{ .type = STAPLE_MSG_OPTIONS, .options.min_interval = INT64_MAX },
	{ .type = STAPLE_MSG_OPTIONS, .part[3] = PART("x") },
	{ .type = STAPLE_MSG_OPTIONS, .part[0] = PART("a\0b") },
	{ .type = STAPLE_MSG_SLOT, .part[0] = PART("\0") },
	{ .type = STAPLE_MSG_SLOT, .part[1] = PART("http://a/") },
	{ .type = STAPLE_MSG_SLOT, .part[4] = { bytes, OCSP_MAX_LEN + 1 } },
	{ .type = STAPLE_MSG_START, .part[0] = PART("x") },
	{ .type = STAPLE_MSG_RESPONSE, .response.verdict = OCSP_UNKNOWN },
	{ .type = STAPLE_MSG_RESPONSE, .response.verdict = OCSP_VERDICTS },
	{ .type = STAPLE_MSG_STORE_FAILED, .part[0] = PART("x") },
	{ .type = STAPLE_MSG_RESPONSE,
	  .response.times.this_update = INT64_MIN },
	{ .type = STAPLE_MSG_RESPONSE,
	  .response.times.next_update = INT64_MAX },
	{ .type = STAPLE_MSG_RESPONSE, .part[0] = { bytes, OCSP_MAX_LEN + 1 } },
	{ .type = STAPLE_MSG_RESPONSE, .part[1] = PART("x") },
	{ .type = STAPLE_MSG_ATTEMPT, .attempt.at = INT64_MIN },
	{ .type = STAPLE_MSG_ATTEMPT, .attempt.at = INT64_MAX },
	{ .type = STAPLE_MSG_ATTEMPT, .attempt.result = FETCH_RESULTS },
	{ .type = STAPLE_MSG_ATTEMPT, .attempt.verdict = OCSP_VERDICTS },
	{ .type = STAPLE_MSG_ATTEMPT, .attempt.same = 2 },
	{ .type = STAPLE_MSG_ATTEMPT, .part[1] = PART("no\0t") },
	{ .type = STAPLE_MSG_NEXT, .next = INT64_MAX },
	{ .type = STAPLE_MSG_NEXT, .next = INT64_MIN },
	{ .type = STAPLE_MSG_NEXT, .part[0] = PART("x") },
	{ .type = STAPLE_MSG_LOADED, .part[4] = PART("\0") },
	{ .type = STAPLE_MSG_PING, .part[0] = PART("x") },
};

Test(staple_msg, refuses_fields_out_of_range, .init = start)
{
	struct staple_msg got;
	size_t i;

	for (i = 0; i < COUNT(wrong); i++) {
		cr_assert_eq(staple_msg_send(ends[0], &wrong[i], 0), 0);
		cr_expect_eq(staple_msg_recv(ends[1], &got, buf), -EBADMSG,
			     "message %zu", i);
	}
}

/* The bytes of one message, to be damaged. */
static size_t take(const struct staple_msg *msg)
{
	cr_assert_eq(staple_msg_send(ends[0], msg, 0), 0);
	return (size_t)recv(ends[1], bytes, sizeof(bytes), 0);
}

static int give(size_t len)
{
	struct staple_msg got;

	cr_assert_eq(send(ends[0], bytes, len, 0), (ssize_t)len);
	return staple_msg_recv(ends[1], &got, buf);
}

Test(staple_msg, refuses_a_message_cut_or_prolonged_anywhere, .init = start)
{
	size_t i, len, n;

	for (i = 0; i < COUNT(messages); i++) {
		len = take(&messages[i]);
		for (n = 1; n < len; n++)
			cr_expect_eq(give(n), -EBADMSG, "%zu of %zu", n, len);
		cr_expect_eq(give(len), 1);
		bytes[len] = 0;
		cr_expect_eq(give(len + 1), -EBADMSG);
	}
	memset(bytes, 0, sizeof(bytes));
	cr_expect_eq(give(sizeof(bytes)), -EBADMSG);
}

Test(staple_msg, refuses_a_message_longer_than_its_buffer, .init = start)
{
	static uint8_t longer[STAPLE_MSG_MAX + 1];
	struct staple_msg got;

	cr_assert_eq(send(ends[0], longer, sizeof(longer), 0), sizeof(longer));
	cr_assert_eq(staple_msg_recv(ends[1], &got, buf), -EBADMSG);
	cr_assert_eq(staple_msg_recv(ends[1], &got, buf), -EAGAIN);
}

/* A stapler that was taken over must not make master wait, or fill its table. */
Test(staple_msg, takes_no_descriptors_and_closes_them_at_once, .init = start)
{
	unsigned int before = case_fds();
	struct staple_msg got;
	int silent, fd = case_lingering(&silent);
	time_t begun = time(NULL);
	size_t len = take(&messages[3]);

	cr_assert_eq(ktls_send_fds(ends[0], bytes, len, &fd, 1), 0);
	close(fd);
	cr_assert_eq(staple_msg_recv(ends[1], &got, buf), -EBADMSG);
	cr_assert_lt(time(NULL) - begun, CASE_LINGER_S - 1);
	close(silent);
	cr_assert_eq(case_fds(), before);
}

/* Whatever is accepted can be read up to its NULs without leaving the buffer. */
Test(staple_msg, survives_any_byte_being_another, .init = start)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	size_t i, j, k, len;

	for (i = 0; i < COUNT(messages); i++) {
		len = take(&messages[i]);
		for (j = 0; j < len * COUNT(values); j++) {
			uint8_t *p = &bytes[j / COUNT(values)], was = *p;
			struct staple_msg got;
			int n;

			*p = values[j % COUNT(values)];
			cr_assert_eq(send(ends[0], bytes, len, 0),
				     (ssize_t)len);
			n = staple_msg_recv(ends[1], &got, buf);
			cr_assert(n == 1 || n == -EBADMSG);
			for (k = 0; n == 1 && k < STAPLE_MSG_PARTS; k++) {
				const struct ocsp_bytes *part = &got.part[k];

				cr_assert_leq(part->data + part->len,
					      buf + len - 1);
				cr_assert_eq(part->data[part->len], 0);
			}
			*p = was;
		}
	}
}
