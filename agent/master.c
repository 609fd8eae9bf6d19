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

#include "control.h"
#include "keylog.h"
#include "listener.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "process.h"
#include "route.h"
#include "staples.h"
#include "workers.h"

struct master {
	const struct config *config;
	struct certs *certs;
	struct ktls_support support;
	struct keylog *keylog;		/* NULL: none */
	struct metrics_pool *metrics;
	struct workers *workers;
	struct staples *staples;
	struct route **routes;
	struct route_events events;
	struct control *control;
	struct watch signals;
	int *listeners;
	int loop;
	unsigned int slots;
	bool serving;		/* it listens, and has workers */
	bool stopping;
};

static uint32_t index_of(const struct master *m, const struct route *route)
{
	uint32_t i;

	for (i = 0; i < m->config->n_routes && m->routes[i] != route; i++)
		;
	return i;
}

static void on_queue_added(void *arg, const struct route *route, uint64_t id,
			   int fd)
{
	struct master *m = arg;

	workers_tell(m->workers, &(struct channel_msg){
		     CHANNEL_QUEUE_ADD, index_of(m, route), id }, fd);
}

static void on_queue_removed(void *arg, const struct route *route, uint64_t id)
{
	struct master *m = arg;

	workers_tell(m->workers, &(struct channel_msg){
		     CHANNEL_QUEUE_REMOVE, index_of(m, route), id }, -1);
}

/* struct announced - the worker that hears of a route's queues */
struct announced {
	const struct master *master;
	unsigned int worker;
};

static void send_queue(void *arg, const struct route *route, uint64_t id,
		       int fd)
{
	const struct announced *to = arg;

	workers_say(to->master->workers, to->worker, &(struct channel_msg){
		    CHANNEL_QUEUE_ADD, index_of(to->master, route), id }, fd);
}

static void announce(void *arg, unsigned int worker)
{
	const struct master *m = arg;
	struct announced to = { m, worker };
	size_t i;

	for (i = 0; i < m->config->n_routes; i++)
		route_announce(m->routes[i], send_queue, &to);
}

static void on_queue_broken(void *arg, unsigned int route, uint64_t id)
{
	const struct master *m = arg;

	if (route < m->config->n_routes && m->routes[route])
		route_broken(m->routes[route], id);
}

static void reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!workers_ended(m->workers, pid, status))
			staples_ended(m->staples, pid, status);
}

/* Frees what the next ktlsd will want: ports and paths. */
static void close_doors(struct master *m)
{
	size_t i;

	for (i = 0; i < m->config->n_listeners; i++)
		if (m->listeners && m->listeners[i] >= 0) {
			listener_close(&m->config->listeners[i],
				       m->listeners[i]);
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
	if (m->stopping)
		return;
	log_info("event=stopping");
	m->stopping = true;
	workers_stop(m->workers);
	staples_stop(m->staples);
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
	m->signals.ready = on_signal;
	m->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals.fd < 0)
		return -errno;
	return loop_add(m->loop, &m->signals);
}

static int fail_listener(const struct config_listener *l, int err)
{
	log_error("event=listen_failed at=%s:%u:%u bind=%s error=\"%s\"",
		  l->mark.file, l->mark.line, l->mark.column, l->bind,
		  strerror(-err));
	return err;
}

static int bind_listeners(struct master *m)
{
	size_t i;

	for (i = 0; i < m->config->n_listeners; i++) {
		const struct config_listener *l = &m->config->listeners[i];
		int fd = listener_bind(l);

		if (fd < 0)
			return fail_listener(l, fd);
		m->listeners[i] = fd;
	}
	return 0;
}

/* From now on there are connections. */
static int serve(struct master *m)
{
	const struct config *c = m->config;
	size_t i;

	for (i = 0; i < c->n_listeners; i++) {
		const struct config_listener *l = &c->listeners[i];
		int err = listener_listen(l, m->listeners[i]);

		if (err)
			return fail_listener(l, err);
		listener_log(l, c->routes[l->route].name, m->listeners[i]);
	}
	m->serving = true;
	workers_tick(m->workers, loop_now_ms());	/* starts them */
	workers_accept(m->workers);
	log_info("event=ready pid=%d workers=%u slots=%u ktls=%s",
		 (int)getpid(), c->workers, m->slots,
		 m->support.pairs ? "yes" : "no");
	return 0;
}

static int open_routes(struct master *m)
{
	char error[256] = "";
	unsigned int i;

	m->events = (struct route_events){
		on_queue_added, on_queue_removed,
		metrics_master(m->metrics), m };
	for (i = 0; i < m->config->n_routes; i++) {
		const struct config_route *r = &m->config->routes[i];

		m->routes[i] = route_open(r, m->loop, &m->events, error,
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

static void print_metrics(void *arg, const char *argument, FILE *out)
{
	const struct master *m = arg;
	size_t i;

	(void)argument;
	metrics_print(m->metrics, out);
	fputs("# TYPE ktlsd_registrations gauge\n", out);
	for (i = 0; i < m->config->n_routes; i++)
		fprintf(out, "ktlsd_registrations{route=\"%s\"} %u\n",
			m->config->routes[i].name,
			route_registrations(m->routes[i]));
	staples_print_metrics(m->staples, out);
}

static void print_staples(void *arg, const char *argument, FILE *out)
{
	const struct master *m = arg;

	(void)argument;
	staples_print(m->staples, out);
}

static void refresh_staples(void *arg, const char *argument, FILE *out)
{
	const struct master *m = arg;

	staples_refresh(m->staples, argument, out);
}

static int open_control(struct master *m)
{
	static const struct control_command commands[] = {
		{ "metrics", false, print_metrics, NULL },
		{ "staples", false, print_staples, NULL },
		{ "refresh", true, refresh_staples, NULL },
		{ NULL, false, NULL, NULL },
	};
	char error[256] = "out of memory";

	m->control = control_open(m->config->control, m->loop, commands, m,
				  error, sizeof(error));
	if (m->control)
		return 0;
	log_error("event=control_failed error=\"%s\"", error);
	return -1;
}

static void on_staple_changed(void *arg, size_t slot)
{
	const struct master *m = arg;

	workers_staple(m->workers, slot);
}

static bool is_staple_everywhere(void *arg, size_t slot)
{
	const struct master *m = arg;

	return workers_have(m->workers, slot);
}

static struct staples *new_staples(struct master *m)
{
	struct staples_setup setup = {
		.config = m->config,
		.certs = m->certs,
		.metrics = metrics_master(m->metrics),
		.loop = m->loop,
		.changed = on_staple_changed,
		.everywhere = is_staple_everywhere,
		.arg = m,
		.socket = -1,
	};

	return staples_new(&setup);
}

static struct workers *new_workers(struct master *m)
{
	struct worker_setup setup = {
		.config = m->config,
		.certs = m->certs,
		.listener_fds = m->listeners,
		.support = m->support,
		.keylog = m->keylog,
		.slots = m->slots,
	};
	struct workers_events events = { announce, on_queue_broken, m };

	return workers_new(&setup, m->metrics, m->loop, &events,
			   staples_list(m->staples));
}

static int allocate(struct master *m)
{
	const struct config *c = m->config;

	m->metrics = metrics_pool_new();
	m->routes = calloc(c->n_routes, sizeof(*m->routes));
	m->listeners = malloc(c->n_listeners * sizeof(*m->listeners));
	if (m->listeners)	/* none is open */
		memset(m->listeners, -1, c->n_listeners * sizeof(int));
	m->loop = loop_new();
	if (!m->metrics || !m->routes || !m->listeners || m->loop < 0)
		return -ENOMEM;
	m->staples = new_staples(m);
	m->workers = m->staples ? new_workers(m) : NULL;
	return m->workers ? 0 : -ENOMEM;
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
	err = keylog_open(c, &m->keylog);
	if (err)
		return err;
	err = allocate(m);
	if (err) {
		log_error("event=start_failed error=\"out of memory\"");
		return err;
	}
	err = open_signals(m);
	if (!err)
		err = bind_listeners(m);
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
	workers_free(m->workers);
	metrics_pool_free(m->metrics);
	staples_free(m->staples);
	keylog_close(m->keylog);
	free(m->routes);
	free(m->listeners);
}

static int run_timers(struct master *m)
{
	uint64_t now = loop_now_ms(), next, due;
	size_t i;

	next = staples_tick(m->staples, now);
	due = m->serving ? workers_tick(m->workers, now) : UINT64_MAX;
	next = due < next ? due : next;
	due = control_tick(m->control, now);
	next = due < next ? due : next;
	for (i = 0; i < m->config->n_routes && !m->stopping; i++) {
		due = route_tick(m->routes[i], now);
		next = due < next ? due : next;
	}
	if (next == UINT64_MAX)
		return -1;
	return next > now ? (int)(next - now) : 0;
}

static bool is_over(const struct master *m)
{
	return m->stopping && !workers_count(m->workers) &&
	       !staples_running(m->staples);
}

static int run_once(struct master *m)
{
	int wait_ms = run_timers(m);

	if (!m->serving && !m->stopping &&
	    staples_settled(m->staples, loop_now_ms()))
		return serve(m);
	return loop_wait(m->loop, wait_ms);
}

int master_run(const struct config *config, struct certs *certs,
	       const struct ktls_support *support)
{
	struct master m = {
		.config = config,
		.certs = certs,
		.support = *support,
		.loop = -1,
		.signals.fd = -1,
	};
	int err = init(&m);

	while (!err && !is_over(&m))
		err = run_once(&m);
	if (!err)
		log_info("event=stopped");
	fini(&m);
	return err ? 1 : 0;
}
