/* SPDX-License-Identifier: MIT */
#include "proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/log.h"
#include "agent/loop.h"
#include "agent/process.h"
#include "agent/sandbox.h"
#include "intake.h"
#include "tunnel.h"

/* Descriptors for everything but connections and their pipes. */
#define FILES_ELSE 64
#define FILES_MAX (1U << 20)
/* Of the others, those of connections; the rest is for pipes. Out of 8. */
#define PARTS 8
#define PARTS_SOCKETS 6
/* Each queue has three: its end, its reserve, the registration. */
#define FILES_ROUTE 3
#define ROUTES_MAX 65536
/* How soon to try again a Unix socket that had no room, or to get a pipe. */
#define RETRY_MS 20
#define STARVED_MS 100
/*
 * How long a client may say nothing more to a server that has ended its own
 * direction: as a rule it has gone.
 */
#define HALF_MS 60000
#define BATCH 64
#ifdef __SANITIZE_ADDRESS__
#define CONFINED false		/* its reports go to files */
#else
#define CONFINED true
#endif

/* --- what master says ---------------------------------------------------- */

static bool take_options(struct proxy *p, const struct proxy_options *o, int fd)
{
	int err;

	if (p->configured || o->process >= o->n_processes ||
	    o->n_processes > ROUTES_MAX || o->n_routes > ROUTES_MAX ||
	    o->n_backends > o->n_routes * PROXY_MSG_BACKENDS)
		return false;
	p->options = *o;
	p->board = (struct proxy_board){ o->n_processes, o->n_routes,
					 o->n_backends, 0, NULL };
	p->intakes = calloc(o->n_routes, sizeof(*p->intakes));
	err = p->intakes ? proxy_board_map(&p->board, fd) : -ENOMEM;
	if (err) {
		log_error("event=proxy_failed error=\"%s\"", strerror(-err));
		p->status = 1;
		p->over = true;
	}
	p->configured = true;
	return true;
}

/* Takes @reg. */
static bool take_route(struct proxy *p, const struct proxy_msg *msg, int reg)
{
	const struct proxy_order *order = &msg->order;
	int err;

	if (!p->configured || p->over || msg->route != p->n_intakes ||
	    p->n_intakes == p->options.n_routes ||
	    order->first > p->options.n_backends ||
	    order->n > p->options.n_backends - order->first) {
		close(reg);
		return false;
	}
	err = intake_init(&p->intakes[p->n_intakes++], p, order, msg->route,
			  reg);
	if (err)	/* its end will be seen */
		log_debug("event=hello_failed error=\"%s\"", strerror(-err));
	return true;
}

static bool take_accept(struct proxy *p)
{
	uint32_t i;

	if (!p->ready)
		return false;
	p->accepting = true;
	for (i = 0; i < p->n_intakes; i++)
		intake_watch(&p->intakes[i]);
	return true;
}

static bool take_leave(struct proxy *p, uint32_t route)
{
	if (route >= p->n_intakes)
		return false;
	intake_leave(&p->intakes[route]);
	return true;
}

static void stop(struct proxy *p)
{
	uint32_t i;

	if (p->stopping)
		return;
	p->stopping = true;
	p->stop_by_ms = p->now_ms + p->options.drain_ms;
	for (i = 0; !p->accepting && i < p->n_intakes; i++)
		intake_leave(&p->intakes[i]);
}

/* Takes @fd. */
static bool take(struct proxy *p, const struct proxy_msg *msg, int fd)
{
	bool good = true;

	switch (msg->type) {
	case PROXY_MSG_OPTIONS:
		good = take_options(p, &msg->options, fd);
		close(fd);
		return good;
	case PROXY_MSG_ROUTE:
		return take_route(p, msg, fd);
	case PROXY_MSG_ACCEPT:
		return take_accept(p);
	case PROXY_MSG_LEAVE:
		return take_leave(p, msg->route);
	case PROXY_MSG_STOP:
		stop(p);
		return true;
	default:
		return false;
	}
}

static void on_master(struct ring_op *op, int result)
{
	static struct proxy_msg msg;
	struct proxy *p = container_of(op, struct proxy, master_op);
	unsigned int i;
	int n = 1, fd;

	(void)result;
	for (i = 0; i < BATCH && n != 0 && n != -EAGAIN; i++) {
		n = proxy_msg_recv(p->master, &msg, &fd);
		if (n == -EBADMSG || (n == 1 && !take(p, &msg, fd)))
			log_error("event=message_refused error=\"master said "
				  "what makes no sense here\"");
		else if (n < 0 && n != -EAGAIN)
			n = 0;
	}
	if (!n)
		stop(p);
	else
		io_uring_prep_poll_add(ring_prepare(&p->ring, &p->master_op),
				       p->master, POLLIN);
}

/* --- getting ready -------------------------------------------------------- */

/* Returns 0 for an address without one. */
static uint16_t port_of(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in6 *in6 = (const void *)addr;
	const struct sockaddr_in *in = (const void *)addr;

	if (addr->ss_family == AF_INET)
		return ntohs(in->sin_port);
	return addr->ss_family == AF_INET6 ? ntohs(in6->sin6_port) : 0;
}

static size_t collect_ports(const struct proxy *p, uint16_t *ports)
{
	const struct proxy_order *order;
	size_t n = 0;
	uint32_t i, j;

	for (i = 0; i < p->n_intakes; i++) {
		order = &p->intakes[i].order;
		for (j = 0; j < order->n; j++)
			if (order->backend[j].addr.ss_family != AF_UNIX)
				ports[n++] = port_of(&order->backend[j].addr);
	}
	return n;
}

static int confine(const struct proxy *p)
{
	uint16_t *ports = calloc(p->options.n_backends + 1, sizeof(*ports));
	int err;

	if (!ports)
		return -ENOMEM;
	err = CONFINED ? sandbox_connects(ports, collect_ports(p, ports)) : 0;
	free(ports);
	if (err == -ENOSYS || err == -EOPNOTSUPP)
		log_debug("event=sandbox_missing error=\"this kernel has no "
			  "Landlock\"");
	else if (err)
		log_warn("event=sandbox_failed error=\"%s\"", strerror(-err));
	return 0;
}

/* As many connections as there are descriptors for. */
static void find_places(struct proxy *p)
{
	unsigned int files = p->files;
	unsigned int else_ = FILES_ELSE + FILES_ROUTE * p->options.n_routes;
	unsigned int left = files > else_ + PARTS ? files - else_ : PARTS;

	p->places = left / PARTS * PARTS_SOCKETS / 2;
	p->pipes.max = (left - left / PARTS * PARTS_SOCKETS) / 2;
}

static void maybe_ready(struct proxy *p)
{
	int err;

	if (p->ready || p->over || !p->configured ||
	    p->n_registered < p->options.n_routes)
		return;
	find_places(p);
	err = confine(p);
	if (!err)
		err = proxy_msg_send(p->master, &(struct proxy_msg){
				     .type = PROXY_MSG_READY }, -1);
	p->ready = true;
	p->over |= err < 0;
}

/* --- the process --------------------------------------------------------- */

static void cut_all(struct proxy *p)
{
	struct tunnel *t, *next;

	for (t = TAILQ_FIRST(&p->tunnels); t; t = next) {
		next = TAILQ_NEXT(t, all_link);
		tunnel_end(t, PROXY_DRAINED, -ETIMEDOUT);
	}
}

static bool has_left(const struct proxy *p)
{
	uint32_t i;

	for (i = 0; i < p->n_intakes; i++)
		if (!p->intakes[i].left)
			return false;
	return true;
}

/* Returns when to look again. */
static uint64_t tend_stop(struct proxy *p)
{
	if (!p->stopping)
		return UINT64_MAX;
	if (p->now_ms >= p->stop_by_ms)
		cut_all(p);
	if (!p->n_tunnels && (has_left(p) || p->now_ms >= p->stop_by_ms))
		p->over = true;
	return p->stop_by_ms;
}

static uint64_t run_lists(struct proxy *p)
{
	uint64_t next = deadline_run(&p->retries, p->now_ms);
	uint32_t i;

	next = clock_earlier(next, deadline_run(&p->halves, p->now_ms));
	for (i = 0; i < p->n_intakes; i++)
		next = clock_earlier(next, deadline_run(&p->intakes[i].connects,
						  p->now_ms));
	return next;
}

/* What time has brought; returns how long to wait for the next thing, in ms. */
static int64_t run_timers(struct proxy *p)
{
	uint64_t next;

	tunnel_run_again(p);
	maybe_ready(p);
	if (p->full && p->now_ms >= p->retry_ms)
		intake_resume(p);
	next = run_lists(p);
	next = clock_earlier(next, tend_stop(p));
	if (p->over || !TAILQ_EMPTY(&p->again))
		return 0;
	if (!TAILQ_EMPTY(&p->starved))
		next = clock_earlier(next, p->now_ms + STARVED_MS);
	if (p->full)
		next = clock_earlier(next, p->retry_ms);
	if (next == UINT64_MAX)
		return -1;
	return next > p->now_ms ? (int64_t)(next - p->now_ms) : 0;
}

static int init(struct proxy *p)
{
	int files;

	process_keep(&p->master, 1);
	/* In lists of processes it would be "exe", by which it was executed. */
	prctl(PR_SET_NAME, "ktlsd-proxy");
	/* Signals to the whole group are master's to act on. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	TAILQ_INIT(&p->tunnels);
	TAILQ_INIT(&p->again);
	TAILQ_INIT(&p->starved);
	files = sandbox_limits(FILES_MAX);
	if (files < 0)
		return files;
	p->files = (unsigned int)files;
	deadline_list_init(&p->retries, RETRY_MS, tunnel_retry);
	deadline_list_init(&p->halves, HALF_MS, tunnel_half_late);
	return ring_init(&p->ring);
}

static void fini(struct proxy *p)
{
	uint32_t i;

	for (i = 0; i < p->n_intakes; i++)
		intake_fini(&p->intakes[i]);
	free(p->intakes);
	pipes_fini(&p->pipes);
	proxy_board_free(&p->board);
	ring_fini(&p->ring);
	close(p->master);
}

int proxy_run(int master)
{
	static struct proxy p;
	uint64_t starved_ms = 0;
	int err;

	p.master = master;
	err = init(&p);
	if (err) {
		log_error("event=proxy_failed error=\"%s\"", uring_denied(err));
		return 1;
	}
	p.now_ms = loop_now_ms();
	p.master_op.done = on_master;
	on_master(&p.master_op, 0);
	while (!err && !p.over) {
		err = ring_wait(&p.ring, run_timers(&p));
		p.now_ms = loop_now_ms();
		ring_call_back(&p.ring);
		if (p.now_ms >= starved_ms) {
			tunnel_run_starved(&p);
			starved_ms = p.now_ms + STARVED_MS;
		}
	}
	if (err)
		log_error("event=ring_failed error=\"%s\"", strerror(-err));
	cut_all(&p);
	fini(&p);
	return err ? 1 : p.status;
}
