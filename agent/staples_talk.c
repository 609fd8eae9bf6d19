/* SPDX-License-Identifier: MIT */
/* What master and its stapler say to each other. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"
#include "staples_table.h"

/* The longest URL or sentence that is kept. */
#define TEXT_MAX 1024
/* How soon to try again when the kernel is out of memory. */
#define SPEAK_MS 100

static struct ocsp_bytes text(const char *s)
{
	return (struct ocsp_bytes){ (const uint8_t *)s, s ? strlen(s) : 0 };
}

static int say(const struct staples *s, const struct staple_msg *msg)
{
	return staple_msg_send(s->child.socket.fd, msg, MSG_DONTWAIT);
}

static int say_options(const struct staples *s)
{
	const struct config_ocsp *ocsp = &s->setup.config->ocsp;

	return say(s, &(struct staple_msg){
		.type = STAPLE_MSG_OPTIONS,
		.options = {
			.timeout_ms = ocsp->timeout_ms,
			.hash = ocsp->hash,
			.per_host = ocsp->per_host,
			.staple_revoked = ocsp->revoked_staple,
			.min_interval = ocsp->min_interval_s,
			.max_interval = ocsp->max_interval_s,
		},
		.part = { text(s->folder.path), text(ocsp->proxy),
			  text(ocsp->ca.path) },
	});
}

static int say_slot(const struct staples *s, size_t i)
{
	const struct certs_slot *slot = s->staple[i].slot;
	int err = say(s, &(struct staple_msg){
		.type = STAPLE_MSG_SLOT,
		.slot = (uint32_t)i,
		.part = {
			text(slot->name),
			{ (const uint8_t *)slot->urls, slot->urls_len },
			slot->der,
			slot->issuer,
			s->list.item[i].der,
		},
	});

	if (err != -EMSGSIZE)
		return err;
	log_error("event=staple_impossible certificate=\"%s\" error=\"it and "
		  "its issuer's are too long\"", slot->name);
	return 0;
}

static int say_ping(struct staples *s)
{
	int err = say(s, &(struct staple_msg){ .type = STAPLE_MSG_PING });

	if (!err)
		s->ping = false;
	return err;
}

static int say_refresh(struct staples *s, size_t i)
{
	int err = 0;

	if (s->staple[i].refresh)
		err = say(s, &(struct staple_msg){
			  .type = STAPLE_MSG_REFRESH, .slot = (uint32_t)i });
	if (!err)
		s->staple[i].refresh = false;
	return err;
}

/* Says one thing, and turns to the next. Returns 1 when there is none. */
static int say_next(struct staples *s)
{
	bool last = s->next >= s->list.n;
	int err = 0;

	if (s->ping)
		return say_ping(s);
	switch (s->phase) {
	case STAPLES_OPTIONS:
		err = say_options(s);
		last = true;
		break;
	case STAPLES_SLOTS:
		if (!last)
			err = say_slot(s, s->next);
		break;
	case STAPLES_START:
		err = say(s, &(struct staple_msg){ .type = STAPLE_MSG_START });
		last = true;
		break;
	case STAPLES_REFRESH:
		if (last)
			return 1;
		err = say_refresh(s, s->next);
	}
	if (err)
		return err;
	if (last)
		s->phase++;
	s->next = last ? 0 : s->next + 1;
	return 0;
}

static bool has_to_say(const struct staples *s)
{
	return s->ping || s->phase != STAPLES_REFRESH || s->next < s->list.n;
}

void staples_speak(struct staples *s)
{
	int err = 0;

	s->speak_ms = 0;
	while (s->talking && !err)
		err = say_next(s);
	if (!s->talking || err == -EPIPE || err == -ECONNRESET)
		return;		/* reading tells its end */
	loop_want(s->setup.loop, &s->child.socket, err == -EAGAIN ?
		  LOOP_READ | LOOP_WRITE : LOOP_READ);
	if (err < 0 && err != -EAGAIN)
		s->speak_ms = loop_now_ms() + SPEAK_MS;
}

static void settle(struct staples *s, struct staple *staple)
{
	uint64_t load_by_ms = loop_now_ms() + STAPLES_LOAD_MS;

	if (staple->settled)
		return;
	staple->settled = true;
	s->n_unsettled--;
	if (load_by_ms > s->load_end_ms)
		load_by_ms = s->load_end_ms;
	if (load_by_ms > s->load_by_ms)
		s->load_by_ms = load_by_ms;
}

/* Is it what a stapler that began anew was given? */
static bool is_held(const struct delivery_item *item,
		    const struct staple_msg *msg)
{
	const struct ocsp_times *times = &msg->response.times;

	return item->generation && item->der.len == msg->part[0].len &&
	       item->times.this_update == times->this_update &&
	       item->times.next_update == times->next_update &&
	       !memcmp(item->der.data, msg->part[0].data, item->der.len);
}

static void take_news(struct staples *s, const struct staple_msg *msg)
{
	struct staple *staple = &s->staple[msg->slot];
	struct delivery_item *item = &s->list.item[msg->slot];
	struct ocsp_bytes der = { NULL, msg->part[0].len };
	uint8_t *copy = malloc(der.len + 1);
	int err = copy ? 0 : -ENOMEM;

	if (!err)
		err = hs_cert_set_staple(s->setup.certs->cert[item->cert],
					 item->depth, msg->part[0],
					 &msg->response.times);
	if (err) {
		log_error("event=staple_failed certificate=\"%s\" "
			  "error=\"%s\"", staple->slot->name, strerror(-err));
		free(copy);
		return;
	}
	memcpy(copy, msg->part[0].data, der.len);
	der.data = copy;
	free((void *)item->der.data);
	item->der = der;
	item->times = msg->response.times;
	item->generation++;
	staple->revoked = msg->response.verdict == OCSP_REVOKED;
	settle(s, staple);
	s->setup.changed(s->setup.arg, msg->slot);
}

/*
 * The stapler could not write. It is able to open no other folder than the one
 * it began with, see sandbox_enter(): if there is another, so must it be.
 */
static void repair_folder(struct staples *s)
{
	metrics_count(s->setup.metrics, METRIC_STAPLE_STORE_FAILURES);
	if (s->renewing || !state_dir_ocsp(s->setup.config, &s->folder))
		return;
	s->renewing = true;
	shutdown(s->child.socket.fd, SHUT_WR);
}

static void take_response(struct staples *s, const struct staple_msg *msg)
{
	if (!is_held(&s->list.item[msg->slot], msg))
		take_news(s, msg);
}

static enum metric kind_of(const struct staple_msg *msg)
{
	if (msg->attempt.result != FETCH_ANSWER)
		return METRIC_STAPLE_FETCHES_FAILED;
	if (msg->attempt.verdict == OCSP_REVOKED)
		return METRIC_STAPLE_FETCHES_REVOKED;
	if (msg->attempt.verdict != OCSP_OK)
		return METRIC_STAPLE_FETCHES_REFUSED;
	return msg->attempt.same ? METRIC_STAPLE_FETCHES_SAME :
				   METRIC_STAPLE_FETCHES_NEW;
}

static void keep_text(char **kept, const struct ocsp_bytes *part)
{
	free(*kept);
	*kept = part->len ? strndup((const char *)part->data, TEXT_MAX) : NULL;
}

static void take_attempt(struct staples *s, const struct staple_msg *msg)
{
	struct staple *staple = &s->staple[msg->slot];
	bool answered = msg->attempt.result == FETCH_ANSWER;

	staple->attempts++;
	staple->last = msg->attempt.at;
	staple->result = msg->attempt.result;
	staple->verdict = msg->attempt.verdict;
	keep_text(&staple->url, &msg->part[0]);
	keep_text(&staple->error, &msg->part[1]);
	if (answered && staple->verdict == OCSP_REVOKED)
		staple->revoked = true;
	else if (answered && staple->verdict == OCSP_OK)
		staple->revoked = false;
	metrics_count(s->setup.metrics, kind_of(msg));
	if (!answered)
		s->failures[staple->result]++;
	if (!staple->slot->must)
		settle(s, staple);
}

static void take_next(struct staples *s, const struct staple_msg *msg)
{
	s->staple[msg->slot].planned = true;
	s->staple[msg->slot].next = msg->next;
}

/* Returns false for what no stapler would say. */
static bool take(struct staples *s, const struct staple_msg *msg)
{
	if (msg->type != STAPLE_MSG_LOADED && msg->slot >= s->list.n)
		return false;
	switch (msg->type) {
	case STAPLE_MSG_RESPONSE:
		take_response(s, msg);
		return true;
	case STAPLE_MSG_ATTEMPT:
		take_attempt(s, msg);
		return true;
	case STAPLE_MSG_NEXT:
		take_next(s, msg);
		return true;
	case STAPLE_MSG_STORE_FAILED:
		repair_folder(s);
		return true;
	case STAPLE_MSG_LOADED:
		s->loaded = true;
		return true;
	case STAPLE_MSG_PING:
		return true;
	default:
		return false;
	}
}

void staples_break_off(struct staples *s)
{
	loop_remove(s->setup.loop, &s->child.socket);
	s->talking = false;
	if (s->child.pid)
		kill(s->child.pid, SIGKILL);
}

void staples_hear(struct watch *w)
{
	struct staples *s = (struct staples *)w;
	struct staple_msg msg;
	int n = staple_msg_recv(w->fd, &msg, s->buf);

	if (n == 1) {
		s->ping_ms = loop_now_ms() + STAPLES_PING_MS;
		s->pings = 0;
	}
	if (n == -EAGAIN || (n == 1 && take(s, &msg))) {
		if (has_to_say(s))
			staples_speak(s);
		return;
	}
	/* The latter: it died before it read all that it was told. */
	if (n && n != -ECONNRESET)
		log_error("event=stapler_garbled pid=%d error=\"%s\"",
			  (int)s->child.pid,
			  n < 0 ? strerror(-n) : "an impossible message");
	staples_break_off(s);
}

void staples_ping(struct staples *s, uint64_t now)
{
	/* After master was stopped itself, the answer may lie there. */
	if (s->pings == STAPLES_PINGS)
		staples_hear(&s->child.socket);
	if (!s->talking)
		return;
	if (s->pings == STAPLES_PINGS) {
		log_error("event=stapler_hangs pid=%d error=\"it did not say "
			  "anything for minutes, although it was asked to\"",
			  (int)s->child.pid);
		staples_break_off(s);
		return;
	}
	s->pings++;
	s->ping = true;
	s->ping_ms = now + STAPLES_PING_MS;
	staples_speak(s);
}
