/* SPDX-License-Identifier: MIT */
#include "curl_ring.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

#include "agent/loop.h"

/*
 * struct curl_poll - a socket that libcurl waits for
 * The number of a socket that libcurl closed may belong to the next one while
 * the ring still knows the old: so completions are told apart by this object,
 * which lives until the one in flight has come.
 * @mask:    to wait for
 * @polled:  what the operation in flight waits for; 0: there is none
 * @calling: libcurl is being told; what it wants is looked at afterwards
 * @gone:    libcurl forgot it
 */
struct curl_poll {
	struct ring_op op;
	struct curl_ring *curl;
	struct curl_poll *prev, *next;
	curl_socket_t fd;
	short mask, polled;
	bool calling, gone;
};

static void unlink_poll(struct curl_poll *p)
{
	if (p->prev)
		p->prev->next = p->next;
	else
		p->curl->polls = p->next;
	if (p->next)
		p->next->prev = p->prev;
	free(p);
}

static void cancel(struct curl_poll *p)
{
	io_uring_prep_poll_remove(ring_prepare(p->curl->ring, NULL),
				  (uintptr_t)&p->op);
}

/* One poll is in flight for what is wanted, or none when nothing is. */
static void settle(struct curl_poll *p)
{
	if (p->calling)
		return;
	if (p->polled) {
		if (p->gone || p->mask != p->polled)
			cancel(p);	/* on_poll() goes on from there */
	} else if (p->gone) {
		unlink_poll(p);
	} else if (p->mask) {
		p->polled = p->mask;
		io_uring_prep_poll_add(ring_prepare(p->curl->ring, &p->op),
				       p->fd, (unsigned int)p->mask);
	}
}

static void report(struct curl_ring *curl)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(curl->multi, &left))) {
		CURL *easy = msg->easy_handle;
		CURLcode code = msg->data.result;
		void *arg;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_multi_remove_handle(curl->multi, easy);
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &arg);
		curl->ended(curl, arg, code);
	}
}

static void act(struct curl_ring *curl, curl_socket_t fd, int events)
{
	int running;

	curl_multi_socket_action(curl->multi, fd, events, &running);
	report(curl);
}

static int events_of(int result)
{
	int events = 0;

	/* A socket that cannot be polled is not waited for any more. */
	if (result < 0)
		return CURL_CSELECT_ERR;
	if (result & (POLLIN | POLLHUP | POLLRDHUP))
		events |= CURL_CSELECT_IN;
	if (result & POLLOUT)
		events |= CURL_CSELECT_OUT;
	if (result & (POLLERR | POLLNVAL))
		events |= CURL_CSELECT_ERR;
	return events;
}

static void on_poll(struct ring_op *op, int result)
{
	struct curl_poll *p = container_of(op, struct curl_poll, op);

	p->polled = 0;
	if (!p->gone && result != -ECANCELED) {
		p->calling = true;
		act(p->curl, p->fd, events_of(result));
		p->calling = false;
	}
	settle(p);
}

static struct curl_poll *new_poll(struct curl_ring *curl, curl_socket_t fd)
{
	struct curl_poll *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->op.done = on_poll;
	p->curl = curl;
	p->fd = fd;
	p->next = curl->polls;
	if (p->next)
		p->next->prev = p;
	curl->polls = p;
	curl_multi_assign(curl->multi, fd, p);
	return p;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
		     void *socket_arg)
{
	static const short masks[] = {
		[CURL_POLL_NONE] = 0,
		[CURL_POLL_IN] = POLLIN,
		[CURL_POLL_OUT] = POLLOUT,
		[CURL_POLL_INOUT] = POLLIN | POLLOUT,
		[CURL_POLL_REMOVE] = 0,
	};
	struct curl_poll *p = socket_arg;
	struct curl_ring *curl = arg;

	(void)easy;
	if (!curl->ring)
		return 0;
	if (!p && what != CURL_POLL_REMOVE)
		p = new_poll(curl, fd);
	/* Without memory the transfer's own time limit ends it. */
	if (!p)
		return 0;
	p->gone = what == CURL_POLL_REMOVE;
	p->mask = masks[what];
	settle(p);
	return 0;
}

/* libcurl must not be called from here, even when its time is now. */
static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct curl_ring *curl = arg;

	(void)multi;
	curl->due_ms = timeout_ms < 0 ? UINT64_MAX :
		       loop_now_ms() + (uint64_t)timeout_ms;
	return 0;
}

int curl_ring_init(struct curl_ring *curl, struct ring *ring,
		   unsigned int connections,
		   void (*ended)(struct curl_ring *curl, void *arg,
				 CURLcode code))
{
	*curl = (struct curl_ring){
		.ring = ring,
		.multi = curl_multi_init(),
		.due_ms = UINT64_MAX,
		.ended = ended,
	};
	if (!curl->multi)
		return -ENOMEM;
	curl_multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
	curl_multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
	curl_multi_setopt(curl->multi, CURLMOPT_MAXCONNECTS,
			  (long)connections);
	return 0;
}

void curl_ring_fini(struct curl_ring *curl)
{
	curl->ring = NULL;
	curl_multi_cleanup(curl->multi);
	while (curl->polls)
		unlink_poll(curl->polls);
}

int curl_ring_add(struct curl_ring *curl, CURL *easy, void *arg)
{
	curl_easy_setopt(easy, CURLOPT_PRIVATE, arg);
	return curl_multi_add_handle(curl->multi, easy) ? -ENOMEM : 0;
}

void curl_ring_remove(struct curl_ring *curl, CURL *easy)
{
	curl_multi_remove_handle(curl->multi, easy);
}

uint64_t curl_ring_run(struct curl_ring *curl, uint64_t now_ms)
{
	if (now_ms >= curl->due_ms) {
		curl->due_ms = UINT64_MAX;
		act(curl, CURL_SOCKET_TIMEOUT, 0);
	}
	return curl->due_ms;
}
