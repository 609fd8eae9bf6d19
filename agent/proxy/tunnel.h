/* SPDX-License-Identifier: MIT */
/*
 * A connection of a client, and the one to a server that it goes on in.
 *
 * Each socket is watched by one operation for as long as it is open, which
 * tells of changes: a poll for one state would at once report that the peer has
 * ended its direction, again and again, while the other direction waits for
 * room.
 */
#ifndef AGENT_PROXY_TUNNEL_H
#define AGENT_PROXY_TUNNEL_H

#include "state.h"

enum tunnel_state { TUNNEL_CONNECT, TUNNEL_OPEN, TUNNEL_ENDING };

/*
 * struct side - one of the two sockets
 * @in, @out: reading or writing may get somewhere: the last try did
 * @gone:     the client was cut off; a Unix socket's server has closed it
 */
struct side {
	struct ring_op op;
	bool armed, in, out, gone;
};

/*
 * struct flow - one direction
 * @eof:  nothing more comes; @err: 0, or -errno: it was cut off
 * @deaf: nobody reads what comes, so it is dropped
 * @short_write: the target did not take all that there was
 * @done: its end was passed on
 */
struct flow {
	struct pipe *pipe;
	int err;
	bool eof, deaf, done, short_write;
};

struct tunnel {
	struct intake *in;
	TAILQ_ENTRY(tunnel) all_link, again_link, starved_link;
	enum tunnel_state state;
	bool again, starved;		/* in these lists */
	bool counted;			/* as the server's */
	bool reset;			/* is what the server gets, or made */
	struct ktls_conn client;
	int server;
	unsigned int backend;
	uint64_t tried, give_up_ms;
	struct side client_side, server_side;
	struct flow up, down;		/* up: from the client */
	uint32_t pages;			/* down, under this key, see flow.c */
	struct deadline deadline;
	uint8_t *header;
	size_t header_len;
};

/*
 * tunnel_new - begin; it ends and frees itself
 * @client: taken, also on failure
 * @info:   is not needed any more afterwards
 */
void tunnel_new(struct intake *in, const struct ktls_conn *client,
		const struct ktls_info *info);

/* tunnel_open - the server is connected: tell it who the client is, and move */
void tunnel_open(struct tunnel *t);
/* tunnel_run - move what can be moved */
void tunnel_run(struct tunnel *t);
/* tunnel_run_later - before the process waits for anything */
void tunnel_run_later(struct tunnel *t);
/* What is in these lists now, and not what comes into them meanwhile. */
void tunnel_run_again(struct proxy *p);
void tunnel_run_starved(struct proxy *p);
/*
 * tunnel_end - end it now
 * @why: counted, if it is a reason; PROXY_COUNTERS: both have ended
 * The server of one that was cut off sees a reset, its client an end without
 * close_notify.
 */
void tunnel_end(struct tunnel *t, enum proxy_counter why, int error);

/* tunnel_free - one that ends, unless something is still in flight */
void tunnel_free(struct tunnel *t);

/* tunnel_connect - to a server that was not tried yet. In connect.c */
void tunnel_connect(struct tunnel *t);
/* For proxy->retries and an intake's connects. */
void tunnel_retry(struct deadline *d);
void tunnel_connect_late(struct deadline *d);
/* For proxy->halves. */
void tunnel_half_late(struct deadline *d);

/*
 * flow_run - move the bytes of one direction, up or down. In flow.c
 * Returns 0: it waits; 1: it has more to do; or -errno: it was cut off.
 */
int flow_run(struct tunnel *t, struct flow *f);
/* flow_release - its pipe goes to whoever waits for one */
void flow_release(struct tunnel *t, struct flow *f);

#endif
