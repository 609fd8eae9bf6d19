/* SPDX-License-Identifier: MIT */
#include "proxies.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "log.h"
#include "loop.h"
#include "proxy/proxy.h"
#include "proxy_msg.h"

/* How soon to speak on when the kernel is out of something. */
#define SPEAK_MS 100
/* What they get on top of their own time limits before they are killed. */
#define STOP_MARGIN_MS 2000

_Static_assert((int)CONFIG_HEADER_V2 == PROXY_HEADER_V2 &&
	       CONFIG_MAX_BACKENDS == PROXY_MSG_BACKENDS, "they are the same");

/*
 * struct one - a process
 * @next:   what it is to be told: 0: its options, n: the n-th route
 * @accept: and then to take connections; @leave: which routes are others',
 *          @stop: to end
 */
struct one {
	struct child child;		/* first, see there */
	struct proxies *all;
	uint32_t next;
	bool ready, accept, stop;
	bool *leave;
	uint64_t speak_ms;
};

/*
 * @index:  of the routes in the configuration
 * @board_fd: -1: there are no routes
 */
struct proxies {
	struct proxies_setup setup;
	struct proxy_board board;
	int board_fd;
	struct proxy_source source;
	size_t *index;
	const char **name;
	bool accepting, failed, stopping;
	uint64_t kill_ms;
	unsigned int n;
	struct one one[];
};

static const struct config_route *route_of(const struct proxies *all,
					   uint32_t i)
{
	return &all->setup.config->routes[all->index[i]];
}

/* --- what a proxy is told ------------------------------------------------- */

static int say_options(struct one *one)
{
	const struct proxies *all = one->all;

	return proxy_msg_send(one->child.socket.fd, &(struct proxy_msg){
		.type = PROXY_MSG_OPTIONS,
		.options = {
			.process = (uint32_t)(one - all->one),
			.n_processes = all->board.n_processes,
			.n_routes = all->board.n_routes,
			.n_backends = all->board.n_backends,
			.drain_ms = all->setup.config->drain_timeout_ms,
		} }, all->board_fd);
}

static uint32_t first_backend(const struct proxies *all, uint32_t route)
{
	uint32_t n = 0, i;

	for (i = 0; i < route; i++)
		n += (uint32_t)route_of(all, i)->proxy.n;
	return n;
}

static void fill_order(const struct proxies *all, uint32_t route,
		       struct proxy_order *order)
{
	const struct config_route *config = route_of(all, route);
	const struct config_proxy *proxy = &config->proxy;
	size_t i;

	strncpy(order->name, config->name, sizeof(order->name) - 1);
	order->header = proxy->header;
	order->connect_ms = proxy->connect_timeout_ms;
	order->max_fails = proxy->max_fails;
	order->fail_ms = proxy->fail_timeout_ms;
	order->first = first_backend(all, route);
	order->n = (uint32_t)proxy->n;
	for (i = 0; i < proxy->n; i++) {
		order->backend[i].addr = proxy->backends[i].addr;
		order->backend[i].addr_len = proxy->backends[i].addr_len;
	}
}

/* Its registration, with which it is a consumer as any other. */
static int say_route(struct one *one, uint32_t route)
{
	const struct proxies *all = one->all;
	const struct config *config = all->setup.config;
	struct route *r = all->setup.routes[all->index[route]];
	struct proxy_msg msg = { .type = PROXY_MSG_ROUTE, .route = route };
	int fd = r ? route_register(r, one->child.pid, config->proxy_uid,
				    config->proxy_gid) : -ENOENT, err;

	if (fd < 0)
		return fd;
	fill_order(all, route, &msg.order);
	err = proxy_msg_send(one->child.socket.fd, &msg, fd);
	close(fd);
	return err;
}

static int say_leave(struct one *one)
{
	uint32_t i;
	int err = 0;

	for (i = 0; !err && i < one->all->board.n_routes; i++) {
		if (!one->leave[i])
			continue;
		err = proxy_msg_send(one->child.socket.fd, &(struct proxy_msg){
				     .type = PROXY_MSG_LEAVE, .route = i }, -1);
		if (!err)
			one->leave[i] = false;
	}
	return err;
}

static int say_plain(struct one *one, uint32_t type, bool *due)
{
	int err = !*due ? 0 : proxy_msg_send(one->child.socket.fd,
					     &(struct proxy_msg){
					     .type = type }, -1);

	if (!err)
		*due = false;
	return err;
}

/* All that it has not heard. Returns 0 or -errno. */
static int say_all(struct one *one)
{
	int err = 0;

	while (!err && !one->stop && one->next <= one->all->board.n_routes) {
		err = one->next ? say_route(one, one->next - 1) :
				  say_options(one);
		one->next += !err;
	}
	if (!err && one->ready)
		err = say_plain(one, PROXY_MSG_ACCEPT, &one->accept);
	if (!err)
		err = say_leave(one);
	if (!err)
		err = say_plain(one, PROXY_MSG_STOP, &one->stop);
	return err;
}

static void speak(struct one *one)
{
	int err;

	one->speak_ms = 0;
	if (!one->child.pid)
		return;
	err = say_all(one);
	if (!err || err == -EPIPE || err == -ECONNRESET)
		return;		/* it is gone: SIGCHLD does the rest */
	one->speak_ms = loop_now_ms() + SPEAK_MS;
}

static void on_proxy(struct watch *w)
{
	struct one *one = (struct one *)w;
	struct proxy_msg msg;
	int fd, n = proxy_msg_recv(w->fd, &msg, &fd);

	if (fd >= 0)
		close(fd);
	if (!n) {
		loop_remove(one->all->setup.loop, w);
		return;
	}
	if (n != 1 || msg.type != PROXY_MSG_READY)
		return;
	one->ready = true;
	speak(one);
}

/* --- processes ------------------------------------------------------------ */

static int be_proxy(void *arg, int socket)
{
	const struct one *one = arg;
	const struct config *config = one->all->setup.config;

	return child_become("proxy", socket, PROXY_FD, config->proxy_uid,
			    config->proxy_gid);
}

static void start(struct one *one)
{
	struct proxies *all = one->all;

	one->next = 0;
	one->ready = one->stop = false;
	one->accept = all->accepting;
	memset(one->leave, 0, all->board.n_routes * sizeof(*one->leave));
	if (child_start(&one->child, all->setup.loop, be_proxy, one))
		all->failed |= !all->accepting;
	else
		speak(one);
}

static int init_one(struct proxies *all, struct one *one)
{
	one->all = all;
	one->child.name = "proxy";
	one->child.socket.ready = on_proxy;
	one->leave = calloc(all->board.n_routes, sizeof(*one->leave));
	return one->leave ? 0 : -ENOMEM;
}

static int init(struct proxies *all, unsigned int n)
{
	const struct config *config = all->setup.config;
	size_t i, k = 0;
	int err = 0;

	all->index = calloc(config->n_routes, sizeof(*all->index));
	all->name = calloc(config->n_routes, sizeof(*all->name));
	if (!all->index || !all->name)
		return -ENOMEM;
	for (i = 0; i < config->n_routes; i++) {
		if (!config->routes[i].proxy.n)
			continue;
		all->name[k] = config->routes[i].name;
		all->index[k++] = i;
	}
	all->board = (struct proxy_board){ .n_processes = n,
		.n_routes = (uint32_t)k,
		.n_backends = first_backend(all, (uint32_t)k) };
	if (!k)
		return 0;
	all->board_fd = proxy_board_new(&all->board);
	if (all->board_fd < 0)
		return all->board_fd;
	for (; all->n < n && !err; all->n++)
		err = init_one(all, &all->one[all->n]);
	all->source = (struct proxy_source){ NULL, &all->board, all->name };
	proxy_metrics_add(all->setup.counts, &all->source);
	return err;
}

struct proxies *proxies_new(const struct proxies_setup *setup)
{
	unsigned int n = setup->config->workers;
	struct proxies *all = calloc(1, sizeof(*all) + n * sizeof(all->one[0]));

	if (!all)
		return NULL;
	all->setup = *setup;
	all->board_fd = -1;
	if (!init(all, n))
		return all;
	proxies_free(all);
	return NULL;
}

void proxies_free(struct proxies *all)
{
	unsigned int i;

	if (!all)
		return;
	if (all->source.board)
		proxy_metrics_remove(all->setup.counts, &all->source);
	for (i = 0; i < all->n; i++)
		free(all->one[i].leave);
	proxy_board_free(&all->board);
	if (all->board_fd >= 0)
		close(all->board_fd);
	free(all->index);
	free(all->name);
	free(all);
}

int proxies_ready(const struct proxies *all)
{
	unsigned int i;

	if (all->failed)
		return -ECHILD;
	for (i = 0; i < all->n; i++)
		if (!all->one[i].child.pid || !all->one[i].ready)
			return 0;
	return 1;
}

void proxies_accept(struct proxies *all)
{
	unsigned int i;

	all->accepting = true;
	for (i = 0; i < all->n; i++) {
		all->one[i].accept = true;
		speak(&all->one[i]);
	}
}

void proxies_leave(struct proxies *all, size_t route)
{
	unsigned int i;
	uint32_t k;

	for (k = 0; k < all->board.n_routes && all->index[k] != route; k++)
		;
	for (i = 0; k < all->board.n_routes && i < all->n; i++)
		all->one[i].leave[k] = true;
}

void proxies_stop(struct proxies *all)
{
	const struct config *config = all->setup.config;
	unsigned int i;

	all->stopping = true;
	/* Who is in a handshake now has its time, too. */
	all->kill_ms = loop_now_ms() + config->handshake_timeout_ms +
		       config->drain_timeout_ms + STOP_MARGIN_MS;
	for (i = 0; i < all->n; i++) {
		all->one[i].stop = true;
		speak(&all->one[i]);
	}
}

bool proxies_ended(struct proxies *all, pid_t pid, int status)
{
	bool expected = all->stopping || !all->accepting;
	unsigned int i;

	for (i = 0; i < all->n && all->one[i].child.pid != pid; i++)
		;
	if (i == all->n)
		return false;
	child_ended(&all->one[i].child, all->setup.loop, status, expected);
	proxy_board_ended(&all->board, i);
	if (!expected)
		metrics_count(all->setup.metrics, METRIC_PROXY_RESTARTS);
	else if (!all->stopping)
		log_error("event=proxy_died pid=%d %s=%d error=\"it ended "
			  "before it was ready\"", (int)pid,
			  WIFSIGNALED(status) ? "signal" : "status",
			  WIFSIGNALED(status) ? WTERMSIG(status) :
						WEXITSTATUS(status));
	all->failed |= !all->accepting;
	return true;
}

unsigned int proxies_count(const struct proxies *all)
{
	unsigned int i, n = 0;

	for (i = 0; i < all->n; i++)
		n += all->one[i].child.pid > 0;
	return n;
}

/* Returns when there is something to do for it again. */
static uint64_t tick(struct one *one, uint64_t now)
{
	const struct proxies *all = one->all;
	bool over = all->stopping || all->failed;

	if (!one->child.pid && !over && one->child.restart_ms <= now)
		start(one);
	if (!one->child.pid)
		return over ? UINT64_MAX : one->child.restart_ms;
	if (all->stopping && now >= all->kill_ms)
		kill(one->child.pid, SIGKILL);
	if (one->speak_ms && one->speak_ms <= now)
		speak(one);
	return one->speak_ms ? one->speak_ms : UINT64_MAX;
}

uint64_t proxies_tick(struct proxies *all, uint64_t now)
{
	uint64_t next = UINT64_MAX, due;
	unsigned int i;

	for (i = 0; i < all->n; i++) {
		due = tick(&all->one[i], now);
		next = clock_earlier(next, due);
	}
	if (all->stopping && proxies_count(all)) {
		due = all->kill_ms > now ? all->kill_ms : now + STOP_MARGIN_MS;
		next = clock_earlier(next, due);
	}
	return next;
}

void proxies_print(const struct proxies *all, FILE *out)
{
	proxy_metrics_print(all->setup.counts, all->setup.config, &all->board,
			    out);
}
