/* SPDX-License-Identifier: MIT */
#include "intake.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/log.h"
#include "ktls/descriptors.h"
#include "ktls/register.h"
#include "tunnel.h"

/* Taken at a time, so that other processes have their part of a burst. */
#define BATCH 16
/* How soon to look again when descriptors are few. */
#define RETRY_MS 100

static int say_hello(int reg)
{
	const struct ktls_hello hello = {
		.magic = KTLS_REG_MAGIC,
		.version = KTLS_REG_VERSION,
	};

	return ktls_send_fds(reg, &hello, sizeof(hello), NULL, 0);
}

/* Returns 0, or -errno: master would have none of us. */
static int take_answer(struct intake *in)
{
	struct ktls_answer answer;
	struct ktls_fds fds;
	ssize_t n = ktls_recv_fds(in->reg, &answer, sizeof(answer), &fds,
				  MSG_CMSG_CLOEXEC);

	if (n < 0)
		return (int)n;
	if (n != sizeof(answer) || answer.status != KTLS_REG_OK || fds.n != 2) {
		ktls_close_fds(&fds);
		return n ? -EPROTO : -ECONNRESET;
	}
	in->queue_fd = fds.fd[0];
	/* So that its end is seen, once nobody sends any more. */
	close(fds.fd[1]);
	in->queue = ktls_queue_new(in->queue_fd, answer.hold_ms);
	return in->queue ? 0 : -ENOMEM;
}

static void on_answer(struct ring_op *op, int result)
{
	struct intake *in = container_of(op, struct intake, reg_op);
	struct proxy *p = in->proxy;
	int err = result < 0 ? result : take_answer(in);

	if (err) {
		log_error("event=proxy_failed route=%s error=\"cannot "
			  "register: %s\"", in->order.name, strerror(-err));
		p->status = 1;
		p->over = true;
		return;
	}
	in->registered = true;
	p->n_registered++;
	if (p->accepting)
		intake_watch(in);
}

int intake_init(struct intake *in, struct proxy *p,
		const struct proxy_order *order, uint32_t route, int reg)
{
	in->proxy = p;
	in->order = *order;
	in->reg = reg;
	in->queue_fd = -1;
	in->counts = proxy_board_counts(&p->board, p->options.process, route);
	in->backends = (struct backends){
		.board = &p->board,
		.process = p->options.process,
		.order = &in->order,
		/* Processes that start together begin with others. */
		.last = p->options.process,
	};
	deadline_list_init(&in->connects, order->connect_ms,
			   tunnel_connect_late);
	in->reg_op.done = on_answer;
	io_uring_prep_poll_add(ring_prepare(&p->ring, &in->reg_op), reg,
			       POLLIN);
	return say_hello(reg);
}

static void leave(struct intake *in)
{
	in->left = true;
	if (in->reg >= 0)
		close(in->reg);
	in->reg = -1;
	ktls_queue_free(in->queue);
	in->queue = NULL;
	if (in->queue_fd >= 0)
		close(in->queue_fd);
	in->queue_fd = -1;
}

void intake_fini(struct intake *in)
{
	leave(in);
}

/* Somebody shut the queue; master makes another for the next process. */
static void lost(struct intake *in)
{
	struct proxy *p = in->proxy;

	if (!p->stopping) {
		log_error("event=proxy_failed route=%s error=\"its queue was "
			  "shut down\"", in->order.name);
		p->status = 1;
		p->stopping = true;
		p->stop_by_ms = p->now_ms + p->options.drain_ms;
	}
	leave(in);
}

void intake_pause(struct proxy *p, const char *why)
{
	if (!p->full && p->now_ms >= p->retry_ms + 10 * RETRY_MS)
		log_warn("event=proxy_full connections=%u error=\"%s\" "
			 "effect=\"others wait in their queues\"",
			 p->n_tunnels, why);
	p->full = true;
	p->retry_ms = p->now_ms + RETRY_MS;
}

/* Who comes while we stop has its time, too. */
static void begin(struct intake *in, const struct ktls_conn *client,
		  const struct ktls_info *info)
{
	struct proxy *p = in->proxy;

	if (p->stopping)
		p->stop_by_ms = p->now_ms + p->options.drain_ms;
	tunnel_new(in, client, info);
}

/* Returns 1: there may be more; 0: there is none; or -errno: not now. */
static int take_one(struct intake *in)
{
	struct proxy *p = in->proxy;
	struct ktls_conn client;
	struct ktls_info info;
	int err;

	if (p->n_tunnels >= p->places) {
		intake_pause(p, "as many as descriptors allow");
		return -EMFILE;
	}
	err = ktls_accept(in->queue, &client, &info,
			  SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (!err)
		begin(in, &client, &info);
	else if (err == -EMFILE || err == -ENFILE || err == -ENOMEM)
		intake_pause(p, strerror(-err));
	else if (err == -EPROTO || err == -ECONNABORTED)
		log_warn("event=proxy_message route=%s error=\"%s\"",
			 in->order.name, err == -EPROTO ?
			 "it is not ktlsd's" : "its descriptor was lost");
	if (!err || err == -EPROTO || err == -ECONNABORTED || err == -EINTR)
		return 1;
	return err == -EAGAIN ? 0 : err;
}

static void on_queue(struct ring_op *op, int result)
{
	struct intake *in = container_of(op, struct intake, queue_op);
	struct proxy *p = in->proxy;
	unsigned int i;
	int ret = 1;

	(void)result;
	in->armed = false;
	/* intake_resume() watches again. */
	if (p->full && !in->leaving)
		return;
	for (i = 0; !in->left && ret > 0 && (in->leaving || i < BATCH); i++)
		ret = take_one(in);
	if (ret == -EPIPE)
		lost(in);
	if (in->left)
		return;
	if (in->leaving && !ret)
		leave(in);
	else if (!p->full)
		intake_watch(in);
}

void intake_watch(struct intake *in)
{
	if (in->left || in->armed || !in->registered)
		return;
	in->armed = true;
	in->queue_op.done = on_queue;
	io_uring_prep_poll_add(ring_prepare(&in->proxy->ring, &in->queue_op),
			       in->queue_fd, POLLIN);
}

void intake_leave(struct intake *in)
{
	if (in->left || in->leaving)
		return;
	in->leaving = true;
	if (in->armed)
		/* It ends, and looks once more. */
		ring_cancel(&in->proxy->ring, &in->queue_op);
	else if (in->registered && in->proxy->accepting)
		on_queue(&in->queue_op, 0);
	else
		leave(in);
}

void intake_resume(struct proxy *p)
{
	uint32_t i;

	if (!p->full)
		return;
	p->full = false;
	for (i = 0; i < p->n_intakes; i++)
		if (p->accepting)
			intake_watch(&p->intakes[i]);
}
