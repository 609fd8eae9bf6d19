/* SPDX-License-Identifier: MIT */
#include "master.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "notify.h"
#include "reload.h"
#include "route.h"
#include "staples.h"
#include "upgrade.h"
#include "upgrade_join.h"

struct master {
	struct generation_host host;
	struct reload reload;
	struct upgrade upgrade;		/* to a new one */
	struct upgrade_join old;	/* whose place we take */
	struct watch signals;
	bool serving, stopping;
};

static void on_queue_added(void *arg, const struct route *route, uint64_t id,
			   int fd)
{
	const struct master *m = arg;

	reload_tell(&m->reload, route, CHANNEL_QUEUE_ADD, id, fd);
}

static void on_queue_removed(void *arg, const struct route *route, uint64_t id)
{
	const struct master *m = arg;

	reload_tell(&m->reload, route, CHANNEL_QUEUE_REMOVE, id, -1);
}

static void on_route_live(void *arg, const struct route *route, bool live)
{
	const struct master *m = arg;

	reload_tell(&m->reload, route, live ? CHANNEL_ROUTE_UP :
		    CHANNEL_ROUTE_DOWN, 0, -1);
}

static void reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		reload_ended(&m->reload, pid, status);
}

static void close_control(struct master *m)
{
	if (m->host.control && m->host.guest)
		control_leave(m->host.control, true);
	control_close(m->host.control);
	m->host.control = NULL;
}

static void stop(struct master *m)
{
	if (m->stopping)
		return;
	log_info("event=stopping");
	m->stopping = true;
	notify_stopping();
	upgrade_stop(&m->upgrade);
	reload_stop(&m->reload);
	close_control(m);
}

static uint64_t begin_upgrade(void *arg)
{
	struct master *m = arg;

	return m->stopping ? upgrade_refuse(&m->upgrade, "it is stopping") :
			     upgrade_want(&m->upgrade);
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
		reload_want(&m->reload);
	else if (info.ssi_signo == SIGUSR2)
		begin_upgrade(m);
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
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	m->signals.ready = on_signal;
	m->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals.fd < 0)
		return -errno;
	return loop_add(m->host.loop, &m->signals);
}

static void print_metrics(void *arg, const char *argument, FILE *out)
{
	const struct master *m = arg;
	const struct generation *g = reload_current(&m->reload);
	size_t i;

	(void)argument;
	metrics_print(m->host.metrics, out);
	fputs("# TYPE ktlsd_registrations gauge\n", out);
	for (i = 0; i < g->config->n_routes; i++)
		fprintf(out, "ktlsd_registrations{route=\"%s\"} %u\n",
			g->config->routes[i].name,
			route_registrations(g->routes[i]));
	staples_print_metrics(g->staples, out);
	if (g->proxies)
		proxies_print(g->proxies, out);
	reload_print_metrics(&m->reload, out);
}

static void print_staples(void *arg, const char *argument, FILE *out)
{
	const struct master *m = arg;

	(void)argument;
	staples_print(reload_current(&m->reload)->staples, out);
}

static void refresh_staples(void *arg, const char *argument, FILE *out)
{
	const struct master *m = arg;

	staples_refresh(reload_current(&m->reload)->staples, argument, out);
}

static uint64_t begin_reload(void *arg)
{
	struct master *m = arg;

	return reload_want(&m->reload);
}

static int open_control(struct master *m, const char *path)
{
	static const struct control_command commands[] = {
		{ "metrics", false, print_metrics, NULL },
		{ "staples", false, print_staples, NULL },
		{ "refresh", true, refresh_staples, NULL },
		{ "reload", false, NULL, begin_reload },
		{ "upgrade", false, NULL, begin_upgrade },
		{ NULL, false, NULL, NULL },
	};
	char error[256] = "out of memory";

	m->host.control = control_open(path,
				       inherit_path(&m->host.inherit,
						    INHERIT_CONTROL, path),
				       m->host.loop, commands, m, error,
				       sizeof(error));
	if (m->host.control)
		return 0;
	log_error("event=control_failed key=control error=\"%s\"", error);
	return -1;
}

/* --- another master ------------------------------------------------------- */

static void on_give(void *arg, struct upgrade_writer *w)
{
	struct master *m = arg;

	reload_hold(&m->reload, true);
	generation_pause(m->reload.serving);
	generation_give(m->reload.serving, w);
}

static void on_go_on(void *arg)
{
	struct master *m = arg;

	generation_resume(m->reload.serving);
	reload_hold(&m->reload, false);
}

/* A reload that was wanted meanwhile is the new one's. */
static void on_leave(void *arg, const struct upgrade_taken *taken, size_t n)
{
	struct master *m = arg;

	if (m->reload.wanted)
		kill(m->upgrade.pid, SIGHUP);
	m->stopping = true;
	generation_leave(m->reload.serving, taken, n);
	reload_stop(&m->reload);
}

static void on_answer(void *arg, uint64_t ticket, const char *text)
{
	const struct master *m = arg;

	control_answer(m->host.control, ticket, text);
}

static int join(struct master *m, const struct generation *first)
{
	int err = upgrade_join(&m->old, first->config->ocsp.start_wait_ms);

	m->host.guest = m->old.sock >= 0;
	return err ? err : upgrade_join_sockets(&m->old, &m->host.inherit);
}

static int take_over(const struct master *m, struct generation *first)
{
	int err = m->old.sock < 0 ? 0 :
		  generation_take(first, upgrade_join_reader(&m->old),
				  m->old.fds);

	if (err)
		log_error("event=upgrade_impossible error=\"%s\"",
			  strerror(-err));
	return err;
}

/* Clients are served now for the first time. */
static void begin_to_serve(struct master *m)
{
	m->serving = true;
	m->host.guest = false;
	if (m->old.sock >= 0)
		upgrade_join_serves(&m->old, &m->host.inherit);
	else
		notify_ready();
	upgrade_join_end(&m->old);
	inherit_close(&m->host.inherit);
}

/* --- all of it ------------------------------------------------------------ */

/* What it has before it has a configuration. */
static int open_all(struct master *m, char *const *argv)
{
	const struct upgrade_events events = { on_give, on_go_on, on_leave,
					       on_answer, m };
	int err;

	m->host.loop = loop_new();
	m->host.metrics = metrics_pool_new();
	upgrade_init(&m->upgrade, m->host.loop, &events, argv);
	m->host.proxy_metrics = proxy_metrics_new();
	err = m->host.loop < 0 || !m->host.metrics || !m->host.proxy_metrics ?
	      -ENOMEM : open_signals(m);
	if (!err)
		err = inherit_environ(&m->host.inherit);
	if (err) {
		log_error("event=start_failed error=\"%s\"", strerror(-err));
		return err;
	}
	m->host.routes = (struct route_events){
		on_queue_added, on_queue_removed, on_route_live,
		metrics_master(m->host.metrics), m };
	watcher_attach(m->host.watcher, m->host.loop);
	return 0;
}

static int init(struct master *m, struct generation *first, char *const *argv)
{
	int err = open_all(m, argv);

	if (!err)
		err = join(m, first);
	if (err) {
		generation_free(first);
		return err;
	}
	err = reload_first(&m->reload, first);
	if (!err)
		err = take_over(m, first);
	return err ? err : open_control(m, first->config->control);
}

static void fini(struct master *m)
{
	upgrade_fini(&m->upgrade);
	upgrade_join_end(&m->old);
	inherit_close(&m->host.inherit);
	reload_stop(&m->reload);
	reload_fini(&m->reload);
	close_control(m);
	close(m->signals.fd);
	close(m->host.loop);
	metrics_pool_free(m->host.metrics);
	proxy_metrics_free(m->host.proxy_metrics);
}

/* Keys that were given to another master are that one's to change. */
static uint64_t tick_tickets(const struct master *m, uint64_t now)
{
	if (upgrade_given(&m->upgrade))
		return UINT64_MAX;
	if (ticket_keys_tick(m->host.tickets, now, time(NULL)))
		reload_tickets(&m->reload);
	return ticket_keys_due(m->host.tickets);
}

static int run_once(struct master *m)
{
	uint64_t now = loop_now_ms(), next, due;
	int err;

	if (watcher_tick(m->host.watcher, now))
		reload_want(&m->reload);
	err = reload_tick(&m->reload, now, &next);
	due = upgrade_tick(&m->upgrade, now, reload_settled(&m->reload));
	next = due < next ? due : next;
	if (err || !reload_running(&m->reload))
		return err;
	if (!m->serving && m->reload.serving)
		begin_to_serve(m);
	due = watcher_due(m->host.watcher);
	next = due < next ? due : next;
	due = tick_tickets(m, now);
	next = due < next ? due : next;
	due = control_tick(m->host.control, now);
	next = due < next ? due : next;
	return loop_wait(m->host.loop, next == UINT64_MAX ? -1 :
			 next > now ? (int)(next - now) : 0);
}

int master_run(const char *file, char *const *argv, struct generation *first,
	       struct ticket_keys *tickets, struct watcher *watcher)
{
	struct master m = {
		.host.loop = -1,
		.host.tickets = tickets,
		.host.watcher = watcher,
		.signals.fd = -1,
		.old.sock = -1,
	};
	int err;

	reload_init(&m.reload, file, &m.host);
	err = init(&m, first, argv);
	while (!err && reload_running(&m.reload))
		err = run_once(&m);
	if (!err)
		log_info("event=stopped");
	fini(&m);
	return err ? 1 : 0;
}
