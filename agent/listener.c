/* SPDX-License-Identifier: MIT */
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "conn.h"
#include "local.h"
#include "log.h"
#include "worker.h"

/* Of a Unix socket's file. */
#define LOCAL_MODE 0660

static bool is_local(const struct config_listener *config)
{
	return config->addr.ss_family == AF_UNIX;
}

static const char *path_of(const struct config_listener *config)
{
	return ((const struct sockaddr_un *)&config->addr)->sun_path;
}

static int set(int fd, int level, int option, unsigned int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

int listener_set_tcp(const struct config_listener *config, int fd)
{
	const struct config_tcp *tcp = &config->tcp;

	if (is_local(config))
		return 0;
	if (set(fd, IPPROTO_TCP, TCP_NODELAY, tcp->nodelay) ||
	    set(fd, SOL_SOCKET, SO_KEEPALIVE, tcp->keepalive_s != 0) ||
	    (tcp->keepalive_s &&
	     set(fd, IPPROTO_TCP, TCP_KEEPIDLE, tcp->keepalive_s)) ||
	    set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, tcp->defer_accept_s) ||
	    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, tcp->user_timeout_ms))
		return -errno;
	return 0;
}

static int bind_tcp(const struct config_listener *config, int fd)
{
	const struct sockaddr *addr = (const void *)&config->addr;

	if (set(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
	    (addr->sa_family == AF_INET6 &&
	     set(fd, IPPROTO_IPV6, IPV6_V6ONLY, config->v6only)) ||
	    bind(fd, addr, config->addr_len))
		return -errno;
	return listener_set_tcp(config, fd);
}

static int bind_local(const struct config_listener *config)
{
	static const struct local_access access = { (uid_t)-1, (gid_t)-1,
						    LOCAL_MODE };
	char error[256];

	return local_bind(path_of(config), SOCK_STREAM, &access, error,
			  sizeof(error));
}

int listener_bind(const struct config_listener *config)
{
	int fd, err;

	if (is_local(config))
		return bind_local(config);
	fd = socket(config->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = bind_tcp(config, fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int listener_listen(const struct config_listener *config, int fd)
{
	return listen(fd, (int)config->backlog) ? -errno : 0;
}

bool listener_listens(int fd)
{
	socklen_t len = sizeof(int);
	int on = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) && on;
}

int listener_shut(const struct config_listener *config, int fd)
{
	if (is_local(config))
		return -EOPNOTSUPP;
	/* On one that does not listen it would stay, for every connection. */
	if (!listener_listens(fd))
		return 0;
	return shutdown(fd, SHUT_RD) ? -errno : 0;
}

void listener_close(const struct config_listener *config, int fd,
		    bool foreign)
{
	if (is_local(config) && !foreign)
		unlink(path_of(config));
	close(fd);
}

static void log_address(const struct config_listener *config,
			const char *route, int fd)
{
	struct sockaddr_storage addr = { .ss_family = AF_UNSPEC };
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

void listener_log(const struct config_listener *config, const char *route,
		  int fd)
{
	if (is_local(config))
		log_info("event=listening bind=unix:%s route=%s",
			 path_of(config), route);
	else
		log_address(config, route, fd);
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
	l->worker->accepted_ms = l->worker->now_ms;
	l->shut = result == -EINVAL;
	if (l->shut)
		return;
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
