/* SPDX-License-Identifier: MIT */
#include "staple_msg.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "ktls/descriptors.h"

/* Of what is said before the parts, this much is in struct staple_msg. */
#define FIXED offsetof(struct staple_msg, part)

/* Any time that a certificate or a clock can have is nearer to 1970. */
#define FARTHEST ((int64_t)1 << 40)

struct head {
	uint8_t fixed[FIXED];
	uint32_t len[STAPLE_MSG_PARTS];
};

/* What a part holds. */
enum kind {
	NOTHING,
	TEXT,			/* no NUL in it */
	TEXTS,			/* a NUL behind each */
	BYTES,
	RESPONSE,		/* at most OCSP_MAX_LEN bytes */
};

static const enum kind kinds[STAPLE_MSG_TYPES][STAPLE_MSG_PARTS] = {
	[STAPLE_MSG_OPTIONS] = { TEXT, TEXT, TEXT },
	[STAPLE_MSG_SLOT] = { TEXT, TEXTS, BYTES, BYTES, RESPONSE },
	[STAPLE_MSG_RESPONSE] = { RESPONSE },
	[STAPLE_MSG_ATTEMPT] = { TEXT, TEXT },
};

int staple_msg_send(int fd, const struct staple_msg *msg, int flags)
{
	struct iovec iov[1 + 2 * STAPLE_MSG_PARTS];
	struct msghdr hdr = { .msg_iov = iov, .msg_iovlen = 1 };
	struct head head;
	size_t total = sizeof(head), i;

	memcpy(head.fixed, msg, FIXED);
	iov[0] = (struct iovec){ &head, sizeof(head) };
	for (i = 0; i < STAPLE_MSG_PARTS; i++) {
		const struct ocsp_bytes *part = &msg->part[i];

		if (part->len > STAPLE_MSG_MAX)
			return -EMSGSIZE;
		total += part->len + 1;
		head.len[i] = (uint32_t)part->len;
		iov[hdr.msg_iovlen++] =
			(struct iovec){ (void *)part->data, part->len };
		iov[hdr.msg_iovlen++] = (struct iovec){ (void *)"", 1 };
	}
	if (total > STAPLE_MSG_MAX)
		return -EMSGSIZE;
	return sendmsg(fd, &hdr, flags | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Fills the parts. Returns false unless they are all there is. */
static bool find_parts(struct staple_msg *msg, const struct head *head,
		       const uint8_t *p, size_t left)
{
	size_t i;

	for (i = 0; i < STAPLE_MSG_PARTS; i++) {
		size_t len = head->len[i];

		if (left <= len || p[len])
			return false;
		msg->part[i] = (struct ocsp_bytes){ p, len };
		p += len + 1;
		left -= len + 1;
	}
	return !left;
}

static bool is_right(enum kind kind, const struct ocsp_bytes *part)
{
	switch (kind) {
	case NOTHING:
		return !part->len;
	case TEXT:
		return strlen((const char *)part->data) == part->len;
	case TEXTS:
		return !part->len || !part->data[part->len - 1];
	case BYTES:
		return true;
	case RESPONSE:
		return part->len <= OCSP_MAX_LEN;
	}
	return false;
}

static bool is_time(int64_t seconds)
{
	return -FARTHEST < seconds && seconds < FARTHEST;
}

static bool has_right_fields(const struct staple_msg *msg)
{
	switch (msg->type) {
	case STAPLE_MSG_OPTIONS:
		return msg->options.hash <= OCSP_SHA256 &&
		       msg->options.staple_revoked <= 1 &&
		       is_time(msg->options.min_interval) &&
		       is_time(msg->options.max_interval);
	case STAPLE_MSG_RESPONSE:
		return is_time(msg->response.times.this_update) &&
		       is_time(msg->response.times.next_update) &&
		       (msg->response.verdict == OCSP_OK ||
			msg->response.verdict == OCSP_REVOKED);
	case STAPLE_MSG_ATTEMPT:
		return is_time(msg->attempt.at) &&
		       msg->attempt.result < FETCH_RESULTS &&
		       msg->attempt.verdict < OCSP_VERDICTS &&
		       msg->attempt.same <= 1;
	case STAPLE_MSG_NEXT:
		return is_time(msg->next);
	default:
		return true;
	}
}

int staple_msg_recv(int fd, struct staple_msg *msg,
		    uint8_t buf[STAPLE_MSG_MAX])
{
	struct ktls_fds fds;
	ssize_t n = ktls_recv_fds(fd, buf, STAPLE_MSG_MAX, &fds, 0);
	struct head head;
	bool alone;
	size_t i;

	if (n < 0)
		return (int)n;
	alone = !fds.n && !fds.truncated;
	/* Those that the kernel would drop could make their reader wait. */
	ktls_close_fds(&fds);
	if (!n && alone)
		return 0;
	if (n < (ssize_t)sizeof(head) || !alone)
		return -EBADMSG;
	memcpy(&head, buf, sizeof(head));
	memcpy(msg, head.fixed, FIXED);
	if (msg->type >= STAPLE_MSG_TYPES ||
	    !find_parts(msg, &head, buf + sizeof(head),
			(size_t)n - sizeof(head)) ||
	    !has_right_fields(msg))
		return -EBADMSG;
	for (i = 0; i < STAPLE_MSG_PARTS; i++)
		if (!is_right(kinds[msg->type][i], &msg->part[i]))
			return -EBADMSG;
	return 1;
}
