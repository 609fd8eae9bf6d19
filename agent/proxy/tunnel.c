/* SPDX-License-Identifier: MIT */
#include "tunnel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/log.h"
#include "intro.h"
#include "intake.h"
#include "ktls/end.h"

static struct ring *ring_of(struct tunnel *t)
{
	return &t->in->proxy->ring;
}

/* --- the end ------------------------------------------------------------- */

static void unlink_tunnel(struct tunnel *t)
{
	struct proxy *p = t->in->proxy;

	if (t->again)
		TAILQ_REMOVE(&p->again, t, again_link);
	if (t->starved)
		TAILQ_REMOVE(&p->starved, t, starved_link);
	TAILQ_REMOVE(&p->tunnels, t, all_link);
	p->n_tunnels--;
}

static void close_server(struct tunnel *t)
{
	static const struct linger off = { 0 };

	if (t->server < 0)
		return;
	if (!t->reset)
		setsockopt(t->server, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	close(t->server);
}

/* Operations hold on to a socket: until they end close(2) does nothing. */
void tunnel_free(struct tunnel *t)
{
	struct proxy *p = t->in->proxy;

	if (t->client_side.armed || t->server_side.armed)
		return;
	close_server(t);
	ktls_close(&t->client);
	unlink_tunnel(t);
	intake_resume(p);
	free(t->header);
	free(t);
}

static void cancel(struct tunnel *t, struct side *side)
{
	if (side->armed)
		ring_cancel(ring_of(t), &side->op);
}

static const char *const reasons[PROXY_COUNTERS] = {
	[PROXY_NO_BACKEND] = "no server can be reached",
	[PROXY_CLIENT_CUT] = "the client cut it off",
	[PROXY_BACKEND_CUT] = "the server cut it off",
	[PROXY_DRAINED] = "time is up",
	[PROXY_RESOURCES] = "out of memory or descriptors",
};

static void tell(struct tunnel *t, enum proxy_counter why, int error)
{
	char text[BACKEND_TEXT] = "";

	proxy_count(t->in, why, 1);
	if (log_level < LOG_L_DEBUG)
		return;
	if (t->server >= 0)
		backends_print(&t->in->backends, t->backend, text);
	log_debug("event=proxy_cut route=%s backend=\"%s\" reason=\"%s\" "
		  "error=\"%s\"", t->in->order.name, text, reasons[why],
		  strerror(-error));
}

void tunnel_end(struct tunnel *t, enum proxy_counter why, int error)
{
	if (t->state == TUNNEL_ENDING)
		return;
	t->state = TUNNEL_ENDING;
	deadline_clear(&t->deadline);
	if (why != PROXY_COUNTERS) {
		tell(t, why, error);
		t->reset = true;
		/* So that ktls_close() says no close_notify. */
		t->client.sent_close = 1;
	}
	flow_release(t, &t->up);
	flow_release(t, &t->down);
	if (t->counted)
		backends_count(&t->in->backends, t->backend, -1);
	t->counted = false;
	cancel(t, &t->client_side);
	cancel(t, &t->server_side);
	tunnel_free(t);
}

/* --- while it lasts ------------------------------------------------------- */

/* A server that ended its direction has not always closed. */
static void tend_half(struct tunnel *t)
{
	struct proxy *p = t->in->proxy;

	if (!t->down.done || t->up.done)
		return;
	if (t->server_side.gone)
		t->up.deaf = true;
	deadline_set(&p->halves, &t->deadline, p->now_ms);
}

void tunnel_half_late(struct deadline *d)
{
	struct tunnel *t = container_of(d, struct tunnel, deadline);

	t->reset = true;
	tunnel_end(t, PROXY_COUNTERS, 0);
}

/*
 * Both directions, unless the first one finds that all is over. That is down:
 * of a server's end or reset, reading tells which it was, but writing, which
 * may fail first, uses up the error.
 */
static int run_flows(struct tunnel *t)
{
	int more = flow_run(t, &t->down), up = 0;

	if (more >= 0)
		up = flow_run(t, &t->up);
	return up ? up : more;
}

void tunnel_run_later(struct tunnel *t)
{
	if (!t->again)
		TAILQ_INSERT_TAIL(&t->in->proxy->again, t, again_link);
	t->again = true;
}

void tunnel_run(struct tunnel *t)
{
	int ret;

	if (t->state != TUNNEL_OPEN)
		return;
	ret = run_flows(t);
	if (ret < 0) {
		/* Else a client that cannot be read, or not be written to. */
		tunnel_end(t, t->down.err ? PROXY_BACKEND_CUT :
			   PROXY_CLIENT_CUT, ret);
		return;
	}
	if (t->up.done && t->down.done) {
		tunnel_end(t, PROXY_COUNTERS, 0);
		return;
	}
	if (t->client_side.gone) {
		tunnel_end(t, PROXY_CLIENT_CUT, -ECONNRESET);
		return;
	}
	tend_half(t);
	if (ret > 0)
		tunnel_run_later(t);
}

void tunnel_run_again(struct proxy *p)
{
	struct tunnel *last = TAILQ_LAST(&p->again, tunnel_list), *t = NULL;

	while (last && t != last) {
		t = TAILQ_FIRST(&p->again);
		TAILQ_REMOVE(&p->again, t, again_link);
		t->again = false;
		tunnel_run(t);
	}
}

void tunnel_run_starved(struct proxy *p)
{
	struct tunnel *last = TAILQ_LAST(&p->starved, tunnel_list), *t = NULL;

	while (last && t != last) {
		t = TAILQ_FIRST(&p->starved);
		TAILQ_REMOVE(&p->starved, t, starved_link);
		t->starved = false;
		tunnel_run_later(t);
	}
}

static void watch(struct tunnel *t, struct side *side, int fd,
		  void (*done)(struct ring_op *op, int result))
{
	side->armed = true;
	side->op.done = done;
	io_uring_prep_poll_multishot(ring_prepare(ring_of(t), &side->op), fd,
				     POLLIN | POLLOUT | POLLRDHUP);
}

/* Returns false when the tunnel ends and waits for nothing but this. */
static bool take_event(struct tunnel *t, struct side *side, int result)
{
	if (!ring_of(t)->more)
		side->armed = false;
	if (t->state == TUNNEL_ENDING) {
		tunnel_free(t);
		return false;
	}
	if (result < 0) {
		tunnel_end(t, PROXY_RESOURCES, result);
		return false;
	}
	if (result & (POLLERR | POLLHUP))
		side->in = side->out = true;
	if (result & (POLLIN | POLLRDHUP))
		side->in = true;
	if (result & POLLOUT)
		side->out = true;
	return true;
}

/*
 * A reset, or a relay that has cut its end off, says so even while nothing is
 * read, because the server takes nothing.
 */
static bool is_cut(const struct tunnel *t, int result)
{
	if (t->client.mode == KTLS_RELAY)
		return result & POLLRDHUP &&
		       !ktls_ended_cleanly(t->client.fd);
	return result & POLLERR;
}

static void on_client(struct ring_op *op, int result)
{
	struct tunnel *t = container_of(op, struct tunnel, client_side.op);

	if (!take_event(t, &t->client_side, result))
		return;
	if (!t->client_side.armed)
		watch(t, &t->client_side, t->client.fd, on_client);
	t->client_side.gone |= is_cut(t, result);
	tunnel_run(t);
}

static void on_server(struct ring_op *op, int result)
{
	struct tunnel *t = container_of(op, struct tunnel, server_side.op);

	if (!take_event(t, &t->server_side, result))
		return;
	if (!t->server_side.armed)
		watch(t, &t->server_side, t->server, on_server);
	if (result & POLLHUP)
		t->server_side.gone = true;
	tunnel_run(t);
}

/* --- the beginning ------------------------------------------------------- */

static int send_header(struct tunnel *t)
{
	ssize_t n = t->header_len ? send(t->server, t->header, t->header_len,
					 MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
	int err = n < 0 ? -errno : 0;

	/* There is room for it in any new connection. */
	if (!err && (size_t)n != t->header_len)
		err = -ENOBUFS;
	free(t->header);
	t->header = NULL;
	t->header_len = 0;
	return err;
}

void tunnel_open(struct tunnel *t)
{
	int err;

	deadline_clear(&t->deadline);
	backends_ok(&t->in->backends, t->backend);
	proxy_count(t->in, PROXY_CONNECTED, 1);
	err = send_header(t);
	if (err) {
		tunnel_end(t, PROXY_BACKEND_CUT, err);
		return;
	}
	t->state = TUNNEL_OPEN;
	t->client_side.in = t->client_side.out = true;
	t->server_side.in = t->server_side.out = true;
	watch(t, &t->client_side, t->client.fd, on_client);
	watch(t, &t->server_side, t->server, on_server);
	tunnel_run(t);
}

void tunnel_new(struct intake *in, const struct ktls_conn *client,
		const struct ktls_info *info)
{
	struct proxy *p = in->proxy;
	struct tunnel *t = calloc(1, sizeof(*t));
	struct ktls_conn lost = *client;
	ssize_t n;

	if (!t) {
		proxy_count(in, PROXY_RESOURCES, 1);
		lost.sent_close = 1;
		ktls_close(&lost);
		return;
	}
	t->in = in;
	t->client = *client;
	t->server = -1;
	TAILQ_INSERT_TAIL(&p->tunnels, t, all_link);
	p->n_tunnels++;
	t->give_up_ms = p->now_ms + in->order.connect_ms;
	n = intro_make(in->order.header, info, &t->header);
	if (n < 0) {
		tunnel_end(t, PROXY_RESOURCES, (int)n);
		return;
	}
	t->header_len = (size_t)n;
	tunnel_connect(t);
}
