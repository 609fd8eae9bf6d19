/* SPDX-License-Identifier: MIT */
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "log.h"
#include "worker.h"

int listener_bind(const struct config_listener *config)
{
	const struct sockaddr *addr = (const void *)&config->addr;
	int on = 1, off = 0, err;
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	    (addr->sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off))) ||
	    bind(fd, addr, config->addr_len)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int listener_listen(const struct config_listener *config, int fd)
{
	return listen(fd, (int)config->backlog) ? -errno : 0;
}

void listener_log(const struct config_listener *config, const char *route,
		  int fd)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char text[INET6_ADDRSTRLEN] = "?";
	const struct sockaddr_in6 *in6 = (const void *)&addr;
	const struct sockaddr_in *in = (const void *)&addr;
	bool six = config->addr.ss_family == AF_INET6;

	getsockname(fd, (struct sockaddr *)&addr, &len);
	inet_ntop(addr.ss_family, six ? (const void *)&in6->sin6_addr :
		  (const void *)&in->sin_addr, text, sizeof(text));
	log_info("event=listening bind=%s%s%s:%u route=%s", six ? "[" : "",
		 text, six ? "]" : "",
		 ntohs(six ? in6->sin6_port : in->sin_port), route);
}

static bool out_of_resources(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS ||
	       err == -ENOMEM;
}

static void pause_accepting(struct listener *l, int err)
{
	if (!l->paused)
		log_warn("event=accept_paused error=\"%s\" remedy=\"raise the "
			 "limit of open files (LimitNOFILE=, ulimit -n)\"",
			 strerror(-err));
	if (!l->paused)
		metrics_count(l->worker->metrics, METRIC_PAUSED_DESCRIPTORS);
	l->paused = true;
}

static void on_accept(struct ring_op *op, int result)
{
	struct listener *l = container_of(op, struct listener, op);

	l->armed = false;
	l->worker->slab.promised--;
	if (result >= 0) {
		if (l->paused)
			log_info("event=accept_resumed");
		l->paused = false;
		limits_accepted(&l->worker->limits);
		conn_start(l->worker, l, result, &l->peer);
	} else if (out_of_resources(result)) {
		pause_accepting(l, result);
		return;
	} else if (result != -ECANCELED && result != -EINTR &&
		   result != -EAGAIN && result != -ECONNABORTED) {
		/* Errors of the new connection's network, accept(2). */
		log_debug("event=accept_failed error=\"%s\"",
			  strerror(-result));
	}
	listener_arm(l);
}

/* A pause is counted where it begins. */
static bool pause_for(struct listener *l, bool *why, bool on, enum metric id)
{
	if (on && !*why)
		metrics_count(l->worker->metrics, id);
	*why = on;
	return on;
}

void listener_arm(struct listener *l)
{
	struct worker *w = l->worker;
	struct io_uring_sqe *sqe;

	if (l->armed || w->stopping || l->fd < 0)
		return;
	if (pause_for(l, &l->throttled,
		      limits_accept_at(&w->limits, w->now_ms),
		      METRIC_PAUSED_RATE) ||
	    pause_for(l, &l->starved, !conn_slab_promise(&w->slab),
		      METRIC_PAUSED_SLOTS))
		return;
	l->op.done = on_accept;
	l->peer_len = sizeof(l->peer);
	sqe = ring_prepare(&w->ring, &l->op);
	io_uring_prep_accept(sqe, l->fd, (struct sockaddr *)&l->peer,
			     &l->peer_len, SOCK_CLOEXEC);
	l->armed = true;
}

/* The accept ends with -ECANCELED, or with a connection that just came. */
static void cancel(struct listener *l)
{
	if (l->armed)
		io_uring_prep_cancel(ring_prepare(&l->worker->ring, NULL),
				     &l->op, 0);
}

void listener_check(struct listener *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };

	if (poll(&p, 1, 0) == 1)
		cancel(l);
}

void listener_leave(struct listener *l)
{
	struct conn_slab *slab = &l->worker->slab;
	struct sockaddr_storage peer;
	socklen_t len;
	int fd = 0;

	/* The others leave too: what one of them takes is not to be waited for. */
	fcntl(l->fd, F_SETFL, O_NONBLOCK);
	while (fd >= 0 && conn_slab_promise(slab)) {
		len = sizeof(peer);
		fd = accept4(l->fd, (struct sockaddr *)&peer, &len,
			     SOCK_CLOEXEC);
		slab->promised--;
		if (fd >= 0)
			conn_start(l->worker, l, fd, &peer);
	}
	listener_stop(l);
}

void listener_stop(struct listener *l)
{
	if (l->fd < 0)
		return;
	cancel(l);
	close(l->fd);
	l->fd = -1;
}
