// SPDX-License-Identifier: MIT
#include "client.h"

#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proc.h"
#include "util.h"

/*
 * A port that was used is not free again at once, so there are several
 * addresses to connect from: 127.0.0.1 and those behind it.
 */
#define SOURCES 16
/* A connection that takes longer has failed. Emulated machines are slow. */
#define PATIENCE_NS (60 * UINT64_C(1000000000))

/* The rest of an entry's user data is the connection, which is aligned. */
enum op { OP_CONNECT, OP_SEND, OP_RECV, OP_MASK = 3 };

/*
 * struct conn
 * @flying:  operations in flight, a bit for each: it stays until they are over
 * @asked:   the request is sent; @upload of what follows it is not
 * @ending:  no more is to be said; @failed: nor heard
 * @keeping: it is to be held, as soon as nothing is in flight
 */
struct conn {
	int fd;
	unsigned int flying;
	bool asked, ending, ended, failed, keeping;
	uint64_t since_ns;
	struct talk talk;
	uint64_t upload;
	size_t out_len, out_sent;
	uint8_t *out, *in;
};

struct client {
	struct io_uring ring;
	struct talker talker;
	struct sockaddr_in server;
	const struct client_task *task;
	unsigned int source, begun, open, n_held, dropped;
	bool gated;
	int *held;
	size_t in_size, out_size;
	struct client_part *part;
};

static const char payload[16384];

static void ask(struct client *c, struct conn *conn, enum op op);

/* --- one connection ----------------------------------------------------------- */

static void fail(struct client *c, struct conn *conn, const char *why)
{
	struct client_part *p = c->part;

	if (conn->failed)
		return;
	if (!p->failed++)
		snprintf(p->error, sizeof(p->error), "%s", why);
	conn->failed = true;
	/* What is in flight comes back then. */
	shutdown(conn->fd, SHUT_RDWR);
}

/* The next record of an upload. */
static void say_more(struct client *c, struct conn *conn)
{
	const uint64_t left = conn->upload;
	const size_t n = left < c->task->record ? left : c->task->record;

	talk_say(&conn->talk, payload, n);
	conn->upload -= n;
}

/* More to send, or the end of our direction. */
static void push(struct client *c, struct conn *conn)
{
	if (conn->failed || conn->flying & 1u << OP_SEND)
		return;
	if (conn->out_sent == conn->out_len) {
		if (conn->upload && conn->asked)
			say_more(c, conn);
		conn->out_sent = 0;
		conn->out_len =
			talk_give(&conn->talk, conn->out, c->out_size);
	}
	if (conn->out_len) {
		ask(c, conn, OP_SEND);
	} else if (conn->ending && !conn->ended) {
		conn->ended = true;
		shutdown(conn->fd, SHUT_WR);
	}
}

static void task_done(struct client *c, struct conn *conn)
{
	struct client_part *p = c->part;

	p->latency_ns[p->done++] = now_ns() - conn->since_ns;
	p->resumed += conn->talk.resumed;
	conn->keeping = c->task->hold;
	conn->ending = !conn->keeping;
	if (conn->ending)
		talk_end(&conn->talk);
}

/* What the task wants next, behind the handshake. */
static void go_on(struct client *c, struct conn *conn)
{
	const struct client_task *task = c->task;

	if (c->gated)
		return;
	if (task->request && !conn->asked) {
		conn->asked = true;
		talk_say(&conn->talk, task->request, strlen(task->request));
	}
	if (!task->request ||
	    (conn->talk.head_done && conn->talk.body >= task->download &&
	     !conn->upload))
		task_done(c, conn);
}

static void take(struct client *c, struct conn *conn, size_t len)
{
	if (talk_take(&conn->talk, conn->in, len)) {
		fail(c, conn, talk_error());
		return;
	}
	if (conn->talk.done && !conn->ending && !conn->keeping)
		go_on(c, conn);
	push(c, conn);
}

static void received(struct client *c, struct conn *conn, int res)
{
	if (res > 0) {
		take(c, conn, res);
		if (!conn->failed && !conn->keeping)
			ask(c, conn, OP_RECV);
	} else if (!conn->ending) {
		fail(c, conn, res ? strerror(-res) : "the server closed it");
	}
	/* Behind its end a server may reset what it closes. */
}

static void sent(struct client *c, struct conn *conn, int res)
{
	if (res < 0) {
		if (!conn->ending)
			fail(c, conn, strerror(-res));
		conn->out_sent = conn->out_len;
		conn->ended = true;
		return;
	}
	conn->out_sent += res;
	if (conn->asked && !conn->ending)
		go_on(c, conn);
	push(c, conn);
}

static void connected(struct client *c, struct conn *conn, int res)
{
	if (res < 0) {
		fail(c, conn, strerror(-res));
		return;
	}
	take(c, conn, 0);
	if (!conn->failed && !conn->keeping)
		ask(c, conn, OP_RECV);
}

static void forget(struct client *c, struct conn *conn)
{
	c->part->tickets += conn->talk.tickets;
	talk_close(&conn->talk);
	if (conn->keeping && !conn->failed)
		c->held[c->n_held++] = conn->fd;
	else
		close(conn->fd);
	conn->fd = -1;
	c->open--;
}

static void on_result(struct client *c, struct conn *conn, enum op op, int res)
{
	conn->flying &= ~(1u << op);
	if (op == OP_RECV)
		received(c, conn, res);
	else if (op == OP_SEND)
		sent(c, conn, res);
	else
		connected(c, conn, res);
	if (!conn->flying)
		forget(c, conn);
}

/* --- the ring ----------------------------------------------------------------- */

static void ask(struct client *c, struct conn *conn, enum op op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&c->ring);

	if (!sqe) {
		io_uring_submit(&c->ring);
		sqe = io_uring_get_sqe(&c->ring);
	}
	if (op == OP_CONNECT)
		io_uring_prep_connect(sqe, conn->fd,
				      (struct sockaddr *)&c->server,
				      sizeof(c->server));
	else if (op == OP_SEND)
		io_uring_prep_send(sqe, conn->fd, conn->out + conn->out_sent,
				   conn->out_len - conn->out_sent,
				   MSG_NOSIGNAL);
	else
		io_uring_prep_recv(sqe, conn->fd, conn->in, c->in_size, 0);
	io_uring_sqe_set_data64(sqe, (uintptr_t)conn | op);
	conn->flying |= 1u << op;
}

static int new_socket(struct client *c)
{
	struct sockaddr_in from = {
		.sin_family = AF_INET,
		.sin_addr.s_addr =
			htonl(INADDR_LOOPBACK + c->source++ % SOURCES),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* The port then only has to be free for this server. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
		die("bind: %s", strerror(errno));
	return fd;
}

static void begin(struct client *c, struct conn *conn)
{
	conn->fd = new_socket(c);
	conn->flying = 0;
	conn->asked = conn->keeping = false;
	conn->ending = conn->ended = conn->failed = false;
	conn->upload = c->task->upload;
	conn->out_len = conn->out_sent = 0;
	conn->since_ns = c->part->since_ns = now_ns();
	talk_open(&conn->talk, &c->talker);
	c->begun++;
	c->open++;
	ask(c, conn, OP_CONNECT);
}

static void wait_some(struct client *c)
{
	struct __kernel_timespec second = {.tv_sec = 1};
	struct io_uring_cqe *cqe;
	int rc;

	rc = io_uring_submit_and_wait_timeout(&c->ring, &cqe, 1, &second, NULL);
	if (rc < 0 && rc != -ETIME && rc != -EINTR)
		die("io_uring: %s", strerror(-rc));
}

static void take_results(struct client *c)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;
	uint64_t data;
	int res;

	io_uring_for_each_cqe(&c->ring, head, cqe) {
		data = cqe->user_data;
		res = cqe->res;
		n++;
		on_result(c, (struct conn *)(uintptr_t)(data & ~OP_MASK),
			  data & OP_MASK, res);
	}
	io_uring_cq_advance(&c->ring, n);
}

static void fail_late(struct client *c, struct conn *conns, unsigned int n)
{
	const uint64_t now = now_ns();
	unsigned int i;

	for (i = 0; i < n; i++)
		if (conns[i].fd >= 0 && now - conns[i].since_ns > PATIENCE_NS)
			fail(c, &conns[i], "it takes more than 60 s");
}

static void own_times(uint64_t *cpu_ns, uint64_t *wait_ns)
{
	struct usage u = {0};

	proc_usage(getpid(), &u);
	*cpu_ns = u.cpu_ns;
	*wait_ns = u.wait_ns;
}

/* CPU time is what was used until now, while it runs. */
static void start_clock(struct client_part *part)
{
	own_times(&part->cpu_ns, &part->wait_ns);
	part->begin_ns = now_ns();
}

static void stop_clock(struct client_part *part)
{
	uint64_t cpu_ns, wait_ns;

	part->end_ns = now_ns();
	own_times(&cpu_ns, &wait_ns);
	part->cpu_ns = cpu_ns - part->cpu_ns;
	part->wait_ns = wait_ns - part->wait_ns;
}

/* Large for what is about bytes. */
static struct conn *new_conns(struct client *c)
{
	const unsigned int n = c->task->parallel;
	struct conn *conns = zalloc(n * sizeof(*conns));
	unsigned int i;

	c->in_size = c->task->request ? 262144 : 16384;
	c->out_size = c->task->request ? 32768 : 4096;
	for (i = 0; i < n; i++) {
		conns[i].fd = -1;
		conns[i].in = zalloc(c->in_size);
		conns[i].out = zalloc(c->out_size);
	}
	return conns;
}

static void free_conns(struct conn *conns, unsigned int n)
{
	while (n--) {
		free(conns[n].in);
		free(conns[n].out);
	}
	free(conns);
}

/* Has it shaken hands, and said all of its part? One that failed is no more. */
static bool is_shaken(const struct conn *conn)
{
	return conn->fd < 0 ||
	       (conn->talk.done && !(conn->flying & 1u << OP_SEND));
}

static void pass_gate(struct client *c, struct conn *conns)
{
	const struct client_task *task = c->task;
	unsigned int i;

	for (i = 0; i < task->parallel; i++)
		if (!is_shaken(&conns[i]))
			return;
	task->gate(task->gate_arg);
	c->gated = false;
	start_clock(c->part);
	for (i = 0; i < task->parallel; i++) {
		if (conns[i].fd < 0 || conns[i].failed)
			continue;
		go_on(c, &conns[i]);
		push(c, &conns[i]);
	}
}

static void run(struct client *c, struct conn *conns)
{
	const struct client_task *task = c->task;
	unsigned int i;

	while (c->begun < task->count || c->open) {
		for (i = 0; i < task->parallel && c->begun < task->count; i++)
			if (conns[i].fd < 0)
				begin(c, &conns[i]);
		wait_some(c);
		take_results(c);
		fail_late(c, conns, task->parallel);
		if (c->gated)
			pass_gate(c, conns);
	}
}

static void make_room(struct client *c, unsigned int more)
{
	int *held = realloc(c->held, (c->n_held + more) * sizeof(*held));

	if (!held)
		die("out of memory");
	c->held = held;
}

void client_run(struct client *c, const struct client_task *task,
		struct client_part *part)
{
	struct conn *conns;

	memset(part, 0, sizeof(*part));
	c->part = part;
	c->task = task;
	c->begun = 0;
	c->gated = task->gate;
	if (task->hold)
		make_room(c, task->count);
	conns = new_conns(c);
	start_clock(part);
	run(c, conns);
	stop_clock(part);
	free_conns(conns, task->parallel);
}

/* Tickets may come; all else is an end. */
static bool is_open(int fd)
{
	static char buf[16384];
	ssize_t n;

	do
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	while (n > 0);
	return n < 0 && errno == EAGAIN;
}

unsigned int client_dropped(struct client *c)
{
	unsigned int i;

	for (i = 0; i < c->n_held; i++) {
		if (c->held[i] < 0 || is_open(c->held[i]))
			continue;
		close(c->held[i]);
		c->held[i] = -1;
		c->dropped++;
	}
	return c->dropped;
}

struct client *client_new(const struct talk_plan *plan, uint16_t port)
{
	struct client *c = zalloc(sizeof(*c));
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 4096,
	};
	int rc = io_uring_queue_init_params(1024, &c->ring, &params);

	if (rc)
		die("io_uring, which clients are driven by: %s",
		    strerror(-rc));
	io_uring_register_ring_fd(&c->ring);
	talker_init(&c->talker, plan);
	c->server = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	return c;
}

void client_free(struct client *c)
{
	talker_fini(&c->talker);
	io_uring_queue_exit(&c->ring);
	free(c->held);
	free(c);
}
