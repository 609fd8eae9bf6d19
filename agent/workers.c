/* SPDX-License-Identifier: MIT */
#include "workers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "log.h"
#include "loop.h"
#include "process.h"

/* How often a worker that does not read its channel is told again. */
#define REPEAT_MS 1000
/* How soon a staple is sent again that its channel did not take, */
#define STAPLE_MS 100
/* and one for which the worker had no memory, or any other until then. */
#define LOST_MS 1000
/* What workers get on top of their own time limits before they are killed. */
#define STOP_MARGIN_MS 2000

struct one {
	struct child child;
	struct workers *all;
	struct delivery delivery;
	struct metrics *metrics;
	bool ready, left;
	uint64_t repeat_ms;	/* when to say what it had no room to hear */
	uint64_t staple_ms;	/* give it no staples before that */
};

struct workers {
	struct worker_setup setup;
	struct workers_events events;
	struct metrics_pool *metrics;
	int loop;
	bool accepting, failed, stopping;
	uint64_t kill_ms;		/* while stopping */
	struct channel_in in;
	unsigned int n;
	struct one one[];
};

/* As much as there is room for; the rest follows its answers. */
static void deliver(struct one *one, uint64_t now)
{
	if (now < one->staple_ms)
		return;
	one->staple_ms = 0;
	if (one->child.pid && !one->all->stopping &&
	    delivery_run(&one->delivery, one->child.socket.fd))
		one->staple_ms = now + STAPLE_MS;
}

static void take_answer(struct one *one, uint64_t id, bool taken)
{
	uint64_t now = loop_now_ms();

	delivery_answered(&one->delivery, id, taken);
	if (!taken)
		one->staple_ms = now + LOST_MS;
	deliver(one, now);
}

static void take_message(struct one *one, const struct channel_msg *msg)
{
	const struct workers_events *events = &one->all->events;

	switch (msg->type) {
	case CHANNEL_READY:
		one->ready = true;
		break;
	case CHANNEL_LEFT:
		one->left = true;
		break;
	case CHANNEL_QUEUE_BROKEN:
		events->broken(events->arg, msg->route, msg->id);
		break;
	case CHANNEL_STAPLE_TAKEN:
	case CHANNEL_STAPLE_LOST:
		take_answer(one, msg->id, msg->type == CHANNEL_STAPLE_TAKEN);
		break;
	}
}

static void on_channel(struct watch *w)
{
	struct one *one = (struct one *)w;
	struct workers *all = one->all;
	int fd, n = channel_recv(w->fd, &all->in, &fd);

	if (fd >= 0)
		close(fd);
	if (n == 1)
		take_message(one, &all->in.msg);
	else if (!n)
		loop_remove(all->loop, w);	/* SIGCHLD does the rest */
}

void workers_staple(struct workers *all, size_t slot)
{
	unsigned int i;

	for (i = 0; i < all->n; i++) {
		delivery_changed(&all->one[i].delivery, slot);
		deliver(&all->one[i], loop_now_ms());
	}
}

bool workers_have(const struct workers *all, size_t slot)
{
	unsigned int i;

	for (i = 0; i < all->n; i++)
		if (all->one[i].child.pid &&
		    !delivery_done(&all->one[i].delivery, slot))
			return false;
	return true;
}

/* Returns 0 or -ENOMEM. */
static int init(struct one *one, unsigned int number,
		const struct delivery_list *staples)
{
	one->child.name = "worker";
	one->child.socket.ready = on_channel;
	one->metrics = metrics_take(one->all->metrics, number);
	return one->metrics ? delivery_init(&one->delivery, staples) : -ENOMEM;
}

struct workers *workers_new(const struct worker_setup *setup,
			    struct metrics_pool *metrics, int loop,
			    const struct workers_events *events,
			    const struct delivery_list *staples)
{
	unsigned int n = setup->config->workers, i;
	struct workers *all = calloc(1, sizeof(*all) + n * sizeof(all->one[0]));
	int err = 0;

	if (!all)
		return NULL;
	all->setup = *setup;
	all->events = *events;
	all->metrics = metrics;
	all->loop = loop;
	all->n = n;
	for (i = 0; i < n && !err; i++) {
		all->one[i].all = all;
		err = init(&all->one[i], i, staples);
	}
	if (!err)
		return all;
	workers_free(all);
	return NULL;
}

void workers_free(struct workers *all)
{
	unsigned int i;

	for (i = 0; all && i < all->n; i++) {
		delivery_fini(&all->one[i].delivery);
		metrics_give(all->metrics, all->one[i].metrics);
	}
	free(all);
}

/* What it had no room for is said again later. */
static void said(struct one *one, int err)
{
	if (!err || err == -EPIPE || err == -ECONNRESET)
		return;		/* it is gone: SIGCHLD does the rest */
	if (!one->repeat_ms)
		log_warn("event=channel_failed worker_pid=%d error=\"%s\"",
			 (int)one->child.pid, strerror(-err));
	one->repeat_ms = loop_now_ms() + REPEAT_MS;
}

static void say(struct one *one, const struct channel_msg *msg, int fd)
{
	said(one, channel_send(one->child.socket.fd, msg, fd));
}

static void say_tickets(struct one *one)
{
	const struct hs_tickets *tickets = one->all->setup.tickets;

	if (one->child.pid && tickets)
		said(one, channel_send_tickets(one->child.socket.fd,
					       hs_tickets_get(tickets)));
}

void workers_tickets(struct workers *all)
{
	unsigned int i;

	for (i = 0; i < all->n; i++)
		say_tickets(&all->one[i]);
}

void workers_say(struct workers *all, unsigned int worker,
		 const struct channel_msg *msg, int fd)
{
	if (all->one[worker].child.pid)
		say(&all->one[worker], msg, fd);
}

void workers_tell(struct workers *all, const struct channel_msg *msg, int fd)
{
	unsigned int i;

	for (i = 0; i < all->n; i++)
		workers_say(all, i, msg, fd);
}

/*
 * What a worker missed is repeated: queues and keys it has are no news, and a
 * queue that is gone it finds out.
 */
static void say_all(struct one *one)
{
	struct workers *all = one->all;

	one->repeat_ms = 0;
	say_tickets(one);
	if (all->stopping) {
		say(one, &(struct channel_msg){ CHANNEL_STOP, 0, 0 }, -1);
		return;
	}
	all->events.announce(all->events.arg, (unsigned int)(one - all->one));
	if (all->accepting)
		say(one, &(struct channel_msg){ CHANNEL_ACCEPT, 0, 0 }, -1);
}

/* The new process: nothing of master's but listeners, channel and key log. */
static int be_worker(void *arg, int channel)
{
	const struct one *one = arg;
	struct worker_setup setup = one->all->setup;
	const struct config *config = setup.config;
	size_t n = config->n_listeners;
	int *keep = malloc((n + 2) * sizeof(*keep)), err;

	if (!keep)
		return 1;
	memcpy(keep, setup.listener_fds, n * sizeof(*keep));
	keep[n++] = channel;
	if (setup.keylog)
		keep[n++] = keylog_fd(setup.keylog);
	process_keep(keep, n);
	free(keep);
	err = process_drop(config->uid, config->gid);
	if (err) {
		log_error("event=worker_failed error=\"cannot become %s: %s\"",
			  config->user, strerror(-err));
		return 1;
	}
	setup.metrics = one->metrics;
	setup.channel = channel;
	return worker_run(&setup);
}

static void start(struct one *one)
{
	one->ready = false;
	if (child_start(&one->child, one->all->loop, be_worker, one)) {
		one->all->failed |= !one->all->accepting;
		return;
	}
	delivery_inherit(&one->delivery);
	one->staple_ms = 0;
	say_all(one);
}

/* Before it was ready: so might be the next one. */
static void log_failed(pid_t pid, int status)
{
	log_error("event=worker_died pid=%d %s=%d error=\"it ended before it "
		  "was ready\"", (int)pid,
		  WIFSIGNALED(status) ? "signal" : "status",
		  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

bool workers_ended(struct workers *all, pid_t pid, int status)
{
	bool failed = !all->accepting && !all->stopping;
	unsigned int i;

	for (i = 0; i < all->n; i++)
		if (all->one[i].child.pid == pid)
			break;
	if (i == all->n)
		return false;
	child_ended(&all->one[i].child, all->loop, status,
		    failed || all->stopping);
	all->failed |= failed;
	if (failed)
		log_failed(pid, status);
	else if (!all->stopping)
		metrics_count(metrics_master(all->metrics),
			      METRIC_WORKER_RESTARTS);
	return true;
}

int workers_ready(const struct workers *all)
{
	unsigned int i, n = 0;

	if (all->failed)
		return -ECHILD;
	for (i = 0; i < all->n; i++)
		n += all->one[i].child.pid && all->one[i].ready;
	return n == all->n;
}

void workers_accept(struct workers *all)
{
	all->accepting = true;
	workers_tell(all, &(struct channel_msg){ CHANNEL_ACCEPT, 0, 0 }, -1);
}

void workers_leave(struct workers *all, size_t listener)
{
	workers_tell(all, &(struct channel_msg){
		     CHANNEL_LEAVE, 0, listener }, -1);
}

void workers_stop(struct workers *all)
{
	const struct config *c = all->setup.config;

	all->stopping = true;
	all->kill_ms = loop_now_ms() + c->handshake_timeout_ms +
		       c->drain_timeout_ms + STOP_MARGIN_MS;
	workers_tell(all, &(struct channel_msg){ CHANNEL_STOP, 0, 0 }, -1);
}

bool workers_left(const struct workers *all)
{
	unsigned int i;

	for (i = 0; i < all->n; i++)
		if (all->one[i].child.pid && !all->one[i].left)
			return false;
	return true;
}

unsigned int workers_count(const struct workers *all)
{
	unsigned int i, n = 0;

	for (i = 0; i < all->n; i++)
		n += all->one[i].child.pid > 0;
	return n;
}

/* Of two times the earlier, or UINT64_MAX; 0 is none. */
static uint64_t earlier(uint64_t a, uint64_t b)
{
	if (!a || !b)
		a = b = a + b;
	if (!a)
		return UINT64_MAX;
	return a < b ? a : b;
}

/* Returns when there is something to do for it again. */
static uint64_t tick(struct one *one, uint64_t now)
{
	bool over = one->all->stopping || one->all->failed;
	struct child *child = &one->child;

	if (!child->pid && !over && child->restart_ms <= now)
		start(one);
	if (!child->pid)
		return over ? UINT64_MAX : child->restart_ms;
	if (one->repeat_ms && one->repeat_ms <= now)
		say_all(one);
	if (one->staple_ms && one->staple_ms <= now)
		deliver(one, now);
	return earlier(one->repeat_ms, one->staple_ms);
}

uint64_t workers_tick(struct workers *all, uint64_t now)
{
	uint64_t next = UINT64_MAX, due;
	unsigned int i;

	for (i = 0; i < all->n; i++) {
		if (all->stopping && now >= all->kill_ms &&
		    all->one[i].child.pid)
			kill(all->one[i].child.pid, SIGKILL);
		due = tick(&all->one[i], now);
		next = due < next ? due : next;
	}
	if (all->stopping) {
		due = all->kill_ms > now ? all->kill_ms : now + STOP_MARGIN_MS;
		next = due < next ? due : next;
	}
	return next;
}
