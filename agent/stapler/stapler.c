/* SPDX-License-Identifier: MIT */
#include "stapler.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/log.h"
#include "agent/loop.h"
#include "agent/process.h"
#include "agent/sandbox.h"
#include "state.h"

/*
 * Fetches at a time: as each dead host keeps one for the whole of its time
 * limit, hundreds of them must not hold up the others. And connections kept
 * open between fetches.
 */
#define PLACES 256
#define CONNECTIONS 16
/* Clients' handshakes go before signatures of thousands of responses. */
#define NICE 5
/*
 * A fetch has sockets to two addresses. While name servers are silent, three
 * for its name outlive it: by two minutes, with three servers and search
 * domains, and ten others may begin meanwhile.
 */
#define FILES_EACH 32
#define FILES_ELSE 64
#define FILES_MAX (PLACES * FILES_EACH + FILES_ELSE)
#define SLOTS_MAX (1U << 20)
/* Messages read at a time; fetches go on in between. */
#define BATCH 64
/* Nobody wrote these for longer than any response may be used. */
#define SWEEP_DAYS 400
#ifdef __SANITIZE_ADDRESS__
#define CONFINED false		/* its reports go to files elsewhere */
#else
#define CONFINED true
#endif

void stapler_time(struct stapler *st)
{
	st->now_ms = loop_now_ms();
	st->now = time(NULL);
}

/* --- what master is told ------------------------------------------------- */

void stapler_pass_on(struct stapler *st, struct slot *slot)
{
	slot_list_add(&st->unsaid, &slot->say);
	if (slot->unstored)
		slot_list_add(&st->unstored, &slot->store);
}

/* The first one's; then it is out, unless there is no room for all. */
static int say_next(struct stapler *st)
{
	struct slot_link *first = st->unsaid.first;
	int err = slot_say(container_of(first, struct slot, say), st->master);

	if (err)
		return err;
	slot_list_drop(&st->unsaid);
	if (first == st->loaded_behind) {
		st->loaded_behind = NULL;
		st->loaded = true;
	}
	return 0;
}

/* What is no slot's, and is @due no more once it is said. */
static int say_own(struct stapler *st, enum staple_msg_type type, bool *due)
{
	struct staple_msg msg = { .type = type };
	int err = staple_msg_send(st->master, &msg, MSG_DONTWAIT);

	if (!err)
		*due = false;
	return err;
}

/* Returns 1 when there is nothing, or -errno. */
static int say_something(struct stapler *st)
{
	if (st->pinged)
		return say_own(st, STAPLE_MSG_PING, &st->pinged);
	if (st->loaded)
		return say_own(st, STAPLE_MSG_LOADED, &st->loaded);
	return st->unsaid.first ? say_next(st) : 1;
}

static void on_room(struct ring_op *op, int result)
{
	(void)result;
	container_of(op, struct stapler, out_op)->waits_for_room = false;
}

/*
 * Master may be busy telling us something: neither waits for the other. What
 * waits is one response, one attempt and one time per slot, the last ones.
 */
static void say_all(struct stapler *st)
{
	int err = 0;

	if (st->waits_for_room)
		return;
	while (!err)
		err = say_something(st);
	if (err > 0 || st->over)
		return;
	if (err == -EAGAIN) {
		st->waits_for_room = true;
		st->out_op.done = on_room;
		io_uring_prep_poll_add(ring_prepare(&st->ring, &st->out_op),
				       st->master, POLLOUT);
		return;
	}
	if (err != -EPIPE && err != -ECONNRESET) {
		log_error("event=stapler_failed error=\"cannot tell master: "
			  "%s\"", strerror(-err));
		st->status = 1;
	}
	st->over = true;
}

/* --- what master says ---------------------------------------------------- */

static void log_step(void *arg, const char *text)
{
	const struct slot *slot = arg;

	log_debug("event=fetch_step certificate=\"%s\" text=\"%s\"",
		  slot->name, text);
}

static void confine(int dir)
{
	int err = CONFINED ? sandbox_enter(dir) : 0;

	if (err == -ENOSYS || err == -EOPNOTSUPP)
		log_debug("event=sandbox_missing error=\"this kernel has no "
			  "Landlock\"");
	else if (err)
		log_warn("event=sandbox_failed error=\"%s\"", strerror(-err));
}

/* Returns the folder's descriptor or -errno; what master knows is not logged. */
static int open_folder(const char *path)
{
	int dir;

	if (!path)
		return -ENOENT;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0)
		return dir;
	dir = -errno;
	log_warn("event=staple_store_failed folder=\"%s\" error=\"%s\" "
		 "effect=\"staples are kept in memory alone\"", path,
		 strerror(-dir));
	return dir;
}

/* Without a folder, staples are kept by master alone. */
static void open_store(struct stapler *st)
{
	struct slot_policy *policy = &st->policy;
	int dir = open_folder(policy->folder);

	if (dir < 0)
		policy->folder_error = policy->store_error = dir;
	ocsp_files_init(&policy->files, dir);
	confine(dir);
	if (dir >= 0)
		ocsp_store_sweep(&policy->files, st->now, SWEEP_DAYS);
}

static char *keep_text(const struct ocsp_bytes *text)
{
	return text->len ? strdup((const char *)text->data) : NULL;
}

static bool take_options(struct stapler *st, const struct staple_msg *msg)
{
	const struct ocsp_intervals intervals = {
		msg->options.min_interval, msg->options.max_interval
	};

	if (st->configured || intervals.min < 1 || intervals.max < 1 ||
	    !msg->options.per_host)
		return false;
	st->policy.intervals = intervals;
	st->policy.staple_revoked = msg->options.staple_revoked;
	st->policy.folder = keep_text(&msg->part[0]);
	st->proxy = keep_text(&msg->part[1]);
	st->ca_file = keep_text(&msg->part[2]);
	st->options = (struct fetch_options){
		.timeout_ms = msg->options.timeout_ms,
		.proxy = st->proxy,
		.ca_file = st->ca_file,
		.hash = msg->options.hash,
		.limits = ocsp_default_limits,
		.debug = log_level >= LOG_L_DEBUG ? log_step : NULL,
	};
	refresh_init(&st->refresh, st->places, msg->options.per_host,
		     stapler_on_place);
	open_store(st);
	st->configured = true;
	return true;
}

static int reserve_number(struct stapler *st, uint32_t number)
{
	size_t n = st->n_slots ? st->n_slots : 16;
	struct slot **slots;

	if (number < st->n_slots)
		return 0;
	while (n <= number)
		n *= 2;
	slots = reallocarray(st->slots, n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + st->n_slots, 0, (n - st->n_slots) * sizeof(*slots));
	st->slots = slots;
	st->n_slots = n;
	return 0;
}

static int reserve(struct stapler *st, const struct slot *slot)
{
	const char *url;
	int err = reserve_number(st, slot->id);

	if (!err)
		err = refresh_add(&st->refresh);
	if (!err)
		err = timers_reserve(&st->ends, st->refresh.jobs);
	for (url = slot->urls; !err && url < slot->urls_end;
	     url += strlen(url) + 1)
		err = refresh_add_url(&st->refresh, url);
	return err;
}

static bool take_slot(struct stapler *st, const struct staple_msg *msg)
{
	struct slot *slot = NULL;

	if (!st->configured || msg->slot >= SLOTS_MAX || !msg->part[1].len ||
	    (msg->slot < st->n_slots && st->slots[msg->slot]))
		return false;
	slot = slot_new(msg);
	if (!slot || reserve(st, slot)) {
		log_error("event=stapler_failed certificate=\"%s\" error=\"out "
			  "of memory\"", (const char *)msg->part[0].data);
		slot_free(slot);
		return true;
	}
	st->slots[slot->id] = slot;
	slot_load(slot, &st->policy, msg->part[4], st->now);
	stapler_watch(st, slot);
	if (slot->response.data)
		stapler_pass_on(st, slot);
	if (st->started)
		stapler_schedule(st, slot);
	return true;
}

static bool take_start(struct stapler *st)
{
	size_t i;

	if (!st->configured || st->started)
		return false;
	st->started = true;
	for (i = 0; i < st->n_slots; i++)
		if (st->slots[i])
			stapler_schedule(st, st->slots[i]);
	st->loaded_behind = st->unsaid.first ? st->unsaid.last : NULL;
	st->loaded = !st->unsaid.first;
	return true;
}

static bool take_refresh(struct stapler *st, uint32_t number)
{
	struct slot *slot = number < st->n_slots ? st->slots[number] : NULL;

	if (!slot)
		return false;
	if (slot->job.state == REFRESH_IDLE)
		stapler_ask(st, slot);
	return true;
}

static bool take(struct stapler *st, const struct staple_msg *msg)
{
	switch (msg->type) {
	case STAPLE_MSG_OPTIONS:
		return take_options(st, msg);
	case STAPLE_MSG_SLOT:
		return take_slot(st, msg);
	case STAPLE_MSG_START:
		return take_start(st);
	case STAPLE_MSG_REFRESH:
		return take_refresh(st, msg->slot);
	case STAPLE_MSG_PING:
		st->pinged = true;
		return true;
	default:
		return false;
	}
}

static void on_master(struct ring_op *op, int result)
{
	struct stapler *st = container_of(op, struct stapler, in_op);
	unsigned int i;
	int n = 1;

	(void)result;
	for (i = 0; i < BATCH && n != 0 && n != -EAGAIN; i++) {
		struct staple_msg msg;

		n = staple_msg_recv(st->master, &msg, st->buf);
		if (n == -EBADMSG || (n == 1 && !take(st, &msg)))
			log_error("event=message_refused error=\"master said "
				  "what makes no sense here\"");
		else if (n < 0 && n != -EAGAIN)
			n = 0;
	}
	if (!n)
		st->over = true;
	else
		io_uring_prep_poll_add(ring_prepare(&st->ring, &st->in_op),
				       st->master, POLLIN);
}

/* --- the process --------------------------------------------------------- */

/* What time has brought; returns how long to wait for the next thing, in ms. */
static int64_t run_timers(struct stapler *st)
{
	uint64_t next;

	stapler_time(st);
	stapler_run_ends(st);
	/* Ends of transfers make places, new transfers want libcurl's time. */
	curl_ring_run(&st->curl, st->now_ms);
	next = refresh_run(&st->refresh, st->now_ms);
	next = clock_earlier(next, timers_next(&st->ends));
	next = clock_earlier(next, st->curl.due_ms);
	say_all(st);
	if (st->over || stapler_store_one(st))
		return 0;
	if (next == UINT64_MAX)
		return -1;
	return next > st->now_ms ? (int64_t)(next - st->now_ms) : 0;
}

/* Where descriptors are few, so are the places. */
static unsigned int places_for(int files)
{
	int places = (files - FILES_ELSE) / FILES_EACH;

	return places > 1 ? (unsigned int)places : 1;
}

static int init(struct stapler *st)
{
	int files, err;

	process_keep(&st->master, 1);
	/* In lists of processes it would be "exe", by which it was executed. */
	prctl(PR_SET_NAME, "ktlsd-stapler");
	/* Signals to the whole group are master's to act on. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + NICE);
	files = sandbox_limits(FILES_MAX);
	if (files < 0)
		return files;
	st->places = places_for(files);
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	err = ring_init(&st->ring);
	if (!err)
		err = stapler_watch_clock(st);
	if (err)
		return err;
	return curl_ring_init(&st->curl, &st->ring, CONNECTIONS,
			      stapler_on_ended);
}

static void fini(struct stapler *st)
{
	size_t i;

	for (i = 0; i < st->n_slots; i++) {
		if (st->slots[i] && st->slots[i]->easy)
			curl_ring_remove(&st->curl, st->slots[i]->easy);
		slot_free(st->slots[i]);
	}
	ring_fini(&st->ring);
	curl_ring_fini(&st->curl);
	curl_global_cleanup();
	refresh_fini(&st->refresh);
	timers_fini(&st->ends);
	if (st->configured && st->policy.files.dir >= 0)
		close(st->policy.files.dir);
	close(st->clock);
	close(st->master);
	free(st->slots);
	free(st->policy.folder);
	free(st->proxy);
	free(st->ca_file);
}

int stapler_run(int master)
{
	static struct stapler st;
	int err;

	st.master = master;
	err = init(&st);
	if (err) {
		log_error("event=stapler_failed error=\"%s\"",
			  uring_denied(err));
		return 1;
	}
	stapler_time(&st);
	st.in_op.done = on_master;
	on_master(&st.in_op, 0);
	while (!err && !st.over) {
		err = ring_wait(&st.ring, run_timers(&st));
		stapler_time(&st);
		ring_call_back(&st.ring);
	}
	if (err)
		log_error("event=ring_failed error=\"%s\"", strerror(-err));
	stapler_store_all(&st);
	fini(&st);
	return err ? 1 : st.status;
}
