// SPDX-License-Identifier: MIT
/*
 * receiver - a server that does by itself what libktls could do for it
 *
 *   receiver epoll|uring PATH
 *
 * Takes messages out of the queue, and receives on the connections, with
 * epoll(7) and recv(2), or with io_uring(7); libktls judges what came of it.
 * Answers each request's head with its mode, and keeps the connection, unless
 * the head has "close". A line on stdout for each end: event=end how=....
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ktls/ktls.h"
#include "tool/tool.h"

struct conn {
	struct ktls_conn k;
	char in[4096];
	size_t len;
};

/* Where a message is received: recvmsg(2)'s, or the ring's. */
static struct {
	union {
		char buf[KTLS_CONTROL_MAX];
		struct cmsghdr align;
	} control;
	uint8_t data[KTLS_MSG_MAX];
	struct iovec iov;
	struct msghdr msg;
} queue;

static struct ktls_registration *reg;
static int epfd, flags; /* a ring waits on sockets that block */
static struct io_uring ring;
static char is_queue, is_reg;

static struct msghdr *message(void)
{
	queue.iov = (struct iovec){queue.data, sizeof(queue.data)};
	queue.msg = (struct msghdr){
		.msg_iov = &queue.iov,
		.msg_iovlen = 1,
		.msg_control = queue.control.buf,
		.msg_controllen = sizeof(queue.control),
	};
	return &queue.msg;
}

/* What @res bytes or -errno of receiving on the queue are; NULL: none. */
static struct conn *take(ssize_t res)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct ktls_info info;
	int rc;

	if (!c)
		die("out of memory");
	rc = ktls_accept_msg(&queue.msg, res, ktls_registration_hold_ms(reg),
			     &c->k, &info, flags);
	if (!rc) {
		printf("event=accept mode=%d name=%.*s\n", info.mode,
		       (int)info.server_name.len, info.server_name.data);
		return c;
	}
	if (rc != -EAGAIN && rc != -ETIMEDOUT)
		die("ktls_accept_msg: %s", strerror(-rc));
	free(c);
	return NULL;
}

static void end(struct conn *c, int rc)
{
	printf("event=end how=%s\n", rc ? strerrorname_np(-rc) : "clean");
	epoll_ctl(epfd, EPOLL_CTL_DEL, c->k.fd, NULL);
	ktls_close(&c->k);
	free(c);
}

/* Short enough for any socket; returns 0, or 1 when that is the end of it. */
static int answer(struct conn *c)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
				   "\r\nhello";
	const bool last = strstr(c->in, "close");

	c->len = 0;
	if (ktls_flush(&c->k) ||
	    send(c->k.fd, text, sizeof(text) - 1, MSG_NOSIGNAL) < 0)
		die("cannot answer: %m");
	if (last && ktls_shutdown(&c->k))
		die("cannot shut down");
	return 0;
}

/* @res is what receiving on @c came to. Returns whether to go on with that. */
static bool received(struct conn *c, int res)
{
	int rc = ktls_recv_result(&c->k, res);

	if (res > 0) {
		c->len += res;
		c->in[c->len] = '\0';
		if (strstr(c->in, "\r\n\r\n"))
			rc = answer(c) ? 0 : 1;
	}
	if (rc <= 0 && rc != -EAGAIN)
		end(c, rc);
	return rc == 1;
}

static void add(int fd, void *what)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = what};

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &e))
		die("epoll_ctl: %m");
}

static void on_event(void *what)
{
	struct conn *c = what;
	ssize_t n;

	if (what == &is_reg) {
		ktls_registration_step(reg);
	} else if (what == &is_queue) {
		n = recvmsg(ktls_registration_queue_fd(reg), message(),
			    MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		c = take(n < 0 ? -errno : n);
		if (c)
			add(c->k.fd, c);
	} else {
		do
			n = recv(c->k.fd, c->in + c->len,
				 sizeof(c->in) - 1 - c->len, 0);
		while (received(c, n < 0 ? -errno : (int)n));
	}
}

static void run_epoll(void)
{
	struct epoll_event e;

	flags = SOCK_NONBLOCK;
	add(ktls_registration_queue_fd(reg), &is_queue);
	add(ktls_registration_fd(reg), &is_reg);
	while (epoll_wait(epfd, &e, 1, -1) >= 0 || errno == EINTR)
		on_event(e.data.ptr);
}

static void arm_queue(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_recvmsg(sqe, ktls_registration_queue_fd(reg), message(),
			      MSG_CMSG_CLOEXEC);
	io_uring_sqe_set_data(sqe, &is_queue);
}

static void arm_reg(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_poll_add(sqe, ktls_registration_fd(reg), POLLIN);
	io_uring_sqe_set_data(sqe, &is_reg);
}

static void arm_conn(struct conn *c)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	io_uring_prep_recv(sqe, c->k.fd, c->in + c->len,
			   sizeof(c->in) - 1 - c->len, 0);
	io_uring_sqe_set_data(sqe, c);
}

static void on_completion(void *what, int res)
{
	struct conn *c = what;

	if (what == &is_reg) {
		ktls_registration_step(reg);
		arm_reg();
	} else if (what == &is_queue) {
		c = take(res);
		if (c)
			arm_conn(c);
		arm_queue();
	} else if (received(c, res)) {
		arm_conn(c);
	}
}

static void run_uring(void)
{
	struct io_uring_cqe *cqe;
	void *what;
	int res;

	if (io_uring_queue_init(64, &ring, 0))
		die("no io_uring here");
	arm_queue();
	arm_reg();
	while (io_uring_submit_and_wait(&ring, 1) >= 0 || errno == EINTR)
		while (!io_uring_peek_cqe(&ring, &cqe)) {
			what = io_uring_cqe_get_data(cqe);
			res = cqe->res;
			io_uring_cqe_seen(&ring, cqe);
			on_completion(what, res);
		}
}

int main(int argc, char **argv)
{
	int rc;

	if (argc != 3)
		die("usage: see the head of receiver.c");
	setvbuf(stdout, NULL, _IOLBF, 4096);
	rc = ktls_register_later(argv[2], &reg);
	if (rc)
		die("%s: %s", argv[2], strerror(-rc));
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (!strcmp(argv[1], "uring"))
		run_uring();
	else
		run_epoll();
	return 1;
}
