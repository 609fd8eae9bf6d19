/* SPDX-License-Identifier: MIT */
/*
 * What master and the stapler say to each other, over a SEQPACKET socketpair.
 * Either side that reads the end knows that the other is gone.
 */
#ifndef AGENT_STAPLE_MSG_H
#define AGENT_STAPLE_MSG_H

#include "fetch/fetch.h"

enum staple_msg_type {
	/* to the stapler, in this order */
	STAPLE_MSG_OPTIONS,	/* once, first */
	STAPLE_MSG_SLOT,	/* a certificate to look after */
	STAPLE_MSG_START,	/* there are no more slots */
	STAPLE_MSG_REFRESH,	/* ask now, whatever the schedule says */
	/* to master */
	STAPLE_MSG_RESPONSE,	/* staple this from now on */
	STAPLE_MSG_ATTEMPT,	/* how one ended */
	STAPLE_MSG_NEXT,	/* when the next one is */
	STAPLE_MSG_STORE_FAILED, /* what was last said could not be written */
	STAPLE_MSG_LOADED,	/* all that was stored has been sent */
	/* to the stapler at any time, and back as soon as it is read */
	STAPLE_MSG_PING,
	STAPLE_MSG_TYPES,
};

#define STAPLE_MSG_PARTS 5
#define STAPLE_MSG_MAX (192 * 1024)	/* bytes; fits every default socket */

/*
 * The parts, each NUL-terminated beyond its length as text needs it:
 * OPTIONS   0 folder of the store, 1 proxy, 2 CA file; empty: none
 * SLOT      0 name for people, 1 URLs to ask in turn, a NUL behind each,
 *           2 certificate, 3 issuer, 4 response that master holds, or empty
 * RESPONSE  0 the response
 * ATTEMPT   0 URL that was asked, 1 sentence; empty when it was a success
 */
struct staple_msg {
	uint32_t type;
	uint32_t slot;
	union {
		struct {		/* OPTIONS */
			uint32_t timeout_ms, hash, per_host;
			uint32_t staple_revoked;	/* bool */
			int64_t min_interval, max_interval;	/* seconds */
		} options;
		struct {		/* RESPONSE */
			struct ocsp_times times;
			uint32_t verdict;	/* OCSP_OK or OCSP_REVOKED */
		} response;
		struct {		/* ATTEMPT */
			int64_t at;		/* seconds since the epoch */
			uint32_t result;	/* enum fetch_result */
			uint32_t verdict;	/* with FETCH_ANSWER */
			uint32_t same;		/* bool: nothing new in it */
		} attempt;
		int64_t next;		/* NEXT: seconds since the epoch */
	};
	struct ocsp_bytes part[STAPLE_MSG_PARTS];
};

/*
 * staple_msg_send - one message
 * @flags: MSG_DONTWAIT or 0. Returns 0, -EMSGSIZE beyond STAPLE_MSG_MAX, or
 * -errno of sendmsg(2); -EAGAIN: no room now.
 */
int staple_msg_send(int fd, const struct staple_msg *msg, int flags);

/*
 * staple_msg_recv - the next message, never waits
 * @buf: STAPLE_MSG_MAX bytes, which the parts point into
 * Returns 1, 0 at the end, or -errno; -EAGAIN: nothing there; -EBADMSG: not a
 * message of ours: every length, enum and bool in it has been checked otherwise.
 */
int staple_msg_recv(int fd, struct staple_msg *msg,
		    uint8_t buf[STAPLE_MSG_MAX]);

#endif
