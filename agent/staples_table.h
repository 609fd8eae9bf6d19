/* SPDX-License-Identifier: MIT */
/* Inside of staples*.c: the table. */
#ifndef AGENT_STAPLES_TABLE_H
#define AGENT_STAPLES_TABLE_H

#include "child.h"
#include "staple_msg.h"
#include "staples.h"
#include "state_dir.h"

/*
 * struct staple - a slot; what it has now is the list's item
 * @revoked:  the responder's last word
 * @settled:  need not be waited for before listening
 * @refresh:  the stapler is still to be told
 * @planned:  the stapler has said when it asks next
 * @attempts: whether the fields below it are set
 */
struct staple {
	const struct certs_slot *slot;
	uint8_t fingerprint[OCSP_FINGERPRINT_LEN];
	bool revoked, settled, refresh, planned;
	int64_t next;			/* seconds since the epoch */
	uint64_t attempts;
	int64_t last;			/* likewise */
	enum fetch_result result;
	enum ocsp_verdict verdict;
	char *url, *error;
};

/*
 * What is stored is waited for, however short start_wait is, while it comes; so
 * long from one to the next, and so long in all unless start_wait is longer.
 */
#define STAPLES_LOAD_MS 10000
#define STAPLES_LOAD_ALL_MS 60000

/*
 * A stapler that says nothing for so long is asked whether it is there; when it
 * says nothing for as long after each of so many questions, it hangs. As a rule
 * it answers within milliseconds, but a disk that it stores on can keep it for
 * a minute. Questions are counted, since a master that was itself stopped finds
 * that any time has passed.
 */
#define STAPLES_PING_MS 60000
#define STAPLES_PINGS 2

/* What the stapler is to be told next. */
enum staples_phase {
	STAPLES_OPTIONS, STAPLES_SLOTS, STAPLES_START, STAPLES_REFRESH
};

struct staples {
	struct child child;		/* first, see there */
	struct staples_setup setup;
	struct delivery_list list;
	struct staple *staple;		/* as many */
	struct state_dir folder;

	bool follows;			/* the stapler is still previous' */
	size_t turn;			/* where the next record may belong */
	bool talking;			/* its socket is open and in order */
	bool stopping;
	bool renewing;			/* it is to end for the next one */
	enum staples_phase phase;
	size_t next;			/* slot to tell of */
	uint64_t speak_ms;		/* when to try again to tell it */
	uint64_t kill_ms;		/* while stopping */

	uint64_t ping_ms;		/* when to ask whether it is there */
	unsigned int pings;		/* since it said something */
	bool ping;			/* the last one is still to be sent */

	bool loaded, gave_up;
	size_t n_unsettled;
	uint64_t settle_by_ms, load_by_ms;
	uint64_t load_end_ms;		/* load_by_ms is never later */

	uint64_t failures[FETCH_RESULTS];
	uint8_t buf[STAPLE_MSG_MAX];
};

/* staples_inherit - as staples_new() says; 0 or -ENOMEM */
int staples_inherit(struct staples *staples, const struct staples *previous);

/* staples_speak - tell the stapler what there is to tell, and room for */
void staples_speak(struct staples *staples);
/* staples_hear - take what it has to say; a watch's callback */
void staples_hear(struct watch *w);
/* staples_ping - @ping_ms is over: ask whether it is there, or kill it */
void staples_ping(struct staples *staples, uint64_t now_ms);
/* staples_break_off - be done with this one, whatever it does */
void staples_break_off(struct staples *staples);

#endif
