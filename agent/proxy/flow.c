/* SPDX-License-Identifier: MIT */
/*
 * One direction: socket, pipe, socket. Bytes never enter this process. An
 * answer "would block" is believed only of a socket that was tried with an
 * empty pipe, or a pipe with bytes: both are said with the same error.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tunnel.h"

/* Bytes of one direction in one round; then others have a turn. */
#define SHARE (1024 * 1024)
/* What nobody reads is dropped in pieces of this size, so many in one round. */
#define DROP 16384
#define DROPS 16
/* A record has a page at least, unless it is the last of what was there. */
#define PAGE 4096
#define PAGES_OF_KEY (1U << 22)

static bool is_up(const struct tunnel *t, const struct flow *f)
{
	return f == &t->up;
}

static struct side *source(struct tunnel *t, struct flow *f)
{
	return is_up(t, f) ? &t->client_side : &t->server_side;
}

static struct side *target(struct tunnel *t, struct flow *f)
{
	return is_up(t, f) ? &t->server_side : &t->client_side;
}

static bool would_block(int err)
{
	return err == -EAGAIN || err == -EWOULDBLOCK;
}

/* Whoever waits for a pipe can have this one. */
void flow_release(struct tunnel *t, struct flow *f)
{
	struct proxy *p = t->in->proxy;
	struct tunnel *next = TAILQ_FIRST(&p->starved);

	if (!f->pipe)
		return;
	pipes_put(&p->pipes, f->pipe);
	f->pipe = NULL;
	if (!next)
		return;
	TAILQ_REMOVE(&p->starved, next, starved_link);
	next->starved = false;
	tunnel_run_later(next);
}

static bool have_pipe(struct tunnel *t, struct flow *f)
{
	struct proxy *p = t->in->proxy;

	if (!f->pipe)
		f->pipe = pipes_get(&p->pipes);
	if (f->pipe || t->starved)
		return f->pipe;
	t->starved = true;
	TAILQ_INSERT_TAIL(&p->starved, t, starved_link);
	return false;
}

/* Nothing came: @res, 0 or -errno. What it means is remembered. */
static void judge(struct tunnel *t, struct flow *f, int res)
{
	int ret = is_up(t, f) ? ktls_recv_result(&t->client, res) : res;

	/* A reset that was found out by writing is no clean end. */
	if (!ret && !is_up(t, f) && t->reset)
		ret = -ECONNRESET;
	if (ret > 0 || ret == -EINTR)
		return;
	if (would_block(ret)) {
		if (!f->pipe || !f->pipe->len)
			source(t, f)->in = false;
		return;
	}
	f->eof = true;
	f->err = ret;
}

static ssize_t splice_in(struct tunnel *t, struct flow *f)
{
	ssize_t n = splice(is_up(t, f) ? t->client.fd : t->server, NULL,
			   f->pipe->in, NULL, PIPE_BYTES - f->pipe->len,
			   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	return n < 0 ? -errno : n;
}

static void fill(struct tunnel *t, struct flow *f)
{
	struct side *from = source(t, f);
	ssize_t n;

	while (from->in && !f->eof &&
	       (!f->pipe || f->pipe->len < PIPE_BYTES) && have_pipe(t, f)) {
		n = splice_in(t, f);
		if (n <= 0) {
			/*
			 * Perhaps it is the pipe that is full. And of a peer
			 * that sends nothing but alerts and key changes each
			 * one counts as a share.
			 */
			judge(t, f, (int)n);
			return;
		}
		f->pipe->len += (size_t)n;
	}
}

/*
 * What the server does not read any more is dropped, and its answer goes on: it
 * may have refused what the client still sends.
 */
static int target_failed(struct tunnel *t, struct flow *f, int err)
{
	if (!is_up(t, f))
		return err;
	/*
	 * EPIPE: it had ended its direction before, and then made a reset. But
	 * splice(2) says nothing of an error behind bytes that it could move.
	 */
	if (err != -EPIPE || f->short_write)
		t->reset = true;
	t->server_side.in = true;
	f->deaf = true;
	flow_release(t, f);
	return 0;
}

/*
 * A KeyUpdate that is due goes before the next bytes; and a key is good for so
 * many records, of which the kernel makes what it likes.
 */
static int tend_key(struct tunnel *t, const struct flow *f)
{
	if (is_up(t, f) || !t->client.rekey)
		return 0;
	if (t->pages >= PAGES_OF_KEY) {
		t->pages = 0;
		return ktls_rekey(&t->client, 0);
	}
	return ktls_flush(&t->client);
}

static ssize_t splice_out(struct tunnel *t, struct flow *f)
{
	int err = tend_key(t, f);
	ssize_t n;

	if (err)
		return err;
	n = splice(f->pipe->out, NULL, is_up(t, f) ? t->server : t->client.fd,
		   NULL, f->pipe->len, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	if (n <= 0)
		return n ? -errno : -EPIPE;
	f->short_write = (size_t)n < f->pipe->len;
	f->pipe->len -= (size_t)n;
	proxy_count(t->in, is_up(t, f) ? PROXY_BYTES_UP : PROXY_BYTES_DOWN,
		    (uint64_t)n);
	if (!is_up(t, f))
		t->pages += (uint32_t)(n / PAGE + 1);
	return n;
}

static int drain(struct tunnel *t, struct flow *f)
{
	struct side *to = target(t, f);
	ssize_t n;

	while (to->out && f->pipe && f->pipe->len) {
		n = splice_out(t, f);
		if (n < 0 && would_block((int)n))
			to->out = false;
		else if (n < 0 && n != -EINTR)
			return target_failed(t, f, (int)n);
	}
	return 0;
}

/* The source's end, when all before it is through. */
static int finish(struct tunnel *t, struct flow *f)
{
	int err = 0;

	if (f->err)
		return f->err;
	if (is_up(t, f))
		shutdown(t->server, SHUT_WR);
	else
		err = ktls_shutdown(&t->client);
	if (would_block(err)) {
		t->client_side.out = false;
		return 0;
	}
	f->done = !err;
	return err;
}

/* Returns 0 or 1, as flow_run(). */
static int drop(struct tunnel *t, struct flow *f)
{
	static uint8_t buf[DROP];
	ssize_t n = 1;
	int i;

	for (i = 0; i < DROPS && (n > 0 || n == -EINTR); i++)
		n = ktls_recv(&t->client, buf, sizeof(buf));
	if (n > 0 || n == -EINTR)
		return 1;
	if (would_block((int)n))
		t->client_side.in = false;
	else
		f->eof = f->done = true;
	return 0;
}

static bool is_stuck(struct tunnel *t, struct flow *f)
{
	if (f->pipe && f->pipe->len)
		return !target(t, f)->out;
	return f->eof ? !target(t, f)->out : !source(t, f)->in;
}

int flow_run(struct tunnel *t, struct flow *f)
{
	size_t rounds = 0;
	int err = 0;

	while (!err && !f->done && !f->deaf && !is_stuck(t, f)) {
		if (rounds++ == SHARE / PIPE_BYTES)
			return 1;
		fill(t, f);
		if (t->starved && !f->pipe && !f->eof)
			return 0;
		err = drain(t, f);
		if (f->pipe && f->pipe->len)
			continue;
		flow_release(t, f);
		if (!err && f->eof && !f->deaf)
			err = finish(t, f);
	}
	if (err || f->done || !f->deaf)
		return err;
	return t->client_side.in ? drop(t, f) : 0;
}
