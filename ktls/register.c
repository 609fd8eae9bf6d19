// SPDX-License-Identifier: MIT
#include "register.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "descriptors.h"
#include "ktls.h"

#define WAIT_MS 5000 /* for an answer */
#define RETRY_MS 100 /* while there is no ktlsd */
#define REFUSED_MS 1000 /* after a refusal: it takes somebody to mend that */

enum state {
	DOWN, /* no socket; the timer says when to ask */
	ASKED, /* hello sent; the timer ends the wait for an answer */
	UP, /* registered; the timer is off */
};

struct ktls_registration {
	enum state state;
	int epoll, timer, sock;
	int queue[2]; /* read end, write end; -1 before the first */
	unsigned int hold_ms;
	uint32_t flags; /* of the last answer */
	int refused; /* what asking came to, 0 or -errno */
	struct sockaddr_un addr;
	char text[300]; /* why it failed last */
};

/* With @ms 0 the timer is off. */
static void set_timer(struct ktls_registration *reg, unsigned int ms)
{
	const struct itimerspec when = {
		.it_value = {ms / 1000, ms % 1000 * 1000000},
	};

	timerfd_settime(reg->timer, 0, &when, NULL);
}

static int watch(struct ktls_registration *reg, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(reg->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void go_down(struct ktls_registration *reg, unsigned int retry_ms)
{
	if (reg->sock >= 0) {
		/*
		 * Not left to close(): while a child still has a copy, epoll
		 * would report the socket's end for ever.
		 */
		epoll_ctl(reg->epoll, EPOLL_CTL_DEL, reg->sock, NULL);
		close(reg->sock);
	}
	reg->sock = -1;
	reg->state = DOWN;
	reg->refused = 0;
	set_timer(reg, retry_ms);
}

/* Unless ktlsd has said it itself. */
static void explain(struct ktls_registration *reg, int rc)
{
	const char *path = reg->addr.sun_path;
	char *text = reg->text;
	const size_t len = sizeof(reg->text);

	if (text[0])
		return;
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		snprintf(text, len, "no ktlsd has %s open", path);
	else if (rc == -EACCES)
		snprintf(text, len,
			 "uid %u may not connect to %s: see the route's user, "
			 "group and mode",
			 geteuid(), path);
	else if (rc == -EPROTO)
		snprintf(text, len, "what answers on %s is not ktlsd", path);
	else if (rc == -ETIMEDOUT)
		snprintf(text, len, "ktlsd did not answer on %s within %d s",
			 path, WAIT_MS / 1000);
	else
		snprintf(text, len, "%s: %s", path, strerror(-rc));
}

/* Connects and says hello, with the queue as an offer once there is one. */
static int ask(struct ktls_registration *reg)
{
	const struct ktls_hello hello = {
		.magic = KTLS_REG_MAGIC,
		.version = KTLS_REG_VERSION,
	};
	int rc;

	reg->text[0] = '\0';
	reg->sock = socket(AF_UNIX,
			   SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (reg->sock < 0)
		rc = -errno;
	/* A Unix socket connects at once, or says EAGAIN: a full backlog. */
	else if (connect(reg->sock, (struct sockaddr *)&reg->addr,
			 sizeof(reg->addr)))
		rc = -errno;
	else
		rc = ktls_send_fds(reg->sock, &hello, sizeof(hello), reg->queue,
				   reg->queue[0] < 0 ? 0 : 2);
	/* A refusal may be here already, and its sender gone. */
	if (!rc || rc == -EPIPE)
		rc = watch(reg, reg->sock);
	if (rc) {
		go_down(reg, RETRY_MS);
		explain(reg, rc);
		/* Not to be mended by waiting for ktlsd. */
		if (rc != -ENOENT && rc != -ECONNREFUSED && rc != -EAGAIN)
			reg->refused = rc;
		return rc;
	}
	reg->state = ASKED;
	set_timer(reg, WAIT_MS);
	return 0;
}

/* What a status other than success means to the caller. */
static int refusal(enum ktls_reg_status status)
{
	switch (status) {
	case KTLS_REG_REFUSED:
		return -EACCES;
	case KTLS_REG_BAD_OFFER:
		return -ESTALE;
	case KTLS_REG_ERROR:
		return -ENOBUFS;
	default:
		return -EPROTO;
	}
}

static int is_seqpacket(int fd)
{
	socklen_t len = sizeof(int);
	int type;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) &&
	       type == SOCK_SEQPACKET;
}

/*
 * Judges an answer; on success takes the queue out of @fds, when the answer
 * brought one. A second queue is not taken: consumers poll the first.
 */
static int take_answer(struct ktls_registration *reg, ssize_t len,
		       const struct ktls_answer *answer, struct ktls_fds *fds)
{
	const int have_queue = reg->queue[0] >= 0;

	if (len != sizeof(*answer) || fds->truncated ||
	    memcmp(answer->magic, KTLS_REG_MAGIC, sizeof(answer->magic)))
		return -EPROTO;
	snprintf(reg->text, sizeof(reg->text), "%.*s",
		 (int)sizeof(answer->text), answer->text);
	if (answer->version != KTLS_REG_VERSION)
		return -EPROTO;
	if (answer->status == KTLS_REG_ADOPTED && have_queue && !fds->n)
		return 0;
	if (answer->status != KTLS_REG_OK)
		return refusal(answer->status);
	if (have_queue || fds->n != 2 || !is_seqpacket(fds->fd[0]) ||
	    !is_seqpacket(fds->fd[1]))
		return -EPROTO;
	memcpy(reg->queue, fds->fd, sizeof(reg->queue));
	fds->n = 0;
	return 0;
}

/* The registration's socket has something, or has ended. */
static void receive(struct ktls_registration *reg)
{
	struct ktls_answer answer;
	struct ktls_fds fds;
	ssize_t len = ktls_recv_fds(reg->sock, &answer, sizeof(answer), &fds,
				    MSG_CMSG_CLOEXEC);
	int rc;

	/*
	 * ktlsd may refuse before it reads the hello. That its end was closed
	 * with the hello unread is said once, and before what it has sent.
	 */
	if (len == -ECONNRESET)
		len = ktls_recv_fds(reg->sock, &answer, sizeof(answer), &fds,
				    MSG_CMSG_CLOEXEC);
	if (len == -EAGAIN || len == -EINTR)
		return;
	if (len <= 0) {
		go_down(reg, RETRY_MS);
		explain(reg, -ECONNRESET);
	} else if (reg->state == ASKED) {
		rc = take_answer(reg, len, &answer, &fds);
		if (rc) {
			go_down(reg, REFUSED_MS);
			explain(reg, rc);
			reg->refused = rc;
		} else {
			reg->hold_ms = answer.hold_ms;
			reg->flags = answer.flags;
			reg->state = UP;
			set_timer(reg, 0);
		}
	}
	/* Once registered, ktlsd has nothing to say that we would know. */
	if (len >= 0)
		ktls_close_fds(&fds);
}

int ktls_registration_step(struct ktls_registration *reg)
{
	uint64_t expired;
	const int due = read(reg->timer, &expired, sizeof(expired)) ==
			sizeof(expired);

	if (reg->sock >= 0)
		receive(reg);
	/* An answer that came with the end of the wait was in time. */
	if (due && reg->state == ASKED)
		go_down(reg, RETRY_MS);
	else if (due && reg->state == DOWN)
		ask(reg);
	if (reg->state == UP)
		return 0;
	return reg->refused ? reg->refused : -ENOTCONN;
}

const char *ktls_registration_error(const struct ktls_registration *reg)
{
	return reg->text;
}

static int init(struct ktls_registration *reg, const char *path)
{
	reg->addr.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(reg->addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(reg->addr.sun_path, path);
	reg->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (reg->epoll < 0)
		return -errno;
	reg->timer =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (reg->timer < 0)
		return -errno;
	return watch(reg, reg->timer);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* The first registration: waits, and gives up where step would try again. */
static int wait_for_answer(struct ktls_registration *reg)
{
	const int64_t end = now_ms() + WAIT_MS;
	struct epoll_event event;
	int64_t left;
	int rc = ask(reg);

	while (!rc || rc == -EAGAIN || rc == -ENOTCONN) {
		left = end - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (epoll_wait(reg->epoll, &event, 1, left) < 0 &&
		    errno != EINTR)
			return -errno;
		rc = ktls_registration_step(reg);
		if (!rc)
			return 0;
	}
	return rc;
}

static struct ktls_registration *reg_new(void)
{
	struct ktls_registration *reg = malloc(sizeof(*reg));

	if (reg)
		*reg = (struct ktls_registration){
			.epoll = -1,
			.timer = -1,
			.sock = -1,
			.queue = {-1, -1},
		};
	return reg;
}

int ktls_register(const char *path, struct ktls_registration **out, char *error,
		  size_t error_len)
{
	struct ktls_registration *reg = reg_new();
	int rc;

	if (!reg) {
		snprintf(error, error_len, "out of memory");
		return -ENOMEM;
	}
	rc = init(reg, path);
	if (!rc)
		rc = wait_for_answer(reg);
	if (!rc) {
		*out = reg;
		return 0;
	}
	explain(reg, rc);
	snprintf(error, error_len, "%s", reg->text);
	ktls_registration_free(reg);
	return rc;
}

int ktls_register_later(const char *path, struct ktls_registration **out)
{
	struct ktls_registration *reg = reg_new();
	int rc;

	if (!reg)
		return -ENOMEM;
	rc = init(reg, path);
	if (!rc && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			      reg->queue))
		rc = -errno;
	if (rc) {
		ktls_registration_free(reg);
		return rc;
	}
	/* Not found, or not yet: the timer asks again. */
	ask(reg);
	*out = reg;
	return 0;
}

int ktls_registration_queue_fd(const struct ktls_registration *reg)
{
	return reg->queue[0];
}

unsigned int ktls_registration_hold_ms(const struct ktls_registration *reg)
{
	return reg->hold_ms;
}

int ktls_registration_ipv6(const struct ktls_registration *reg)
{
	return !!(reg->flags & KTLS_REG_IPV6);
}

int ktls_registration_fd(const struct ktls_registration *reg)
{
	return reg->epoll;
}

/*
 * Only close(): EPOLL_CTL_DEL or shutdown() by a child would reach through to
 * what it shares with its parent.
 */
int ktls_registration_detach(struct ktls_registration *reg)
{
	const int fds[] = {reg->epoll, reg->timer, reg->sock, reg->queue[1]};
	const int queue_fd = reg->queue[0];

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(reg);
	return queue_fd;
}

void ktls_registration_free(struct ktls_registration *reg)
{
	int fd;

	if (!reg)
		return;
	fd = ktls_registration_detach(reg);
	if (fd >= 0)
		close(fd);
}
