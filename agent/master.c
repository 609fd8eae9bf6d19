/* SPDX-License-Identifier: MIT */
#include "master.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "control.h"
#include "listener.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "process.h"
#include "route.h"
#include "worker.h"

/* A worker that dies is replaced after a wait that doubles up to the last. */
#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 10000
/* How often a worker that does not read its channel is told again. */
#define REPEAT_MS 1000
/* What workers get on top of their own time limits before they are killed. */
#define STOP_MARGIN_MS 2000

/* struct child - a worker process; pid 0 while there is none */
struct child {
	struct watch channel;
	struct master *master;
	pid_t pid;
	unsigned int backoff_ms;
	uint64_t started_ms, restart_ms;
	uint64_t repeat_ms;	/* when to say what it had no room to hear */
};

struct master {
	const struct config *config;
	struct hs_ctx **contexts;
	struct ktls_support support;
	struct metrics *metrics;	/* one per worker, and master's */
	struct child *children;
	struct route **routes;
	struct route_events events;
	struct control *control;
	struct watch signals;
	int *listeners;
	int loop;
	unsigned int slots;
	bool stopping;
	uint64_t kill_ms;		/* while stopping */
};

/*
 * A worker that is stopped does not read, and its channel fills. What it missed
 * is repeated: queues it has are no news, and one that is gone it finds out.
 */
static void say(struct child *child, const struct channel_msg *msg, int fd)
{
	int err = channel_send(child->channel.fd, msg, fd);

	if (!err || err == -EPIPE || err == -ECONNRESET)
		return;		/* it is gone: SIGCHLD does the rest */
	if (!child->repeat_ms)
		log_warn("event=channel_failed worker_pid=%d error=\"%s\"",
			 (int)child->pid, strerror(-err));
	child->repeat_ms = loop_now_ms() + REPEAT_MS;
}

static void send_queue(void *arg, unsigned int route, uint64_t id, int fd)
{
	say(arg, &(struct channel_msg){ CHANNEL_QUEUE_ADD, route, id }, fd);
}

static void tell(struct master *m, const struct channel_msg *msg, int fd)
{
	unsigned int i;

	for (i = 0; i < m->config->workers; i++)
		if (m->children[i].pid)
			say(&m->children[i], msg, fd);
}

static void on_queue_added(void *arg, unsigned int route, uint64_t id, int fd)
{
	tell(arg, &(struct channel_msg){ CHANNEL_QUEUE_ADD, route, id }, fd);
}

static void on_queue_removed(void *arg, unsigned int route, uint64_t id)
{
	tell(arg, &(struct channel_msg){ CHANNEL_QUEUE_REMOVE, route, id }, -1);
}

static void on_channel(struct watch *w)
{
	struct child *child = (struct child *)w;
	struct master *m = child->master;
	struct channel_msg msg;
	int fd, n = channel_recv(w->fd, &msg, &fd);

	if (fd >= 0)
		close(fd);
	if (n == 1 && msg.type == CHANNEL_QUEUE_BROKEN &&
	    msg.route < m->config->n_routes && m->routes[msg.route])
		route_broken(m->routes[msg.route], msg.queue);
	else if (!n)
		loop_remove(m->loop, w);	/* SIGCHLD does the rest */
}

/* The new process: nothing of master's but its listeners and its channel. */
static int be_worker(struct master *m, unsigned int index, int channel)
{
	size_t n = m->config->n_listeners, i;
	int *keep = malloc((n + 1) * sizeof(*keep));
	struct worker_setup setup = {
		.config = m->config,
		.contexts = m->contexts,
		.listener_fds = m->listeners,
		.support = m->support,
		.metrics = &m->metrics[index],
		.slots = m->slots,
		.channel = channel,
	};
	sigset_t none;
	int err;

	if (!keep)
		return 1;
	for (i = 0; i < n; i++)
		keep[i] = m->listeners[i];
	keep[n] = channel;
	process_keep(keep, n + 1);
	free(keep);
	/* Signals to the whole group are master's to act on. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	err = process_drop(m->config);
	if (err) {
		log_error("event=worker_failed error=\"cannot become %s: %s\"",
			  m->config->user, strerror(-err));
		return 1;
	}
	return worker_run(&setup);
}

/* Everything that a worker is to know now. */
static void say_all(struct child *child)
{
	struct master *m = child->master;
	unsigned int i;

	child->repeat_ms = 0;
	if (m->stopping)
		say(child, &(struct channel_msg){ CHANNEL_STOP, 0, 0 }, -1);
	for (i = 0; i < m->config->n_routes && !m->stopping; i++)
		route_announce(m->routes[i], send_queue, child);
}

static void start_worker(struct master *m, unsigned int index)
{
	struct child *child = &m->children[index];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		log_error("event=worker_failed error=\"%s\"", strerror(errno));
		child->restart_ms = loop_now_ms() + BACKOFF_LAST_MS;
		return;
	}
	child->pid = fork();
	/* What master allocated is freed by master's end. */
	if (!child->pid)
		_exit(be_worker(m, index, pair[1]));
	close(pair[1]);
	if (child->pid < 0) {
		log_error("event=worker_failed error=\"%s\"", strerror(errno));
		close(pair[0]);
		child->pid = 0;
		child->restart_ms = loop_now_ms() + BACKOFF_LAST_MS;
		return;
	}
	child->channel = (struct watch){ pair[0], on_channel };
	child->master = m;
	child->started_ms = loop_now_ms();
	child->restart_ms = child->repeat_ms = 0;
	loop_add(m->loop, &child->channel);
	say_all(child);
	log_debug("event=worker_started worker=%u pid=%d", index,
		  (int)child->pid);
}

static void worker_ended(struct master *m, struct child *child, int status)
{
	uint64_t now = loop_now_ms();

	loop_remove(m->loop, &child->channel);
	close(child->channel.fd);
	if (m->stopping) {
		child->pid = 0;
		return;
	}
	if (now - child->started_ms > BACKOFF_LAST_MS || !child->backoff_ms)
		child->backoff_ms = BACKOFF_FIRST_MS;
	else if (child->backoff_ms < BACKOFF_LAST_MS / 2)
		child->backoff_ms *= 2;
	else
		child->backoff_ms = BACKOFF_LAST_MS;
	child->restart_ms = now + child->backoff_ms;
	metrics_count(&m->metrics[m->config->workers],
		      METRIC_WORKER_RESTARTS);
	log_error("event=worker_died pid=%d %s=%d restart_in_ms=%u",
		  (int)child->pid, WIFSIGNALED(status) ? "signal" : "status",
		  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		  child->backoff_ms);
	child->pid = 0;
}

static void reap(struct master *m)
{
	unsigned int i;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 0; i < m->config->workers; i++)
			if (m->children[i].pid == pid)
				worker_ended(m, &m->children[i], status);
}

/* Frees what the next ktlsd will want: ports and paths. */
static void close_doors(struct master *m)
{
	size_t i;

	for (i = 0; i < m->config->n_listeners; i++)
		if (m->listeners && m->listeners[i] >= 0) {
			close(m->listeners[i]);
			m->listeners[i] = -1;
		}
	for (i = 0; i < m->config->n_routes; i++)
		if (m->routes && m->routes[i]) {
			route_close(m->routes[i]);
			m->routes[i] = NULL;
		}
	control_close(m->control);
	m->control = NULL;
}

static void stop(struct master *m)
{
	const struct config *c = m->config;

	if (m->stopping)
		return;
	log_info("event=stopping");
	m->stopping = true;
	tell(m, &(struct channel_msg){ CHANNEL_STOP, 0, 0 }, -1);
	m->kill_ms = loop_now_ms() + c->handshake_timeout_ms +
		     c->drain_timeout_ms + STOP_MARGIN_MS;
	close_doors(m);
}

static void on_signal(struct watch *w)
{
	struct master *m = container_of(w, struct master, signals);
	struct signalfd_siginfo info;

	if (read(w->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD)
		reap(m);
	else if (info.ssi_signo == SIGHUP)
		log_warn("event=reload_ignored error=\"the configuration is "
			 "read at the start only\"");
	else
		stop(m);
}

static int open_signals(struct master *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	m->signals.ready = on_signal;
	m->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals.fd < 0)
		return -errno;
	return loop_add(m->loop, &m->signals);
}

static int open_listeners(struct master *m)
{
	const struct config *c = m->config;
	size_t i;

	for (i = 0; i < c->n_listeners; i++) {
		const struct config_listener *l = &c->listeners[i];
		int fd = listener_open(l);

		if (fd < 0) {
			log_error("event=listen_failed at=%s:%u:%u bind=%s "
				  "error=\"%s\"", l->mark.file, l->mark.line,
				  l->mark.column, l->bind, strerror(-fd));
			return fd;
		}
		m->listeners[i] = fd;
		listener_log(l, c->routes[l->route].name, fd);
	}
	return 0;
}

static int open_routes(struct master *m)
{
	char error[256] = "";
	unsigned int i;

	m->events = (struct route_events){
		on_queue_added, on_queue_removed,
		&m->metrics[m->config->workers], m };
	for (i = 0; i < m->config->n_routes; i++) {
		const struct config_route *r = &m->config->routes[i];

		m->routes[i] = route_open(r, i, m->loop, &m->events, error,
					  sizeof(error));
		if (m->routes[i])
			continue;
		log_error("event=route_failed at=%s:%u:%u route=%s "
			  "error=\"%s\"", r->mark.file, r->mark.line,
			  r->mark.column, r->name, error);
		return -1;
	}
	return 0;
}

static void print_metrics(void *arg, FILE *out)
{
	const struct master *m = arg;
	size_t i;

	metrics_print(m->metrics, m->config->workers + 1, out);
	fputs("# TYPE ktlsd_registrations gauge\n", out);
	for (i = 0; i < m->config->n_routes; i++)
		fprintf(out, "ktlsd_registrations{route=\"%s\"} %u\n",
			m->config->routes[i].name,
			route_registrations(m->routes[i]));
}

static int open_control(struct master *m)
{
	static const struct control_command commands[] = {
		{ "metrics", print_metrics },
		{ NULL, NULL },
	};
	char error[256] = "out of memory";

	m->control = control_open(m->config->control, m->loop, commands, m,
				  error, sizeof(error));
	if (m->control)
		return 0;
	log_error("event=control_failed error=\"%s\"", error);
	return -1;
}

static int init(struct master *m)
{
	const struct config *c = m->config;
	char error[256] = "";
	int err = process_limit(c, &m->slots, error, sizeof(error));

	if (err) {
		log_error("event=limit_too_low error=\"%s\"", error);
		return err;
	}
	err = process_try(c, error, sizeof(error));
	if (err) {
		log_error("event=worker_impossible error=\"%s\"", error);
		return err;
	}
	m->metrics = metrics_new(c->workers + 1);
	m->children = calloc(c->workers, sizeof(*m->children));
	m->routes = calloc(c->n_routes, sizeof(*m->routes));
	m->listeners = malloc(c->n_listeners * sizeof(*m->listeners));
	if (m->listeners)	/* none is open */
		memset(m->listeners, -1, c->n_listeners * sizeof(int));
	m->loop = loop_new();
	if (!m->metrics || !m->children || !m->routes || !m->listeners ||
	    m->loop < 0) {
		log_error("event=start_failed error=\"out of memory\"");
		return -ENOMEM;
	}
	err = open_signals(m);
	if (!err)
		err = open_listeners(m);
	if (!err)
		err = open_routes(m);
	if (!err)
		err = open_control(m);
	return err;
}

static void fini(struct master *m)
{
	close_doors(m);
	close(m->signals.fd);
	close(m->loop);
	metrics_free(m->metrics, m->config->workers + 1);
	free(m->children);
	free(m->routes);
	free(m->listeners);
}

static void run_children(struct master *m, uint64_t now, uint64_t *next)
{
	unsigned int i;

	for (i = 0; i < m->config->workers; i++) {
		struct child *child = &m->children[i];

		if (child->pid && m->stopping && now >= m->kill_ms)
			kill(child->pid, SIGKILL);
		if (child->pid && child->repeat_ms && child->repeat_ms <= now)
			say_all(child);
		if (child->pid && child->repeat_ms && child->repeat_ms < *next)
			*next = child->repeat_ms;
		if (child->pid || m->stopping)
			continue;
		if (child->restart_ms <= now)
			start_worker(m, i);
		if (!child->pid && child->restart_ms < *next)
			*next = child->restart_ms;
	}
}

static int run_timers(struct master *m)
{
	uint64_t now = loop_now_ms(), next = UINT64_MAX, due;
	size_t i;

	run_children(m, now, &next);
	for (i = 0; i < m->config->n_routes && !m->stopping; i++) {
		due = route_tick(m->routes[i], now);
		next = due < next ? due : next;
	}
	if (m->stopping) {
		due = m->kill_ms > now ? m->kill_ms : now + STOP_MARGIN_MS;
		next = due < next ? due : next;
	}
	if (next == UINT64_MAX)
		return -1;
	return next > now ? (int)(next - now) : 0;
}

static bool any_child(const struct master *m)
{
	unsigned int i;

	for (i = 0; i < m->config->workers; i++)
		if (m->children[i].pid)
			return true;
	return false;
}

int master_run(const struct config *config, struct hs_ctx **contexts,
	       const struct ktls_support *support)
{
	struct master m = {
		.config = config,
		.contexts = contexts,
		.support = *support,
		.loop = -1,
		.signals.fd = -1,
	};
	int err = init(&m);

	if (!err) {
		run_timers(&m);		/* starts the workers */
		log_info("event=ready pid=%d workers=%u slots=%u ktls=%s",
			 (int)getpid(), config->workers, m.slots,
			 support->pairs ? "yes" : "no");
	}
	while (!err && !(m.stopping && !any_child(&m)))
		err = loop_wait(m.loop, run_timers(&m));
	if (!err)
		log_info("event=stopped");
	fini(&m);
	return err ? 1 : 0;
}
