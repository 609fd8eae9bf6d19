/* SPDX-License-Identifier: MIT */
/*
 * A worker's share of a listening socket. One-shot accepts, armed again at each
 * completion: on a socket that the workers share a multishot accept gives all
 * connections to one of them.
 */
#ifndef AGENT_LISTENER_H
#define AGENT_LISTENER_H

#include <stdbool.h>
#include <sys/socket.h>

#include "config/config.h"
#include "deadline.h"
#include "handshake/ctx.h"
#include "ring.h"

struct rules;
struct worker;

struct listener {
	struct ring_op op;
	struct worker *worker;
	const struct config_listener *config;
	struct deadline_list headers;	/* accept_proxy's timeout */
	struct hs_ctx *ctx;
	struct rules *rules;	/* which way its connections go */
	int fd;
	bool armed;
	bool starved;		/* every slot is taken */
	bool throttled;		/* accept_rate was reached */
	bool paused;		/* out of descriptors; tried again by time */
	bool shut;		/* by master; likewise */
	struct sockaddr_storage peer;
	socklen_t peer_len;
};

/*
 * listener_bind - a socket that has its address, and does not listen yet
 * Returns the descriptor, or -errno of socket(2), bind(2) or as
 * listener_set_tcp(); for a Unix socket as local_bind().
 */
int listener_bind(const struct config_listener *config);
/*
 * listener_set_tcp - what its connections inherit, from now on
 * Whether it takes both families cannot be changed. Returns 0, or -errno of
 * setsockopt(2); nothing is set on a Unix socket.
 */
int listener_set_tcp(const struct config_listener *config, int fd);
/* listener_listen - 0, or -errno of listen(2) */
int listener_listen(const struct config_listener *config, int fd);
/* listener_listens - does it, now? */
bool listener_listens(int fd);

/*
 * listener_shut - listen no more, for whoever has the socket; 0 or -errno of
 * shutdown(2)
 * Clients are refused, accepts that wait end with EINVAL. Until
 * listener_listen() the port is kept, unless it was chosen by the kernel.
 */
int listener_shut(const struct config_listener *config, int fd);

/*
 * listener_close - master's end of it; a Unix socket's file goes too, unless it
 * is @foreign
 */
void listener_close(const struct config_listener *config, int fd,
		    bool foreign);

/* listener_log - say where it listens, with the port that it was given for 0 */
void listener_log(const struct config_listener *config, const char *route,
		  int fd);

/* listener_is_local - a Unix socket: no addresses, and no kTLS */
static inline bool listener_is_local(const struct listener *l)
{
	return l->config->addr.ss_family == AF_UNIX;
}

/* listener_arm - accept the next connection, if limits and slots allow it */
void listener_arm(struct listener *l);

/*
 * listener_check - take a connection that nobody was woken for
 * The kernel wakes one process per connection. If that one is stopped, the
 * connection waits until the next one comes; so whoever is idle looks.
 */
void listener_check(struct listener *l);

/*
 * listener_leave - accept what waits, as many as there are slots, and stop
 * For a socket that nobody else has: it may be one of several workers' last.
 */
void listener_leave(struct listener *l);

/* listener_stop - accept no more */
void listener_stop(struct listener *l);

#endif
