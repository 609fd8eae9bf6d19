// SPDX-License-Identifier: MIT
#include "agent/channel.h"

#include <sys/uio.h>

#include "agent_case.h"

TestSuite(channel, .timeout = 10);

static const struct channel_msg add = { CHANNEL_QUEUE_ADD, 3, 1ULL << 40 };
static int ends[2];

static void start(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				ends), 0);
}

Test(channel, carries_a_message_without_a_descriptor, .init = start)
{
	struct channel_in in;
	int fd = 9;

	cr_assert_eq(channel_send(ends[0], &add, -1), 0);
	cr_assert_eq(channel_recv(ends[1], &in, &fd), 1);
	cr_assert_arr_eq(&in.msg, &add, sizeof(add));
	cr_assert_eq(fd, -1);
}

Test(channel, carries_a_descriptor_and_leaves_the_sender_its_own,
     .init = start)
{
	unsigned int before = case_fds();
	struct channel_in in;
	int fd;

	cr_assert_eq(channel_send(ends[0], &add, ends[0]), 0);
	cr_assert_eq(channel_recv(ends[1], &in, &fd), 1);
	cr_assert_eq(case_fds(), before + 1);
	cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	cr_assert(case_is_open(ends[0]));
}

static const struct channel_staple staple = {
	CHANNEL_STAPLE, 9999, 1, 0, 5ULL << 32 | 7, { -1000, 1ULL << 40 }
};
static uint8_t der[OCSP_MAX_LEN + 1];

Test(channel, carries_a_response_of_any_length_whole, .init = start)
{
	static const size_t lengths[] = { 0, 1, 500, OCSP_MAX_LEN };
	struct channel_in in;
	size_t i;
	int fd;

	for (i = 0; i < sizeof(der); i++)
		der[i] = (uint8_t)(i % 251);
	for (i = 0; i < COUNT(lengths); i++) {
		struct ocsp_bytes bytes = { der, lengths[i] };

		cr_assert_eq(channel_send_staple(ends[0], &staple, bytes), 0);
		cr_assert_eq(channel_recv(ends[1], &in, &fd), 1);
		cr_assert_arr_eq(&in.staple, &staple, sizeof(staple));
		cr_assert_eq(in.der.len, lengths[i]);
		cr_assert_arr_eq(in.der.data, der, lengths[i]);
	}
	cr_assert_eq(channel_send_staple(ends[0], &staple,
					 (struct ocsp_bytes){ der,
					 sizeof(der) }), 0);
	cr_assert_eq(channel_recv(ends[1], &in, &fd), -EBADMSG);
	/* Cut within what stands before the response. */
	cr_assert_eq(send(ends[0], &staple, sizeof(staple) - 1, 0),
		     sizeof(staple) - 1);
	cr_assert_eq(channel_recv(ends[1], &in, &fd), -EBADMSG);
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, len - 1);
}

Test(channel, carries_ticket_keys_and_forgets_them, .init = start)
{
	static struct channel_in in;
	struct hs_ticket_keys keys;
	uint32_t type = CHANNEL_TICKETS;
	int fd;

	memset(&keys, 'k', sizeof(keys));
	cr_assert_eq(channel_send_tickets(ends[0], &keys), 0);
	cr_assert_eq(channel_recv(ends[1], &in, &fd), 1);
	cr_assert_eq(in.msg.type, CHANNEL_TICKETS);
	cr_assert_arr_eq(&in.tickets.keys, &keys, sizeof(keys));
	channel_wipe(&in);
	cr_assert(is_zero((uint8_t *)&in, sizeof(in)));
	cr_assert_eq(send(ends[0], &type, sizeof(type), 0), sizeof(type));
	cr_assert_eq(channel_recv(ends[1], &in, &fd), -EBADMSG);
	close(ends[1]);
	cr_assert_eq(channel_send_tickets(ends[0], &keys), -EPIPE);
}

Test(channel, does_not_wait_for_room_for_a_response, .init = start)
{
	struct ocsp_bytes bytes = { der, OCSP_MAX_LEN };
	unsigned int i;
	int err = 0;

	for (i = 0; i < 1000 && !err; i++)
		err = channel_send_staple(ends[0], &staple, bytes);
	cr_assert_eq(err, -EAGAIN);
	close(ends[1]);
	cr_assert_eq(channel_send_staple(ends[0], &staple, bytes), -ECONNRESET);
}

Test(channel, tells_nothing_there_from_the_end, .init = start)
{
	struct channel_in in;
	int fd;

	cr_assert_eq(channel_recv(ends[1], &in, &fd), -EAGAIN);
	close(ends[0]);
	cr_assert_eq(channel_recv(ends[1], &in, &fd), 0);
	cr_assert_eq(fd, -1);
}

Test(channel, never_waits_for_a_peer_that_does_not_read, .init = start)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < 100000 && !err; i++)
		err = channel_send(ends[0], &add, -1);
	cr_assert_eq(err, -EAGAIN);
	close(ends[1]);
	cr_assert_eq(channel_send(ends[0], &add, -1), -ECONNRESET);
}

Test(channel, refuses_what_is_no_message_of_ours, .init = start)
{
	struct channel_in in;
	int fd;

	cr_assert_eq(send(ends[0], "hello", 5, 0), 5);
	cr_assert_eq(channel_recv(ends[1], &in, &fd), -EBADMSG);
	cr_assert_eq(fd, -1);
	cr_assert_eq(channel_recv(ends[1], &in, &fd), -EAGAIN);
}

/* A worker that was taken over must not fill master's table. */
Test(channel, keeps_no_descriptor_that_it_does_not_give_to_the_caller,
     .init = start)
{
	static const size_t lengths[] = { 0, 5, sizeof(add),
					  sizeof(add) + 1 };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { .align = { CMSG_LEN(2 * sizeof(int)), SOL_SOCKET,
				 SCM_RIGHTS } };
	static uint8_t bytes[sizeof(add) + 1];
	unsigned int before = case_fds();
	struct channel_in in;
	size_t i;
	int fd;

	for (i = 0; i < COUNT(lengths); i++) {
		struct iovec iov = { bytes, lengths[i] };
		struct msghdr hdr = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};

		memcpy(bytes, &add, sizeof(add));
		cr_assert_eq(sendmsg(ends[0], &hdr, 0), (ssize_t)lengths[i]);
		channel_recv(ends[1], &in, &fd);
		if (fd >= 0)
			close(fd);
		cr_expect_eq(case_fds(), before, "%zu bytes", lengths[i]);
	}
}
