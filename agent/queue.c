/* SPDX-License-Identifier: MIT */
#include "queue.h"

#include <errno.h>
#include <unistd.h>

#include "ktls/descriptors.h"

void queue_init(struct queue *q)
{
	q->n_ends = 0;
	q->n_waiting = 0;
	q->first = NULL;
	q->last = &q->first;
}

int queue_add(struct queue *q, uint64_t id, int fd)
{
	unsigned int i;

	for (i = 0; i < q->n_ends; i++)
		if (q->end[i].id == id) {
			close(fd);
			return 0;
		}
	if (q->n_ends == QUEUE_ENDS) {
		close(fd);
		return -ENOSPC;
	}
	q->end[q->n_ends].fd = fd;
	q->end[q->n_ends++].id = id;
	return 0;
}

void queue_remove(struct queue *q, uint64_t id)
{
	unsigned int i;

	for (i = 0; i < q->n_ends; i++)
		if (q->end[i].id == id) {
			close(q->end[i].fd);
			q->end[i] = q->end[--q->n_ends];
			return;
		}
}

/* O_NONBLOCK is not ours to set: every holder shares the file. */
static int send_to(int queue, const struct handoff *handoff)
{
	return ktls_send_fds(queue, handoff->msg, handoff->msg_len,
			     &handoff->fd, 1);
}

/* Whether the queue itself is of no use any more. */
static bool is_broken(int err)
{
	return err == -EPIPE || err == -ECONNRESET || err == -ECONNREFUSED ||
	       err == -ENOTCONN;
}

/*
 * One round over the ends. Returns 0, or why not: -EAGAIN (full),
 * -ETOOMANYREFS (too many descriptors of this user are in flight) or -ENOTCONN
 * (there is no queue).
 */
static int try_send(struct queue *q, const struct handoff *handoff)
{
	unsigned int left = q->n_ends;
	int err = -ENOTCONN;

	while (left--) {
		unsigned int i = q->turn++ % q->n_ends;
		uint64_t id = q->end[i].id;

		err = send_to(q->end[i].fd, handoff);
		if (!err)
			return 0;
		if (!is_broken(err))
			continue;
		queue_remove(q, id);
		q->broken(q, id);
		err = -ENOTCONN;
	}
	return err;
}

void queue_push(struct queue *q, struct handoff *handoff, uint64_t now_ms)
{
	int err = q->first ? -EAGAIN : try_send(q, handoff);

	if (!err) {
		handoff->done(handoff, 0);
		return;
	}
	if (!q->n_ends)
		metrics_count(q->metrics, METRIC_WAITED_NO_CONSUMER);
	else if (err == -ETOOMANYREFS)
		metrics_count(q->metrics, METRIC_WAITED_REFS);
	else
		metrics_count(q->metrics, METRIC_WAITED_FULL);
	handoff->give_up_ms = now_ms + q->hold_ms;
	handoff->next = NULL;
	*q->last = handoff;
	q->last = &handoff->next;
	q->n_waiting++;
}

static void pop(struct queue *q, int result)
{
	struct handoff *handoff = q->first;

	q->first = handoff->next;
	if (!q->first)
		q->last = &q->first;
	q->n_waiting--;
	handoff->done(handoff, result);
}

static void give_up(struct queue *q, int error)
{
	metrics_count(q->metrics, METRIC_QUEUE_EXPIRED);
	pop(q, error);
}

void queue_drop(struct queue *q)
{
	give_up(q, -ENOSPC);
}

uint64_t queue_flush(struct queue *q, uint64_t now_ms)
{
	while (q->first && !try_send(q, q->first))
		pop(q, 0);
	while (q->first && q->first->give_up_ms <= now_ms)
		give_up(q, -ETIMEDOUT);
	if (!q->first)
		return UINT64_MAX;
	return q->n_ends ? now_ms + QUEUE_RETRY_MS : q->first->give_up_ms;
}
